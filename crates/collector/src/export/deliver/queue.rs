//! The queue of one exporter of kept entries. This always holds, and is tested: queued =
//! exported + dropped + waiting.

use std::sync::Arc;

use alscope_analysis::persistence::sink::Batch;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// How much may wait in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// The largest number of batches.
    pub batches: usize,
    /// The largest number of bytes; a batch that is alone in the queue may have more.
    pub bytes: usize,
}

/// The reasons for which kept entries were not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The exporter is slower than the entries come.
    QueueFull,
    /// The exporter could not write the entries.
    WriteFailed,
}

impl DropReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [DropReason; 2] = [DropReason::QueueFull, DropReason::WriteFailed];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue-full",
            DropReason::WriteFailed => "write-failed",
        }
    }
}

/// The fate of the entries that were offered to a queue, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// How many entries were offered.
    pub queued: u64,
    /// How many entries were written.
    pub exported: u64,
    /// How many entries still wait, or are being written.
    pub waiting: u64,
    dropped: [u64; DropReason::ALL.len()],
    waiting_bytes: usize,
}

impl QueueCounts {
    /// How many entries were dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
}

/// A handle to the counts of a queue.
#[derive(Clone, Debug, Default)]
pub struct QueueCounter(Arc<Mutex<QueueCounts>>);

impl QueueCounter {
    /// Returns the counts at this moment.
    pub fn now(&self) -> QueueCounts {
        *self.0.lock()
    }
}

/// The workers' end of a queue.
#[derive(Clone, Debug)]
pub struct Queue {
    batches: mpsc::Sender<Batch>,
    max_waiting_bytes: usize,
    counted: QueueCounter,
}

/// The exporter's end of a queue.
#[derive(Debug)]
pub struct Batches {
    batches: mpsc::Receiver<Batch>,
    counted: QueueCounter,
}

/// Creates the two ends of a new queue.
pub fn queue(bounds: QueueBounds) -> (Queue, Batches) {
    let (sender, receiver) = mpsc::channel(bounds.batches);
    let counted = QueueCounter::default();
    let queue = Queue {
        batches: sender,
        max_waiting_bytes: bounds.bytes,
        counted: counted.clone(),
    };
    let batches = Batches {
        batches: receiver,
        counted,
    };
    (queue, batches)
}

impl Queue {
    /// Puts a batch into the queue, or drops it if the queue is full. It never waits for the exporter.
    pub fn offer(&self, batch: Batch) {
        let (entries, bytes) = (batch.entries, batch.bytes.len());
        let mut counts = self.counted.0.lock();
        counts.queued += entries;
        let has_room = counts.waiting_bytes + bytes <= self.max_waiting_bytes || counts.waiting == 0;
        if has_room && self.batches.try_send(batch).is_ok() {
            counts.waiting += entries;
            counts.waiting_bytes += bytes;
        } else {
            counts.dropped[DropReason::QueueFull as usize] += entries;
        }
    }

    /// Returns a handle to the queue's counts.
    pub fn counted(&self) -> QueueCounter {
        self.counted.clone()
    }
}

impl Batches {
    /// Passes every batch to `deliver`, until the workers' end is gone.
    pub fn deliver(mut self, mut deliver: impl FnMut(&Batch) -> std::io::Result<()>) {
        while let Some(batch) = self.batches.blocking_recv() {
            let result = deliver(&batch);
            let mut counts = self.counted.0.lock();
            counts.waiting -= batch.entries;
            counts.waiting_bytes -= batch.bytes.len();
            match result {
                Ok(()) => counts.exported += batch.entries,
                Err(_) => counts.dropped[DropReason::WriteFailed as usize] += batch.entries,
            }
        }
    }
}

#[cfg(test)]
mod tests;
