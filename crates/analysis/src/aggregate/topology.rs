//! Makes the topology of a span of time: who calls whom. Each edge is one row, by one reporter.
//!
//! Source and destination may both report a call. The row is the source's, else the waypoint's, else the destination's. The counts
//! of two reporters are never added.
//!
//! A caller's proxy may know the called service but not the workload: nobody was reached, the call failed before its peer was
//! known, or the directory does not know who answered. The rows of one caller, protocol and service belong together. Rows to the
//! service alone are shown as follows:
//!
//! | if | calls to |
//! |---|---|
//! | nobody answered, and all reporters together name one workload of the service for this caller | that workload: one edge, with all that the caller saw |
//! | somebody answered, and reporters behind this one name one workload that it does not name itself | that workload: they saw the same calls |
//! | neither | the service: an edge of its own. Of several workloads none is guessed |
//!
//! Then workloads that only later reporters name have no row, because their calls are among those to the service. Calls of unknown
//! callers are shown as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::graph_node::{GraphNode, GraphNodeKind};
use super::histogram::{BUCKET_BOUNDS_THOUSANDTHS, EDGE_BUCKET_COUNT};
use super::labels::Edge;
use super::window::{EdgeCounts, WindowSpan};
use crate::reporter::Reporter;

/// A row of the topology: an edge with its rates.
#[derive(Clone, Debug, PartialEq)]
pub struct TopologyRow {
    /// The node that called.
    pub source: GraphNode,
    /// The node that was called.
    pub destination: GraphNode,
    /// Istio's `request_protocol`.
    pub protocol: &'static str,
    /// The proxy that reports the calls.
    pub reporter: Reporter,
    /// Requests or TCP connections per second.
    pub per_second: f64,
    /// The share of failed calls among those whose outcome is known; `None` when none is.
    pub error_share: Option<f64>,
    /// The share of client errors among the same calls.
    pub client_error_share: Option<f64>,
    /// The share of all calls whose outcome is not known.
    pub unknown_share: f64,
    /// Percentiles 50, 95 and 99 of the durations in milliseconds, without long-lived requests; `None` if there are no others, and
    /// for TCP.
    pub percentiles: Option<[f64; 3]>,
}

/// The rows of a span of time.
pub fn rows(span: &WindowSpan) -> Vec<TopologyRow> {
    let edges = || span.edges.iter().map(|(edge, _)| edge);
    let services = CalledServices::of(edges());
    let mut shown: BTreeMap<_, BTreeMap<ReporterRank, EdgeCounts>> = BTreeMap::new();
    for (edge, counts) in &span.edges {
        if let Some(destination) = services.destination(edge) {
            let reporters = shown
                .entry((&edge.source, destination, edge.protocol))
                .or_default();
            reporters.entry(rank(edge)).or_default().merge(counts);
        }
    }
    let seconds = span.length.as_secs_f64();
    shown
        .into_iter()
        .filter_map(|((source, destination, protocol), reporters)| {
            let (reporter, counts) = reporters.first_key_value()?;
            Some(row(source, destination, protocol, *reporter, counts, seconds))
        })
        .collect()
}

/// The services that the node with the id `source` called and whose calls are all shown as calls to the node `destination`.
pub fn shown_at<'a>(span: &'a WindowSpan, source: &str, destination: &str) -> Vec<&'a GraphNode> {
    let edges = || span.edges.iter().map(|(edge, _)| edge);
    let services = CalledServices::of(edges());
    let is_shown_there = |edge: &Edge| {
        let shown = services.destination(edge);
        shown.is_some_and(|shown| shown != &edge.service && shown.id() == destination)
    };
    let alone = || edges().filter(|edge| edge.destination == edge.service && edge.source.id() == source);
    let called: BTreeSet<&GraphNode> = alone().map(|edge| &edge.service).collect();
    called
        .into_iter()
        .filter(|service| alone().all(|edge| edge.service != **service || is_shown_there(edge)))
        .collect()
}

/// The precedence of reporters: the first one of an edge counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ReporterRank {
    Source,
    Waypoint,
    Destination,
}

fn rank(edge: &Edge) -> ReporterRank {
    match edge.reporter {
        Reporter::Source => ReporterRank::Source,
        Reporter::Waypoint => ReporterRank::Waypoint,
        Reporter::Destination => ReporterRank::Destination,
    }
}

impl ReporterRank {
    fn reporter(self) -> Reporter {
        match self {
            ReporterRank::Source => Reporter::Source,
            ReporterRank::Waypoint => Reporter::Waypoint,
            ReporterRank::Destination => Reporter::Destination,
        }
    }
}

/// A caller, a protocol and a called service.
type CalledService<'a> = (&'a GraphNode, &'static str, &'a GraphNode);

/// What all reporters know about a caller's calls to a service.
#[derive(Default)]
struct ServiceCalls<'a> {
    /// The workloads that any reporter names, with the first reporter of each.
    workloads: BTreeMap<&'a GraphNode, ReporterRank>,
    /// The first reporter that knows only the service.
    alone: Option<ReporterRank>,
    /// Whether a reporter that knows only the service saw an answer.
    has_answer: bool,
}

