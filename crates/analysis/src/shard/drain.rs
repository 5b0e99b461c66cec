//! Hands the counts of a shard to the control task.

use super::Shard;
use crate::accounting::Accounting;
use crate::aggregate::totals::Totals;
use crate::moment::Moment;
use crate::persistence::sink::Batch;

impl Shard {
    /// Moves the counts of the shard into `totals`: the accounting, and of the current drain at most `limit` series of each family
    /// and pieces of evidence. Returns whether more are left. Then release the shard for a moment and call again.
    pub fn drain_into(&mut self, totals: &mut Totals, limit: usize, now: Moment) -> bool {
        self.begin_drain();
        totals.drain(&mut self.counts, &self.registry, limit, now)
    }

    /// Begins a drain of what was counted until now, if nothing is left of the previous one. In a new epoch the shard also forgets
    /// all ids of the registry; see [`crate::aggregate::expiry`].
    pub fn begin_drain(&mut self) {
        if !self.counts.is_drained() {
            return;
        }
        let epoch = self.registry.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.identity_cache.clear();
            self.counts.forget_ids();
            if let Some(sampler) = &mut self.sampler {
                sampler.forget();
            }
        }
        self.counts.begin_drain();
    }

    /// Takes the accounting since the last call.
    pub fn take_accounting(&mut self) -> Accounting {
        std::mem::take(&mut self.counts.accounting)
    }

    /// Takes the batches of kept entries that have at least `bytes`, each with the number of its sink.
    pub fn take_batches(&mut self, bytes: usize) -> Vec<(usize, Batch)> {
        let sampler = self.sampler.as_mut();
        sampler.map_or_else(Vec::new, |sampler| sampler.take(bytes))
    }
}
