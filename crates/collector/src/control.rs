//! The control task. Each second it drains the workers' shards into one table of totals and publishes a
//! snapshot. Now and then it removes idle series.

use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::aggregate::expiry::Expiry;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::shard::Shard;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::export::exporters::Queues;

/// The time between two drains of the shards.
const DRAIN_INTERVAL: Duration = Duration::from_secs(1);
/// How many series are drained at a time, before the worker gets its shard back.
const MAX_SERIES_PER_LOCK: usize = 512;

/// Drains the shards of all workers, and publishes snapshots.
#[derive(Debug)]
pub struct Control {
    shards: Vec<Arc<Mutex<Shard>>>,
    registry: Arc<Registry>,
    totals: Totals,
    expiry: Expiry,
    published: watch::Sender<Arc<Snapshot>>,
    exporters: Queues,
}

impl Control {
    /// Creates the control task for the `shards` of a registry, and the channel on which its snapshots
    /// appear. A reader may take the latest one, or wait for each. Series without a call for `idle` are
    /// removed. Kept entries that wait in the shards go to the queues of `exporters`.
    pub fn new(
        registry: Arc<Registry>,
        shards: Vec<Arc<Mutex<Shard>>>,
        idle: Duration,
        exporters: Queues,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let now = clock::now();
        let mut totals = Totals::new(now);
        let (published, snapshots) = watch::channel(Arc::new(totals.publish(now)));
        (
            Control {
                shards,
                registry,
                totals,
                expiry: Expiry::new(idle, now),
                published,
                exporters,
            },
            snapshots,
        )
    }

    /// Publishes a snapshot each second until `stopping`, and a last one after that. `stopping` must be
    /// cancelled only when no more entries can come.
    pub async fn run(mut self, stopping: CancellationToken) {
        let mut ticks = interval(DRAIN_INTERVAL);
        // A late drain takes what has gathered; a burst of drains after it would find nothing.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                _ = ticks.tick() => self.publish().await,
            }
        }
        self.publish().await;
    }

    async fn publish(&mut self) {
        // The pass begins before the drains, so that it sees which series every shard still uses.
        let pass = self.expiry.begin(&self.registry, clock::now());
        for shard in &self.shards {
            loop {
                let now = clock::now();
                // The lock is held for a part of the series only, because the worker waits for it meanwhile.
                let (more, batches) = {
                    let mut shard = shard.lock();
                    (
                        shard.drain_into(&mut self.totals, MAX_SERIES_PER_LOCK, now),
                        shard.take_batches(0),
                    )
                };
                self.exporters.offer(batches);
                if !more {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if let Some(pass) = pass {
            pass.end(&mut self.totals, &self.registry);
        }
        self.published
            .send_replace(Arc::new(self.totals.publish(clock::now())));
    }
}
