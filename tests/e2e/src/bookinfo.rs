//! bookinfo in a namespace of the cluster, and what a thousand requests mean for each of its hops.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::cluster::Namespace;
use crate::collector::Collector;
use crate::exposition::Exposition;

/// One hop: who calls whom, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The calling workload.
    pub source: &'static str,
    /// The called workload.
    pub destination: &'static str,
    /// The metric that counts it.
    pub metric: &'static str,
    /// Calls.
    pub calls: u64,
    /// Whether the caller has a proxy that reports.
    pub source_reports: bool,
}

/// The metric of HTTP hops.
pub const REQUESTS: &str = "alscope_requests_total";
/// The metric of TCP hops.
pub const CONNECTIONS: &str = "alscope_tcp_connections_closed_total";

const fn hop(source: &'static str, destination: &'static str, calls: u64) -> Hop {
    Hop {
        source,
        destination,
        metric: REQUESTS,
        calls,
        source_reports: true,
    }
}

/// What 1 000 requests numbered from 1 come to when every 20th asks ratings for a 503 (bookinfo's own documentation counts it
/// out): request N goes to reviews v1, v2, v3 by N mod 3; v2 and v3 call ratings; ratings that do not fail call mongodb.
pub const THOUSAND: [Hop; 9] = [
    Hop {
        source_reports: false,
        ..hop("load", "bookinfo-gateway", 1000)
    },
    hop("bookinfo-gateway", "productpage-v1", 1000),
    hop("productpage-v1", "details-v1", 1000),
    hop("productpage-v1", "reviews-v1", 333),
    hop("productpage-v1", "reviews-v2", 334),
    hop("productpage-v1", "reviews-v3", 333),
    hop("reviews-v2", "ratings-v1", 334),
    hop("reviews-v3", "ratings-v1", 333),
    Hop {
        metric: CONNECTIONS,
        ..hop("ratings-v1", "mongodb-v1", 633)
    },
];

/// Entries that requests numbered from 1 come to when none fails. The gateway logs each once, both sides log each call behind it:
/// of productpage by the gateway the called side alone, of details, of reviews, and, but for every third, of ratings and mongodb.
pub const fn entries(requests: u64) -> u64 {
    6 * requests + 4 * (requests - requests / 3)
}

/// What both reporters counted of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Calls by `reporter="source"`; `None` where the caller has no proxy.
    pub source: Option<u64>,
    /// Calls by `reporter="destination"`.
    pub destination: u64,
}

impl Hop {
    /// What the collector counted of this hop in `namespace`.
    pub fn counted(&self, metrics: &Exposition, namespace: &str) -> Counted {
        let by = |reporter| {
            let labels = [
                ("reporter", reporter),
                ("source_workload", self.source),
                ("source_workload_namespace", namespace),
                ("destination_workload", self.destination),
                ("destination_workload_namespace", namespace),
            ];
            metrics.sum(self.metric, &labels)
        };
        Counted {
            source: self.source_reports.then(|| by("source")),
            destination: by("destination"),
        }
    }

    /// Fails unless both reporters counted exactly the calls that were made.
    pub fn check(&self, counted: Counted) -> anyhow::Result<()> {
        let exact = Counted {
            source: self.source_reports.then_some(self.calls),
            destination: self.calls,
        };
        ensure!(
            counted == exact,
            "{} -> {}: counted {counted:?}, made {exact:?}",
            self.source,
            self.destination
        );
        Ok(())
    }
}

/// The folder of bookinfo's manifests.
pub fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("bookinfo/manifests")
        .join(name)
}

/// Deploys bookinfo and its gateway in a namespace of its own.
pub fn deploy(name: &str) -> anyhow::Result<Namespace> {
    let namespace = Namespace::fresh(name)?;
    namespace.apply(&manifest("gateway.yaml"))?;
    namespace.apply(&manifest("bookinfo.yaml"))?;
    namespace.available(120)?;
    Ok(namespace)
}

/// Makes the requests of [`THOUSAND`], and waits until they are made.
pub fn load(namespace: &Namespace) -> anyhow::Result<()> {
    namespace.apply(&manifest("load.yaml"))?;
    println!("  waiting for 1 000 requests");
    namespace
        .kubectl(&["wait", "job/load", "--for=condition=Complete", "--timeout=120s"])
        .map(drop)
}

/// Fails unless the topology's edges to workloads of `namespace` are the hops of [`THOUSAND`].
pub fn check_topology(collector: &Collector, namespace: &str) -> anyhow::Result<()> {
    let id = |workload: &str| format!("{namespace}/{workload}");
    let mut expected: Vec<(String, String)> = THOUSAND
        .iter()
        .map(|hop| (id(hop.source), id(hop.destination)))
        .collect();
    expected.sort();
    let mut edges: Vec<(String, String)> = collector
        .topology()?
        .edges
        .into_iter()
        .filter(|edge| edge.destination.starts_with(&id("")))
        .map(|edge| (edge.source, edge.destination))
        .collect();
    edges.sort();
    ensure!(
        edges == expected,
        "the topology has {edges:?}, the mesh {expected:?}"
    );
    Ok(())
}
