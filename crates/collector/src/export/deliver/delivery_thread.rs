//! The thread that empties an exporter's queue. It is a thread of its own because what it writes to may block.

use std::io;
use std::time::Duration;

use alscope_analysis::persistence::Batch;
use tokio::sync::oneshot;
use tracing::warn;

use super::queue::{Queue, QueueCounter, queue};

/// How long the last batches may take at the end.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// The thread of an exporter.
#[derive(Debug)]
pub struct DeliveryThread {
    exporter: &'static str,
    /// Closed when the thread ends.
    ended: oneshot::Receiver<()>,
    counted: QueueCounter,
}

impl DeliveryThread {
    /// Starts to give `deliver` every batch that is offered to the queue. An error of `deliver` drops its batch.
    pub fn start(
        exporter: &'static str,
        deliver: impl FnMut(&Batch) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(Queue, Self)> {
        let (queue, batches) = queue();
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

    /// Waits until all is delivered, once no end of the queue is left; at most for so long that the collector still ends.
    pub async fn end(self) {
        if tokio::time::timeout(END_DEADLINE, self.ended).await.is_err() {
            let (exporter, entries) = (self.exporter, self.counted.now().waiting);
            warn!(
                exporter,
                entries, "kept entries are lost, because nothing takes them"
            );
        }
    }
}
