//! The collector in the cluster.

use std::time::Duration;

use alscope_collector::topology::Topology;
use anyhow::Context as _;

use crate::cluster::{Forwarding, relay, until};
use crate::exposition::{Exposition, get};
use crate::operator;

/// A collector that the operator runs, reached from the host.
#[derive(Debug)]
pub struct Collector {
    admin: String,
    page: String,
    _forwarding: Forwarding,
}

impl Collector {
    /// The collector that the operator runs, of which the resource is ready.
    pub fn observed() -> anyhow::Result<Self> {
        let admin = relay("admin", operator::NAMESPACE, "alscope-collector", 9090)?;
        let (forwarding, line) = Forwarding::start(&[
            "port-forward",
            "--namespace",
            operator::NAMESPACE,
            "deployment/alscope-collector",
            ":8080",
        ])?;
        let page = line
            .strip_prefix("Forwarding from ")
            .and_then(|rest| rest.split(' ').next())
            .with_context(|| format!("kubectl port-forward says {line}"))?;
        let collector = Collector {
            admin,
            page: page.to_owned(),
            _forwarding: forwarding,
        };
        until("the collector's admin port", Duration::from_secs(20), || {
            Ok(get(&format!("{}/readyz", collector.admin)).ok())
        })?;
        Ok(collector)
    }

    /// A scrape of its metrics.
    pub fn metrics(&self) -> anyhow::Result<Exposition> {
        Exposition::parse(&get(&format!("{}/metrics", self.admin))?)
    }

    /// The body of a page or an API call on its web port.
    pub fn web(&self, path: &str) -> anyhow::Result<String> {
        get(&format!("http://{}{path}", self.page))
    }

    /// Who called whom within the last five minutes.
    pub fn topology(&self) -> anyhow::Result<Topology> {
        Ok(serde_json::from_str(&self.web("/api/v1/topology?window=5m")?)?)
    }

    /// The page's address on the host.
    pub fn page(&self) -> &str {
        &self.page
    }
}
