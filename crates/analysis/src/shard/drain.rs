//! What the control task takes from a shard.

use super::Shard;
use crate::accounting::Accounting;
use crate::persistence::Batch;

impl Shard {
    /// Begins a drain of what was counted by now, if nothing is left of the one before. In a new epoch the shard also forgets all numbers
    /// that it has of the registry; see [`crate::aggregate::expiry`].
    pub fn begin_drain(&mut self) {
        if !(self.http.is_drained() && self.tcp.is_drained() && self.evidence.is_drained()) {
            return;
        }
        let epoch = self.registry.epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.identity_cache.clear();
            self.http.forget();
            self.tcp.forget();
            if let Some(sampler) = &mut self.sampler {
                sampler.forget();
            }
        }
        self.http.begin_drain();
        self.tcp.begin_drain();
        self.evidence.begin_drain();
    }

    /// What became of the entries since this was last called.
    pub fn take_accounting(&mut self) -> Accounting {
        std::mem::take(&mut self.accounting)
    }

    /// The entries that were kept since this was last called, once they are at least `bytes`.
    pub fn take_kept(&mut self, bytes: usize) -> Option<Batch> {
        self.sampler.as_mut()?.take(bytes)
    }
}
