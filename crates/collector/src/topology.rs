//! The JSON of `GET /api/v1/topology`. The module `web` serves it; the command `top` and the page read it.

use serde::{Deserialize, Serialize};

/// Says why gRPC calls have no status, and what to do. `assets/page.js` has the same sentence.
pub const NO_GRPC_STATUS: &str = "gRPC without a status: Istio's switch in mesh config logs neither headers nor trailers; spec.mesh.wiring: TelemetryProvider does";

/// The calls of the last seconds: who called whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    /// The length of the window, in seconds.
    pub window_seconds: u64,
    /// Every party of an edge, sorted by id.
    pub nodes: Vec<TopologyNode>,
    /// One row for each edge, from one reporter.
    pub edges: Vec<Edge>,
}

impl Topology {
    /// Whether proxies logged gRPC calls without their status.
    pub fn lacks_grpc_status(&self) -> bool {
        let mut edges = self.edges.iter();
        edges.any(|edge| edge.protocol == "grpc" && edge.unknown_share > 0.0)
    }
}

/// A party of an edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologyNode {
    /// The node's id: `namespace/workload`, `service:namespace/name`, `outside:host` or `unknown`. A
    /// workload whose namespace holds a colon has `workload:` before it. No two nodes have the same id.
    pub id: String,
    /// The namespace. It is empty for a host outside the mesh, and `unknown` if none is known.
    pub namespace: String,
    /// The workload. It is `unknown` for a node that is no workload.
    pub workload: String,
    /// The name to show: of the workload or service, or the host.
    pub name: String,
    /// The kind of node: `workload`, `gateway`, `waypoint`, `service` (no workload of it
    /// is known), `outside` or `unknown`.
    pub kind: String,
}

/// An edge with its rates, shares and percentiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The caller's node id.
    pub source: String,
    /// The called party's node id.
    pub destination: String,
    /// The protocol: `http`, `grpc` or `tcp`.
    pub protocol: String,
    /// The proxy that reported the calls: `source`, `waypoint` or `destination`.
    pub reporter: String,
    /// Requests, or TCP connections that ended, per second.
    pub requests_per_second: f64,
    /// The share of failed calls among those with a known outcome, from 0 to 1. It is null
    /// if no outcome is known.
    pub error_share: Option<f64>,
    /// The share of client errors among the calls with a known outcome, from 0 to 1. It is null
    /// if no outcome is known.
    pub client_error_share: Option<f64>,
    /// The share of calls with an unknown outcome among all calls, from 0 to 1. These are gRPC calls whose
    /// status the proxy did not log.
    pub unknown_share: f64,
    /// The median duration in milliseconds. It is null for TCP, and if every request lasts
    /// as long as a connection.
    pub p50_milliseconds: Option<f64>,
    /// The 95th percentile of the duration in milliseconds; null as the median is.
    pub p95_milliseconds: Option<f64>,
    /// The 99th percentile of the duration in milliseconds; null as the median is.
    pub p99_milliseconds: Option<f64>,
}
