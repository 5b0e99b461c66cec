//! How fresh the directory is.

use super::families::{ExpositionWriter, Metric, counter, gauge};
use crate::directory::freshness::KindFreshness;

const AGE: Metric = gauge(
    "alscope_directory_age_seconds",
    "Seconds since the directory's source last had word of a kind of objects.",
);
const FAILURES: Metric = counter(
    "alscope_directory_failures_total",
    "Failed lists and watches of a kind of objects, or failed readings of the directory file.",
);
const SKIPPED: Metric = counter(
    "alscope_directory_objects_skipped_total",
    "Objects that came and could not be decoded.",
);

/// A metric and what a kind shows of it.
type FreshnessMetric = (Metric, fn(&KindFreshness) -> u64);

const PARTS: [FreshnessMetric; 3] = [
    (AGE, |kind| kind.age.as_secs()),
    (FAILURES, |kind| kind.failures),
    (SKIPPED, |kind| kind.skipped),
];

/// The metrics of the directory's kinds. With `directory: { none: {} }` there are none.
pub(super) fn directory(writer: &mut ExpositionWriter, kinds: &[KindFreshness]) {
    if kinds.is_empty() {
        return;
    }
    for (metric, value) in PARTS {
        let values = kinds.iter().map(|kind| (kind.kind.as_str(), value(kind)));
        writer.labelled(&metric, "kind", values);
    }
}
