//! The JSON of `GET /api/v1/why`. The module `web` serves it; the command `why` and the page read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The rules that found the parties of one edge's calls, or of all calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The caller's node id; null for all edges.
    pub source: Option<String>,
    /// The called party's node id; null for all edges.
    pub destination: Option<String>,
    /// The time since which the observations are counted, in RFC 3339. An edge that was idle for long
    /// is forgotten and counts anew.
    pub since: String,
    /// How many observations the edge has, of every reporter and protocol.
    pub observations: u64,
    /// One row for each rule, sorted by reporter, then by party, then by the number
    /// of observations, the highest first.
    pub evidence: Vec<Evidence>,
    /// How many observations of any edge are not told apart because a bound was reached.
    pub overflowed: u64,
    /// How many observations belong to edges that were forgotten.
    #[serde(default)]
    pub expired: u64,
    /// The fate of all entries. It is null for one edge, because an entry without an
    /// observation belongs to no edge.
    pub entries: Option<Entries>,
}

/// A rule that found one party of the calls, or that left it unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The proxy that logged the calls: `source`, `waypoint` or `destination`.
    pub reporter: String,
    /// The party that the rule is about: `source` or `destination`.
    pub party: String,
    /// The analyzer of the rule: `k8s-mesh` or `mx-mesh`.
    pub analyzer: String,
    /// The rule's id, as in crates/analysis/tests/rules.txt.
    pub rule: String,
    /// The reason why the party is unknown; null if it was found.
    pub unattributed: Option<String>,
    /// How many observations this rule decided.
    pub observations: u64,
    /// The rule's share of the reporter's observations, from 0 to 1.
    pub share: f64,
    /// One of the entries, without secrets. It is null if none was kept.
    pub example: Option<Example>,
}

/// An entry without secrets. A field that the entry does not have is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// The start of the call, in RFC 3339.
    pub start_time: String,
    /// The node id of the proxy that logged the entry.
    pub proxy: Option<String>,
    /// The request's method; null for TCP.
    pub method: Option<String>,
    /// The request's host (`authority`); null for TCP.
    pub authority: Option<String>,
    /// The request's path, without the values of its query; null for TCP.
    pub path: Option<String>,
    /// The response's code; null for TCP, and 0 if there was no response.
    pub response_code: Option<u32>,
    /// Envoy's short codes of the response flags, or `-` if there are none.
    pub response_flags: Option<String>,
    /// The name of Envoy's upstream cluster, which names the called service.
    pub upstream_cluster: Option<String>,
    /// The name of Envoy's route.
    pub route_name: Option<String>,
    /// The address that the connection came from.
    pub downstream_direct_remote_address: Option<String>,
    /// The address that the request came from. Envoy may derive it from a header, such as X-Forwarded-For.
    pub downstream_remote_address: Option<String>,
    /// The address at which the request arrived.
    pub downstream_local_address: Option<String>,
    /// The address that the proxy sent the request to.
    pub upstream_remote_address: Option<String>,
    /// The downstream peer's metadata, if an analyzer reads peers.
    pub downstream_peer: Option<String>,
    /// The upstream peer's metadata, if an analyzer reads peers.
    pub upstream_peer: Option<String>,
}

/// The fate of all entries since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entries {
    /// How many entries were taken from messages.
    pub received: u64,
    /// How many entries have at least one observation.
    pub observed: u64,
    /// How many entries could not be read, for each reason.
    pub rejected: BTreeMap<String, u64>,
    /// How many entries were no finished call or had no analyzer, for each reason.
    pub skipped: BTreeMap<String, u64>,
}
