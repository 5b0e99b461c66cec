//! `GET /api/v1/why` as JSON: what the web room serves, and what `why` and the page read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which rules found the parties of an edge's calls, or of all calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The caller's node id; null of all edges.
    pub source: Option<String>,
    /// The called party's node id; null of all edges.
    pub destination: Option<String>,
    /// Since when the observations are counted, RFC 3339: an edge that was idle for long is forgotten and counts anew.
    pub since: String,
    /// Observations of the edge, by every reporter and protocol.
    pub observations: u64,
    /// By reporter, then by party, the most observations first.
    pub evidence: Vec<Evidence>,
    /// Observations of any edge that are not told apart, because a bound was reached.
    pub overflowed: u64,
    /// Observations of edges that were forgotten.
    #[serde(default)]
    pub expired: u64,
    /// What became of all entries; null of one edge, because an entry that came to nothing is of none.
    pub entries: Option<Entries>,
}

/// One rule that found one party of the calls, or left it unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// `source`, `waypoint` or `destination`: which proxy logged the calls.
    pub reporter: String,
    /// `source` or `destination`: whom the rule is about.
    pub party: String,
    /// `k8s-mesh` or `mx-mesh`.
    pub analyzer: String,
    /// The rule's id.
    pub rule: String,
    /// Why the party is unknown; null when it was found.
    pub unattributed: Option<String>,
    /// Observations whose party this rule decided.
    pub observations: u64,
    /// Of the observations of this reporter, from 0 to 1.
    pub share: f64,
    /// One of them, without secrets.
    pub example: Option<Example>,
}

/// An entry without secrets. What it does not say is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// When the call started, RFC 3339.
    pub start_time: String,
    /// The node id of the proxy that logged it.
    pub proxy: Option<String>,
    /// Null of TCP.
    pub method: Option<String>,
    /// The request's host.
    pub authority: Option<String>,
    /// The request's path, without the values of its query.
    pub path: Option<String>,
    /// Null of TCP; 0 when there was no response.
    pub response_code: Option<u32>,
    /// Envoy's short codes, `-` if none.
    pub response_flags: Option<String>,
    /// Envoy's cluster, which names the called service.
    pub upstream_cluster: Option<String>,
    /// Envoy's route.
    pub route_name: Option<String>,
    /// Who the connection is from.
    pub downstream_direct_remote_address: Option<String>,
    /// Who the request is from, which may be by a header.
    pub downstream_remote_address: Option<String>,
    /// Where the request arrived.
    pub downstream_local_address: Option<String>,
    /// Where the proxy sent it.
    pub upstream_remote_address: Option<String>,
    /// The downstream's peer, where an analyzer reads peers.
    pub downstream_peer: Option<String>,
    /// The upstream's peer, where an analyzer reads peers.
    pub upstream_peer: Option<String>,
}

/// What became of all entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entries {
    /// Entries taken from messages.
    pub received: u64,
    /// Entries with an observation.
    pub observed: u64,
    /// Entries that could not be read, by every reason.
    pub rejected: BTreeMap<String, u64>,
    /// Entries that are no finished call, by every reason.
    pub skipped: BTreeMap<String, u64>,
}
