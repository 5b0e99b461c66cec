//! Kept entries as JSON lines on standard output, one object a line; `docs/json-lines.md` has the [`keys`]. The program's own
//! log goes to standard error.
//!
//! A thread of its own writes, because a full pipe blocks.

pub mod keys;

use std::io::Write;
use std::time::Duration;

use alscope_analysis::persistence::kept_entry::KeptEntry;
use serde::Serializer as _;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::queue::{Batches, Counted, Queue, queue};
use keys::KEYS;

/// The exporter's name in the label `exporter`.
pub const NAME: &str = "json-lines";

/// Bytes of a batch that is worth to be handed over before the second is over.
pub const BATCH_BYTES: usize = 32 * 1024;

/// How long the last lines may take to be written at the end.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// Writes the line of an entry.
pub fn encode(entry: &KeptEntry<'_, '_>, batch: &mut Vec<u8>) {
    let values = KEYS
        .iter()
        .filter_map(|key| Some((key.name, (key.value)(entry)?)));
    let written = serde_json::Serializer::new(&mut *batch).collect_map(values);
    debug_assert!(written.is_ok(), "text and numbers can't fail to be JSON");
    batch.push(b'\n');
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    /// Closed when the thread ends.
    ended: oneshot::Receiver<()>,
    counted: Counted,
}

impl Writer {
    /// Starts to write what is offered to the queue.
    pub fn start(output: impl Write + Send + 'static) -> std::io::Result<(Queue, Writer)> {
        let (queue, batches) = queue();
        let (ending, ended) = oneshot::channel::<()>();
        let counted = queue.counted();
        std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
            write(batches, output);
            drop(ending);
        })?;
        Ok((queue, Writer { ended, counted }))
    }

    /// Waits until all is written, once no end of the queue is left; at most for so long that the collector still ends.
    pub async fn end(self) {
        if tokio::time::timeout(END_DEADLINE, self.ended).await.is_err() {
            let entries = self.counted.now().waiting;
            warn!(entries, "standard output takes nothing: kept entries are lost");
        }
    }
}

fn write(batches: Batches, mut output: impl Write) {
    let mut has_failed = false;
    batches.export(|batch| {
        let written = output.write_all(&batch.bytes).and_then(|()| output.flush());
        if let Err(error) = &written
            && !has_failed
        {
            error!(%error, "kept entries can't be written to standard output; they are dropped and counted");
        }
        has_failed = written.is_err();
        written
    });
}

#[cfg(test)]
mod tests;
