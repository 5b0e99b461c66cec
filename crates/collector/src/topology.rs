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
    /// `namespace/workload`, or `unknown`.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// The workload.
    pub workload: String,
    /// `workload` or `unknown`.
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
    /// From 0 to 1; null when no outcome is known.
    pub error_share: Option<f64>,
    /// Null for TCP.
    pub p50_milliseconds: Option<f64>,
    /// Null for TCP.
    pub p95_milliseconds: Option<f64>,
    /// Null for TCP.
    pub p99_milliseconds: Option<f64>,
}
