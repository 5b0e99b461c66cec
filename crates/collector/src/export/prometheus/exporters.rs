//! What became of the entries that were offered to exporters.

use super::families::{Metric, counter, gauge, header, labelled};
use super::push;
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
pub(super) fn json_lines(text: &mut String, counts: &Counts) {
    for (metric, value) in [
        (&QUEUED, counts.queued),
        (&EXPORTED, counts.exported),
        (&WAITING, counts.waiting),
    ] {
        labelled(text, metric, "exporter", [(NAME, value)].into_iter());
    }
    header(text, &DROPPED);
    for reason in Dropped::ALL {
        let (name, reason, dropped) = (DROPPED.name, reason.word(), counts.dropped(reason));
        push(
            text,
            format_args!("{name}{{exporter=\"{NAME}\",reason=\"{reason}\"}} {dropped}\n"),
        );
    }
}
