//! What the control task takes from a shard.

use super::Shard;
use crate::accounting::Accounting;
use crate::aggregate::totals::Totals;
use crate::moment::Moment;
use crate::persistence::Batch;

impl Shard {
    /// Hands what at most `limit` series of each family and pieces of evidence counted before this drain began over to `totals`, and the
    /// accounting. Answers whether more is left: then release the shard for a moment and call again.
    pub fn drain_into(&mut self, totals: &mut Totals, limit: usize, now: Moment) -> bool {
        self.begin_drain();
        totals.drain(&mut self.counts, &self.registry, limit, now)
    }

    /// Begins a drain of what was counted by now, if nothing is left of the one before. In a new epoch the shard also forgets all numbers
    /// that it has of the registry; see [`crate::aggregate::expiry`].
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

    /// What became of the entries since this was last called.
    pub fn take_accounting(&mut self) -> Accounting {
        std::mem::take(&mut self.counts.accounting)
    }

    /// The entries that were kept since this was last called, once they are at least `bytes`.
    pub fn take_kept(&mut self, bytes: usize) -> Option<Batch> {
        self.sampler.as_mut()?.take(bytes)
    }
}
