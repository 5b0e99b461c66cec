//! Every exporter of kept entries that is configured. To add one: a module beside [`json_lines`] with how it encodes an entry and how it
//! delivers a batch, and its row in [`Exporters::start`].

use std::io;

use alscope_analysis::persistence::{Batch, Persistence};

use super::deliver::delivery_thread::DeliveryThread;
use super::deliver::queue::{Queue, QueueCounter, QueueCounts};
use super::json_lines;

/// An exporter that runs.
#[derive(Debug)]
struct Exporter {
    name: &'static str,
    queue: Queue,
    thread: DeliveryThread,
}

/// The exporters that run.
#[derive(Debug, Default)]
pub struct Exporters(Vec<Exporter>);

/// The workers' ends of the exporters' queues.
#[derive(Clone, Debug, Default)]
pub struct Queues(Vec<Queue>);

/// The counts of each exporter, for whoever shows them.
#[derive(Clone, Debug, Default)]
pub struct ExporterCounts(Vec<(&'static str, QueueCounter)>);

impl Exporters {
    /// Starts the exporters of what `persistence` keeps; none when nothing is kept.
    pub fn start(persistence: Option<&Persistence>) -> io::Result<Self> {
        if persistence.is_none() {
            return Ok(Self::default());
        }
        let deliver = json_lines::deliver(io::stdout());
        let (queue, thread) = DeliveryThread::start(json_lines::EXPORTER_NAME, deliver)?;
        Ok(Self(vec![Exporter {
            name: json_lines::EXPORTER_NAME,
            queue,
            thread,
        }]))
    }

    /// What workers offer their batches to. It must be dropped before the exporters can end.
    pub fn queues(&self) -> Queues {
        Queues(self.0.iter().map(|exporter| exporter.queue.clone()).collect())
    }

    /// What became of what was offered.
    pub fn counts(&self) -> ExporterCounts {
        let counted = |exporter: &Exporter| (exporter.name, exporter.queue.counted());
        ExporterCounts(self.0.iter().map(counted).collect())
    }

    /// Waits until all is delivered, once no other end of the queues is left.
    pub async fn end(self) {
        for Exporter { queue, thread, .. } in self.0 {
            drop(queue);
            thread.end().await;
        }
    }
}

impl Queues {
    /// Offers each batch to the exporter with its number. None of them makes a worker wait.
    pub fn offer(&self, batches: impl IntoIterator<Item = (usize, Batch)>) {
        for (number, batch) in batches {
            if let Some(queue) = self.0.get(number) {
                queue.offer(batch);
            }
        }
    }
}

impl ExporterCounts {
    /// The counts now, by the exporter's name.
    pub fn now(&self) -> Vec<(&'static str, QueueCounts)> {
        self.0
            .iter()
            .map(|(name, counted)| (*name, counted.now()))
            .collect()
    }
}
