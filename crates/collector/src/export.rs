//! Gives what was found out to others: the published snapshot to what scrapes it, and kept entries, one by one, to the [`exporters`].
//!
//! An entry is encoded by the worker that keeps it, into the worker's own batch, out of the [`entry_fields`]. Batches are
//! [delivered](deliver) through a bounded queue of each exporter; what does not fit is dropped and counted, and no worker waits.

pub mod deliver;
pub mod entry_fields;
pub mod exporters;
pub mod json_lines;
pub mod metric_names;
pub mod prometheus;
