//! Who calls whom within a span: one row an edge, from one reporter.

use std::collections::BTreeMap;

use super::histogram::THOUSANDTHS;
use super::labels::Edge;
use super::window::{EdgeCounts, SKETCH, Span};
use crate::party::Reporter;

/// One row: an edge with its rates.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Who calls whom.
    pub edge: Edge,
    /// Requests, or TCP connections, a second.
    pub per_second: f64,
    /// Errors by requests whose outcome is known; `None` when none is.
    pub error_share: Option<f64>,
    /// Percentiles 50, 95 and 99 of the durations in milliseconds; `None` for TCP.
    pub percentiles: Option<[f64; 3]>,
}

/// The rows of a span. Source and destination may both report an edge: the source's row is taken, else the waypoint's, else
/// the destination's. They are never added up.
pub fn rows(span: &Span) -> Vec<Row> {
    let rank = |reporter| match reporter {
        Reporter::Source => 0,
        Reporter::Waypoint => 1,
        Reporter::Destination => 2,
    };
    let mut best: BTreeMap<_, (&Edge, &EdgeCounts)> = BTreeMap::new();
    for (edge, counts) in &span.edges {
        let key = (&edge.source, &edge.destination, edge.protocol);
        let known = best.get(&key).map(|(edge, _)| rank(edge.reporter));
        if known.is_none_or(|known| rank(edge.reporter) < known) {
            best.insert(key, (edge, counts));
        }
    }
    best.into_values()
        .map(|(edge, counts)| row(edge, counts, span.length.as_secs_f64()))
        .collect()
}

fn row(edge: &Edge, counts: &EdgeCounts, seconds: f64) -> Row {
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    Row {
        edge: edge.clone(),
        per_second: if seconds > 0.0 {
            counts.calls as f64 / seconds
        } else {
            0.0
        },
        error_share: (counts.judged > 0).then(|| share(counts.errors, counts.judged)),
        percentiles: percentiles(&counts.durations),
    }
}

fn percentiles(durations: &[u32; SKETCH]) -> Option<[f64; 3]> {
    let total: u64 = durations.iter().map(|count| u64::from(*count)).sum();
    (total > 0).then(|| [0.50, 0.95, 0.99].map(|quantile| percentile(durations, quantile * total as f64)))
}

/// The value at `rank`, spread evenly within its bucket as Prometheus' `histogram_quantile` does; the last bucket answers with
/// its lower bound.
fn percentile(durations: &[u32; SKETCH], rank: f64) -> f64 {
    let bound = |bucket: usize| {
        THOUSANDTHS
            .get(bucket)
            .map_or(0.0, |thousandths| *thousandths as f64 / 1000.0)
    };
    let mut below = 0.0;
    for (bucket, count) in durations.iter().enumerate() {
        let count = f64::from(*count);
        if count > 0.0 && below + count >= rank {
            let lower = if bucket == 0 { 0.0 } else { bound(bucket - 1) };
            let upper = if bucket == SKETCH - 1 {
                lower
            } else {
                bound(bucket)
            };
            return lower + (upper - lower) * ((rank - below) / count);
        }
        below += count;
    }
    bound(SKETCH - 2)
}

#[cfg(test)]
mod tests;
