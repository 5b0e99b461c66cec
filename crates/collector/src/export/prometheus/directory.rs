//! The metrics of the directory's freshness.

use super::families::{ExpositionWriter, Metric, counter, gauge};
use crate::directory::freshness::KindFreshness;

const AGE: Metric = gauge(
    "alscope_directory_age_seconds",
    "Seconds since the directory's source last reported on a kind of object.",
);
const FAILURES: Metric = counter(
    "alscope_directory_failures_total",
    "Failed lists and watches of a kind of object, or failed reads of the directory file.",
);
const SKIPPED: Metric = counter(
    "alscope_directory_objects_skipped_total",
    "Objects that could not be decoded.",
);

/// A metric, and the function that reads its value from a kind's freshness.
type FreshnessMetric = (Metric, fn(&KindFreshness) -> u64);

const PARTS: [FreshnessMetric; 3] = [
    (AGE, |kind| kind.age.as_secs()),
    (FAILURES, |kind| kind.failures),
    (SKIPPED, |kind| kind.skipped),
];

/// Writes the metrics of the directory's kinds. There are none with `directory: { none: {} }`.
pub(super) fn directory(writer: &mut ExpositionWriter, kinds: &[KindFreshness]) {
    if kinds.is_empty() {
        return;
    }
    for (metric, value) in PARTS {
        let values = kinds.iter().map(|kind| (kind.kind.as_str(), value(kind)));
        writer.labelled(&metric, "kind", values);
    }
}
