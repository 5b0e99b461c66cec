//! The control task: each second it drains the workers' shards into the one total table and publishes a snapshot. Now and then it lets
//! go what is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alscope_analysis::aggregate::expiry::Expiry;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::shard::Shard;
use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::export::queue::Queue;

/// How often the shards are drained.
const PERIOD: Duration = Duration::from_secs(1);
/// Series that are drained before the worker gets its shard back.
const CHUNK: usize = 512;

/// Drains the shards of all workers.
#[derive(Debug)]
pub struct Control {
    shards: Vec<Arc<Mutex<Shard>>>,
    registry: Arc<Registry>,
    totals: Totals,
    expiry: Expiry,
    published: Arc<ArcSwap<Snapshot>>,
    kept: Option<Queue>,
}

impl Control {
    /// A control task for the `shards` of a registry, with the place where its snapshots appear. What is idle for `idle` is let go. What
    /// the shards kept goes to the queue `kept`.
    pub fn new(
        (registry, shards): (Arc<Registry>, Vec<Arc<Mutex<Shard>>>),
        idle: Duration,
        kept: Option<Queue>,
    ) -> (Self, Arc<ArcSwap<Snapshot>>) {
        let now = clock::now();
        let mut totals = Totals::new(now);
        let published = Arc::new(ArcSwap::from_pointee(totals.publish(now)));
        (
            Control {
                shards,
                registry,
                totals,
                expiry: Expiry::new(idle, now),
                published: published.clone(),
                kept,
            },
            published,
        )
    }

    /// Publishes each second until `stopping`, which is set when no entry can come any more; then a last time.
    pub async fn run(mut self, stopping: CancellationToken) {
        let mut ticks = interval(PERIOD);
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
        let pass = self.expiry.begin(&self.registry, clock::now());
        for shard in &self.shards {
            loop {
                let now = clock::now();
                let (more, batch) = {
                    let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                    (shard.drain_into(&mut self.totals, CHUNK, now), shard.take_kept(0))
                };
                if let (Some(kept), Some(batch)) = (&self.kept, batch) {
                    kept.offer(batch);
                }
                if !more {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if let Some(pass) = pass {
            pass.end(&mut self.totals, &self.registry);
        }
        self.published.store(Arc::new(self.totals.publish(clock::now())));
    }
}
