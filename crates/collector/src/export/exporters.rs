//! Every configured exporter of kept entries. To add one, write a module beside [`json_lines`] that encodes
//! an entry and delivers a batch, and add it to [`sinks`] and [`Exporters::start`].

use std::io;

use alscope_analysis::persistence::Persistence;
use alscope_analysis::persistence::reason::SamplingRules;
use alscope_analysis::persistence::sink::{Batch, EntrySink};

use super::deliver::delivery_thread::DeliveryThread;
use super::deliver::queue::{Queue, QueueCounter, QueueCounts};
use super::json_lines;

/// An exporter that runs, with its queue and its thread.
#[derive(Debug)]
struct Exporter {
    name: &'static str,
    queue: Queue,
    thread: DeliveryThread,
}

/// The exporters that run, in the order of their batches.
#[derive(Debug, Default)]
pub struct Exporters(Vec<Exporter>);

/// The workers' ends of the exporters' queues.
#[derive(Clone, Debug, Default)]
pub struct Queues(Vec<Queue>);

/// Handles to the counts of every exporter, by the exporter's name.
#[derive(Clone, Debug, Default)]
pub struct ExporterCounts(Vec<(&'static str, QueueCounter)>);

/// Returns the sink of each exporter, in the order in which [`Exporters::start`] has them: the batches of a
/// sink go to the exporter with its number.
pub fn sinks(rules: SamplingRules) -> Vec<EntrySink> {
    vec![EntrySink {
        rules,
        encode: json_lines::encode,
    }]
}

impl Exporters {
    /// Starts the exporters of the entries that `persistence` keeps. Without `persistence` there is none.
    pub fn start(persistence: Option<&Persistence>) -> io::Result<Self> {
        if persistence.is_none() {
            return Ok(Self::default());
        }
        let deliver = json_lines::deliver(io::stdout());
        let (queue, thread) =
            DeliveryThread::start(json_lines::EXPORTER_NAME, json_lines::QUEUE_BOUNDS, deliver)?;
        Ok(Self(vec![Exporter {
            name: json_lines::EXPORTER_NAME,
            queue,
            thread,
        }]))
    }

    /// Returns the workers' ends of the queues. They must be dropped before the exporters can end.
    pub fn queues(&self) -> Queues {
        Queues(self.0.iter().map(|exporter| exporter.queue.clone()).collect())
    }

    /// Returns handles to the exporters' counts.
    pub fn counts(&self) -> ExporterCounts {
        let counted = |exporter: &Exporter| (exporter.name, exporter.queue.counted());
        ExporterCounts(self.0.iter().map(counted).collect())
    }

    /// Waits until everything is delivered. All other ends of the queues must have been dropped.
    pub async fn end(self) {
        for Exporter { queue, thread, .. } in self.0 {
            drop(queue);
            thread.end().await;
        }
    }
}

impl Queues {
    /// Offers each batch to the exporter with its number. No exporter makes a worker wait.
    pub fn offer(&self, batches: impl IntoIterator<Item = (usize, Batch)>) {
        for (number, batch) in batches {
            if let Some(queue) = self.0.get(number) {
                queue.offer(batch);
            }
        }
    }
}

impl ExporterCounts {
    /// Returns the counts at this moment, by the exporter's name.
    pub fn now(&self) -> Vec<(&'static str, QueueCounts)> {
        self.0
            .iter()
            .map(|(name, counted)| (*name, counted.now()))
            .collect()
    }
}
