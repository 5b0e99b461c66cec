//! What became of the entries that were offered to exporters.

use super::families::{Metric, Writer, counter, gauge};
use crate::export::json_lines::NAME;
use crate::export::queue::{Counts, Dropped};

const QUEUED: Metric = counter(
    "alscope_exporter_entries_queued_total",
    "Kept entries that were offered to an exporter's queue.",
);
const EXPORTED: Metric = counter(
    "alscope_exporter_entries_exported_total",
    "Kept entries that were written.",
);
const WAITING: Metric = gauge(
    "alscope_exporter_entries_waiting",
    "Kept entries that still wait to be written.",
);
const DROPPED: Metric = counter(
    "alscope_exporter_entries_dropped_total",
    "Kept entries that were not written.",
);

/// The counters of the exporter of JSON lines.
pub(super) fn json_lines(writer: &mut Writer, counts: &Counts) {
    for (metric, value) in [
        (&QUEUED, counts.queued),
        (&EXPORTED, counts.exported),
        (&WAITING, counts.waiting),
    ] {
        writer.labelled(metric, "exporter", [(NAME, value)].into_iter());
    }
    writer.header(&DROPPED);
    for reason in Dropped::ALL {
        let labels = format!("{{exporter=\"{NAME}\",reason=\"{}\"}}", reason.as_str());
        writer.sample(&DROPPED, &labels, counts.dropped(reason));
    }
}
