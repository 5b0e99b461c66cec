//! `GET /api/v1/topology` as JSON: what the web room serves, and what `top` and the page read.

use serde::{Deserialize, Serialize};

/// Who called whom within the last seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    /// The window that was asked for.
    pub window_seconds: u64,
    /// Every party of an edge, by id.
    pub nodes: Vec<TopologyNode>,
    /// One row an edge, from one reporter.
    pub edges: Vec<Edge>,
}

/// A party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologyNode {
    /// `namespace/workload`, `service:namespace/name`, `outside:host` or `unknown`; a workload in whose namespace is a colon has
    /// `workload:` before it. No two nodes have one id.
    pub id: String,
    /// The namespace; empty for a host outside, `unknown` where none is known.
    pub namespace: String,
    /// The workload; `unknown` for all that is none.
    pub workload: String,
    /// The name of the workload or service, or the host.
    pub name: String,
    /// `workload`, `gateway`, `waypoint`, `service` (no workload of it is known), `outside` or `unknown`.
    pub kind: String,
}

/// An edge with its rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The caller's node id.
    pub source: String,
    /// The called party's node id.
    pub destination: String,
    /// `http`, `grpc` or `tcp`.
    pub protocol: String,
    /// `source`, `waypoint` or `destination`.
    pub reporter: String,
    /// Requests, or TCP connections that ended, a second.
    pub requests_per_second: f64,
    /// Failed calls by those whose outcome is known, from 0 to 1; null when none is.
    pub error_share: Option<f64>,
    /// Client errors by the same.
    pub client_error_share: Option<f64>,
    /// Calls whose outcome is not known, by all: gRPC whose status the proxy did not log.
    pub unknown_share: f64,
    /// Null for TCP, and where every request lasts as long as a connection.
    pub p50_milliseconds: Option<f64>,
    /// Null for TCP.
    pub p95_milliseconds: Option<f64>,
    /// Null for TCP.
    pub p99_milliseconds: Option<f64>,
}
