//! Exports the results: the published snapshot for scrapers, and single
//! kept entries through the [`exporters`].
//!
//! The worker that keeps an entry encodes its [`entry_fields`] into the worker's own batch. Each exporter
//! has a bounded queue from which batches are [delivered](deliver). A batch that does not fit is dropped
//! and counted, and no worker waits.

pub mod deliver;
pub mod entry_fields;
pub mod exporters;
pub mod json_lines;
pub mod metric_names;
pub mod prometheus;
