//! The metrics of exporters: the fate of the entries that were offered to them.

use super::families::{ExpositionWriter, Metric, counter, gauge};
use crate::export::deliver::queue::{DropReason, QueueCounts};

const QUEUED: Metric = counter(
    "alscope_exporter_entries_queued_total",
    "Kept entries that were offered to an exporter's queue.",
);
const EXPORTED: Metric = counter(
    "alscope_exporter_entries_exported_total",
    "Kept entries that an exporter wrote.",
);
const WAITING: Metric = gauge(
    "alscope_exporter_entries_waiting",
    "Kept entries that still wait to be written.",
);
const DROPPED: Metric = counter(
    "alscope_exporter_entries_dropped_total",
    "Kept entries that were dropped and not written.",
);

/// Writes the counters of each exporter.
pub(super) fn exporters(writer: &mut ExpositionWriter, exporters: &[(&'static str, QueueCounts)]) {
    let mut labelled = |metric, value: fn(&QueueCounts) -> u64| {
        let values = exporters.iter().map(|(name, counts)| (*name, value(counts)));
        writer.labelled(metric, "exporter", values);
    };
    labelled(&QUEUED, |counts| counts.queued);
    labelled(&EXPORTED, |counts| counts.exported);
    labelled(&WAITING, |counts| counts.waiting);
    writer.header(&DROPPED);
    for (name, counts) in exporters {
        for reason in DropReason::ALL {
            let labels = format!("{{exporter=\"{name}\",reason=\"{}\"}}", reason.as_str());
            writer.sample(&DROPPED, &labels, counts.dropped(reason));
        }
    }
}
