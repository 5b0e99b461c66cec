//! The thread that empties an exporter's queue. It is a thread and not a task, because writing
//! to the output may block.

use std::io;
use std::time::Duration;

use alscope_analysis::persistence::sink::Batch;
use tokio::sync::oneshot;
use tracing::warn;

use super::queue::{Queue, QueueBounds, QueueCounter, queue};

/// How long the last batches may take when the collector ends.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// The thread that delivers an exporter's batches.
#[derive(Debug)]
pub struct DeliveryThread {
    exporter: &'static str,
    /// Closes when the thread ends.
    ended: oneshot::Receiver<()>,
    counted: QueueCounter,
}

impl DeliveryThread {
    /// Starts a thread that passes every batch of the queue to `deliver`. A batch that
    /// `deliver` fails on is dropped.
    pub fn start(
        exporter: &'static str,
        bounds: QueueBounds,
        deliver: impl FnMut(&Batch) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(Queue, Self)> {
        let (queue, batches) = queue(bounds);
        let (ending, ended) = oneshot::channel::<()>();
        let counted = queue.counted();
        std::thread::Builder::new()
            .name(exporter.to_owned())
            .spawn(move || {
                batches.deliver(deliver);
                drop(ending);
            })?;
        let thread = Self {
            exporter,
            ended,
            counted,
        };
        Ok((queue, thread))
    }

    /// Waits until everything is delivered, for at most five seconds. Every other end of the
    /// queue must have been dropped.
    pub async fn end(self) {
        if tokio::time::timeout(END_DEADLINE, self.ended).await.is_err() {
            let (exporter, entries) = (self.exporter, self.counted.now().waiting);
            warn!(
                exporter,
                entries,
                "kept entries are lost because the output does not take them in time; check what reads it"
            );
        }
    }
}
