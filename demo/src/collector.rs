//! The collector: its addresses and configuration, and what it says it saw.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::claims::Claims;
use crate::fetch::fetch;

/// The name of the directory file, beside the configuration.
pub(crate) const DIRECTORY_FILE: &str = "cluster.yaml";

/// Where the collector listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Collector {
    /// For Envoys.
    pub(crate) grpc: SocketAddr,
    web: SocketAddr,
    admin: SocketAddr,
}

/// The answer of `/api/v1/topology`, as far as the demo shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Topology {
    /// One row an edge.
    pub(crate) edges: Vec<Row>,
}

/// Who called whom, how often, how well and how fast.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// The id of the caller's node, `namespace/workload` of a workload.
    pub(crate) source: String,
    /// The id of the called party's node.
    pub(crate) destination: String,
    /// `http`, `grpc` or `tcp`.
    pub(crate) protocol: String,
    /// Requests a second, of TCP connections.
    pub(crate) requests_per_second: f64,
    /// Failed ones of those whose outcome is known, from 0 to 1.
    pub(crate) error_share: Option<f64>,
    /// Half were faster; null for TCP.
    pub(crate) p50_milliseconds: Option<f64>,
    /// 95 of 100 were faster; null for TCP.
    pub(crate) p95_milliseconds: Option<f64>,
    /// 99 of 100 were faster; null for TCP.
    pub(crate) p99_milliseconds: Option<f64>,
}

/// How many entries came, and of how many every party was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    /// All that came.
    pub(crate) received: u64,
    /// Those whose parties were all found.
    pub(crate) attributed: u64,
    /// Those with a party that was not.
    pub(crate) unattributed: u64,
}

impl Collector {
    /// The usual ports of 127.0.0.1, or the next free ones.
    pub(crate) fn claim(claims: &mut Claims) -> anyhow::Result<Self> {
        let mut claim = |port| {
            claims
                .port(Ipv4Addr::LOCALHOST, port)
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        Ok(Self {
            grpc: claim(11800)?,
            web: claim(8080)?,
            admin: claim(9090)?,
        })
    }

    /// Its configuration file.
    pub(crate) fn configuration(&self) -> String {
        let Self { grpc, web, admin } = self;
        format!(
            "listen: {{ grpc: \"{grpc}\", web: \"{web}\", admin: \"{admin}\" }}\n\
             directory: {{ file: {DIRECTORY_FILE} }}\n\
             analysis: {{ http: \"k8s-mesh\", tcp: \"k8s-mesh\" }}\n\
             ending: {{ quiet: 0s, scrape: 0s }}\n"
        )
    }

    /// Answers 200 when it is ready.
    pub(crate) fn ready_url(&self) -> String {
        format!("http://{}/readyz", self.admin)
    }

    /// The page for people.
    pub(crate) fn page_url(&self) -> String {
        format!("http://{}/", self.web)
    }

    /// The edges of the last minute.
    pub(crate) async fn topology(&self) -> anyhow::Result<Topology> {
        let url = format!("http://{}/api/v1/topology?window=60s", self.web);
        let text = fetch(url.clone()).await?;
        serde_json::from_str(&text).with_context(|| {
            format!("{url} is not the topology that the demo knows; build both from one commit")
        })
    }

    /// The counters of entries.
    pub(crate) async fn entries(&self) -> anyhow::Result<Entries> {
        let url = format!("http://{}/metrics", self.admin);
        let metrics = fetch(url.clone()).await?;
        let total = |name| match total(&metrics, name) {
            Some(total) => Ok(total),
            None => bail!("{url} has no {name}; build the demo and the collector from one commit"),
        };
        Ok(Entries {
            received: total("alscope_entries_received_total")?,
            attributed: total("alscope_entries_attributed_total")?,
            unattributed: total("alscope_entries_unattributed_total")?,
        })
    }
}

/// The sum over all label sets of a counter, in the Prometheus text format; none if there is no sample of it.
fn total(metrics: &str, name: &str) -> Option<u64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<u64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# HELP alscope_entries_received_total Entries.
# TYPE alscope_entries_received_total counter
alscope_entries_received_total{kind=\"http\"} 40
alscope_entries_received_total{kind=\"tcp\",odd=\"} 7\"} 2
alscope_entries_received_total_of_something 1000
alscope_entries_attributed_total 41
";

    #[test]
    fn a_total_sums_the_label_sets_of_one_name() {
        assert_eq!(total(METRICS, "alscope_entries_received_total"), Some(42));
        assert_eq!(total(METRICS, "alscope_entries_attributed_total"), Some(41));
        assert_eq!(total(METRICS, "alscope_entries_unattributed_total"), None);
    }

    #[test]
    fn a_row_of_tcp_has_no_percentiles() {
        let text = r#"{"windowSeconds":60,"nodes":[],"edges":[{"source":"demo/ratings-v1",
            "destination":"demo/mongodb-v1","protocol":"tcp","reporter":"source","requestsPerSecond":1.5,
            "errorShare":0,"p50Milliseconds":null,"p95Milliseconds":null,"p99Milliseconds":null}]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        assert_eq!(topology.edges[0].p50_milliseconds, None);
    }
}
