//! Writes kept entries as JSON lines to standard output, one object a line. `docs/json-lines.md` lists the
//! [fields](super::entry_fields). The collector's own log goes to standard error.

use std::io::{self, Write};

use alscope_analysis::persistence::kept_entry::KeptEntry;
use alscope_analysis::persistence::sink::Batch;
use serde::Serializer as _;
use tracing::error;

use super::deliver::queue::QueueBounds;
use super::entry_fields::FIELDS;

/// The exporter's name in the label `exporter`.
pub const EXPORTER_NAME: &str = "json-lines";

/// What may wait for standard output.
pub const QUEUE_BOUNDS: QueueBounds = QueueBounds {
    batches: 1024,
    bytes: 16 << 20,
};

/// The size in bytes at which a batch is handed over before the second is over.
pub const BATCH_BYTES: usize = 32 * 1024;

/// Appends the line of an entry to `batch`.
pub fn encode(entry: &KeptEntry<'_, '_>, batch: &mut Vec<u8>) {
    let values = FIELDS
        .iter()
        .filter_map(|field| Some((field.name, (field.value)(entry)?)));
    let written = serde_json::Serializer::new(&mut *batch).collect_map(values);
    debug_assert!(written.is_ok(), "text and numbers can't fail to be JSON");
    batch.push(b'\n');
}

/// Returns a function that writes batches to `output`. It logs only the first of several failures in a row.
pub fn deliver(mut output: impl Write) -> impl FnMut(&Batch) -> io::Result<()> {
    let mut has_failed = false;
    move |batch| {
        let written = output.write_all(&batch.bytes).and_then(|()| output.flush());
        if let Err(error) = &written
            && !has_failed
        {
            error!(
                %error,
                "cannot write kept entries to standard output, so they are dropped and counted; check what reads it"
            );
        }
        has_failed = written.is_err();
        written
    }
}

#[cfg(test)]
mod tests;
