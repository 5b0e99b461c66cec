//! Makes the labels of a series as text: Istio's standard labels.

use std::sync::Arc;

use super::graph_node::GraphNode;
use crate::aggregate::call::{Call, PartyLabels};
use crate::analyze::outcome::Outcome;
use crate::analyze::outcome::{Verdict, is_answered};
use crate::analyze::response_flags;
use crate::interner::{Interner, Symbol};
use crate::reporter::Reporter;

/// Istio's standard labels, in the order of [`SeriesLabels::values`]. TCP metrics have all but `response_code` and
/// `grpc_response_status`.
pub const LABEL_NAMES: [&str; 25] = [
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_canonical_service",
    "source_canonical_revision",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_flags",
    "connection_security_policy",
    "response_code",
    "grpc_response_status",
];

/// How many of [`LABEL_NAMES`] a TCP metric has.
pub const TCP_LABEL_COUNT: usize = 23;

/// Who called whom by which protocol, as one reporter saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The node that called.
    pub source: GraphNode,
    /// The node that was called.
    pub destination: GraphNode,
    /// The called service, which relates the rows of a call whose workload is not known.
    pub service: GraphNode,
    /// Whether the called party is known or answered. If nobody answered, other reporters may know the workload.
    pub is_answered: bool,
    /// Istio's `request_protocol`.
    pub protocol: &'static str,
    /// The proxy that reports the calls.
    pub reporter: Reporter,
}

/// The labels of a series. They are made once.
#[derive(Clone, Debug)]
pub struct SeriesLabels {
    /// The values of [`LABEL_NAMES`], in their order.
    pub values: [Arc<str>; 25],
    /// The edge that the series is part of.
    pub edge: Edge,
    /// The verdict on its calls; unknown for the overflow series.
    pub verdict: Verdict,
}

/// Makes the labels of a series.
pub fn series_labels(call: &Call, outcome: Outcome, interner: &Interner) -> SeriesLabels {
    let text = |symbol: Symbol| interner.text(symbol);
    let [s0, s1, s2, s3, s4, s5, s6, s7] = party_values(&call.source, interner);
    let [d0, d1, d2, d3, d4, d5, d6, d7] = party_values(&call.destination, interner);
    let ends = call.kinds.ends(call);
    let edge = Edge {
        source: ends.source.text(interner),
        destination: ends.destination.text(interner),
        service: ends.service.text(interner),
        is_answered: ends.destination != ends.service || is_answered(outcome),
        protocol: outcome.protocol.as_str(),
        reporter: call.reporter,
    };
    let values = [
        call.reporter.as_str().into(),
        s0,
        s1,
        s2,
        s3,
        s4,
        s5,
        s6,
        s7,
        d0,
        d1,
        d2,
        d3,
        d4,
        d5,
        d6,
        d7,
        text(call.service),
        text(call.service_name),
        text(call.service_namespace),
        outcome.protocol.as_str().into(),
        response_flags::text(outcome.flags).into(),
        call.security.as_str().into(),
        outcome.code.to_string().into(),
        outcome.protocol.grpc_status_text().into(),
    ];
    SeriesLabels {
        values,
        edge,
        verdict: if *call == Call::OVERFLOW {
            Verdict::Unknown
        } else {
            Verdict::of(outcome)
        },
    }
}

/// Bytes of the label values of a call's series, without those of the outcome.
pub fn label_bytes(call: &Call, interner: &Interner) -> usize {
    call.symbols().map(|symbol| interner.text(symbol).len()).sum()
}

fn party_values(party: &PartyLabels, interner: &Interner) -> [Arc<str>; 8] {
    party.symbols().map(|symbol| interner.text(symbol))
}
