//! The collector in the cluster.

use std::time::Duration;

use alscope_collector::topology::Topology;
use anyhow::{Context as _, ensure};

use crate::cluster::{Forwarding, kubectl, relay, until};
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

/// The pods of the operator's collector, also those that are about to end.
pub fn pods() -> anyhow::Result<Vec<String>> {
    let names = kubectl(&[
        "get",
        "pods",
        "--namespace",
        operator::NAMESPACE,
        "--selector=app.kubernetes.io/name=alscope-collector",
        "--output=jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}",
    ])?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// The entries that one pod of it has received, by a scrape of the pod itself.
pub fn received(pod: &str) -> anyhow::Result<u64> {
    let metrics = scrape(&format!("pods/{pod}"))?;
    Ok(metrics.sum("alscope_entries_received_total", &[]))
}

/// A scrape by way of the API server.
fn scrape(of: &str) -> anyhow::Result<Exposition> {
    let namespace = operator::NAMESPACE;
    let path = format!("--raw=/api/v1/namespaces/{namespace}/{of}:9090/proxy/metrics");
    // The API server would try for half a minute to reach a pod that is gone.
    Exposition::parse(&kubectl(&["get", &path, "--request-timeout=3s"])?)
}

/// What is always the sum of what.
const LAWS: [(&str, &[&str]); 4] = [
    (
        "entries_received_total",
        &["entries_analyzed_total", "entries_rejected_total"],
    ),
    (
        "entries_analyzed_total",
        &["entries_observed_total", "entries_skipped_total"],
    ),
    (
        "entries_observed_total",
        &["entries_attributed_total", "entries_unattributed_total"],
    ),
    (
        "exporter_entries_queued_total",
        &[
            "exporter_entries_exported_total",
            "exporter_entries_dropped_total",
            "exporter_entries_waiting",
        ],
    ),
];

/// Fails unless every entry that the operator's collector received is accounted for. Where none runs, there is nothing to ask.
pub fn check_conservation() -> anyhow::Result<()> {
    let deployment = ["get", "deployment", "alscope-collector", "--ignore-not-found"];
    let available = "--output=jsonpath={.status.availableReplicas}";
    if kubectl(&[&deployment[..], &["--namespace", operator::NAMESPACE, available]].concat())?.is_empty() {
        return Ok(());
    }
    let metrics = scrape("services/alscope-collector")?;
    let count = |name: &&str| metrics.sum(&format!("alscope_{name}"), &[]);
    for (whole, parts) in LAWS {
        let (counted, sum) = (count(&whole), parts.iter().map(count).sum::<u64>());
        ensure!(
            counted == sum,
            "{whole} is {counted}, but {} are {sum}",
            parts.join(" and ")
        );
    }
    let received = count(&"entries_received_total");
    println!("  all of {received} entries are accounted for");
    Ok(())
}