impl<'a> ServiceCalls<'a> {
    /// The only workload of the service; with `behind`, the only one of those that only later reporters name.
    fn only_workload(&self, behind: Option<ReporterRank>) -> Option<&'a GraphNode> {
        let is_asked = |rank: ReporterRank| behind.is_none_or(|behind| rank > behind);
        let mut asked = self.workloads.iter().filter(|(_, rank)| is_asked(**rank));
        match (asked.next(), asked.next()) {
            (Some((only, _)), None) => Some(only),
            _ => None,
        }
    }

    /// Whether the calls to a workload are already counted by a reporter that knows only the service, and are shown as calls to the
    /// service.
    fn are_counted_elsewhere(&self, workload: &GraphNode) -> bool {
        let (Some(alone), Some(rank)) = (self.alone, self.workloads.get(workload)) else {
            return false;
        };
        let is_named = self.only_workload(None).is_some()
            || self.has_answer && self.only_workload(Some(alone)).is_some();
        *rank > alone && !is_named
    }
}

/// The calls of each caller to each service.
struct CalledServices<'a>(BTreeMap<CalledService<'a>, ServiceCalls<'a>>);

impl<'a> CalledServices<'a> {
    fn of(edges: impl Iterator<Item = &'a Edge> + Clone) -> Self {
        let mut first: BTreeMap<CalledService<'a>, ReporterRank> = BTreeMap::new();
        for edge in edges.clone() {
            let known = first.entry(edge_key(edge)).or_insert(rank(edge));
            *known = rank(edge).min(*known);
        }
        let mut services: BTreeMap<CalledService<'a>, ServiceCalls<'a>> = BTreeMap::new();
        for edge in edges {
            let Some(called) = service_key(edge) else { continue };
            let calls = services.entry(called).or_default();
            if edge.destination == edge.service {
                let alone = calls.alone.get_or_insert(rank(edge));
                *alone = rank(edge).min(*alone);
                calls.has_answer |= edge.is_answered;
            } else if let Some(rank) = first.get(&edge_key(edge)) {
                calls.workloads.insert(&edge.destination, *rank);
            }
        }
        CalledServices(services)
    }

    /// The node to which the calls of an edge are shown; `None` if another reporter's row has them.
    fn destination(&self, edge: &'a Edge) -> Option<&'a GraphNode> {
        let Some(calls) = service_key(edge).and_then(|called| self.0.get(&called)) else {
            return Some(&edge.destination);
        };
        if edge.destination != edge.service {
            return (!calls.are_counted_elsewhere(&edge.destination)).then_some(&edge.destination);
        }
        let only = calls.only_workload(edge.is_answered.then(|| rank(edge)));
        Some(only.unwrap_or(&edge.destination))
    }
}

fn edge_key(edge: &Edge) -> CalledService<'_> {
    (&edge.source, edge.protocol, &edge.destination)
}

/// The key of the rows that belong together: those of a known caller to a known service.
fn service_key(edge: &Edge) -> Option<CalledService<'_>> {
    let are_known = edge.source.kind != GraphNodeKind::Unknown && edge.service.kind != GraphNodeKind::Unknown;
    are_known.then_some((&edge.source, edge.protocol, &edge.service))
}

fn row(
    source: &GraphNode,
    destination: &GraphNode,
    protocol: &'static str,
    rank: ReporterRank,
    counts: &EdgeCounts,
    seconds: f64,
) -> TopologyRow {
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let known = counts.calls.saturating_sub(counts.unknown);
    TopologyRow {
        source: source.clone(),
        destination: destination.clone(),
        protocol,
        reporter: rank.reporter(),
        per_second: if seconds > 0.0 {
            counts.calls as f64 / seconds
        } else {
            0.0
        },
        error_share: share(counts.failed, known),
        client_error_share: share(counts.client_errors, known),
        unknown_share: share(counts.unknown, counts.calls).unwrap_or(0.0),
        percentiles: percentiles(&counts.durations),
    }
}

fn percentiles(durations: &[u32; EDGE_BUCKET_COUNT]) -> Option<[f64; 3]> {
    let total: u64 = durations.iter().map(|count| u64::from(*count)).sum();
    (total > 0).then(|| [0.50, 0.95, 0.99].map(|quantile| percentile(durations, quantile * total as f64)))
}

/// The value at `rank`, interpolated within its bucket as in Prometheus' `histogram_quantile`. The last bucket yields its lower
/// bound.
fn percentile(durations: &[u32; EDGE_BUCKET_COUNT], rank: f64) -> f64 {
    let bound = |bucket: usize| {
        BUCKET_BOUNDS_THOUSANDTHS
            .get(bucket)
            .map_or(0.0, |thousandths| *thousandths as f64 / 1000.0)
    };
    let mut below = 0.0;
    for (bucket, count) in durations.iter().enumerate() {
        let count = f64::from(*count);
        if count > 0.0 && below + count >= rank {
            let lower = if bucket == 0 { 0.0 } else { bound(bucket - 1) };
            let upper = if bucket == EDGE_BUCKET_COUNT - 1 {
                lower
            } else {
                bound(bucket)
            };
            return lower + (upper - lower) * ((rank - below) / count);
        }
        below += count;
    }
    bound(EDGE_BUCKET_COUNT - 2)
}

#[cfg(test)]
mod tests;
