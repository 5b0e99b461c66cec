//! Gives what was found out to others: the published snapshot to what scrapes it, and kept entries, one by one, to exporters.
//!
//! An entry is encoded by the worker that keeps it, into the worker's own batch. Batches go through a bounded [`queue`] to the
//! exporter, which writes them; what does not fit is dropped and counted, and no worker waits.

pub mod json_lines;
pub mod prometheus;
pub mod queue;
