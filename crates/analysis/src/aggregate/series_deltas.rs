//! The series that one worker counted since it was last drained.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::ids::SeriesId;
use super::series::{Counts, SeriesKey};

/// The counters of one worker by series id, and the ids of the keys that it has met.
#[derive(Debug)]
pub struct SeriesDeltas<C: Counts> {
    ids: HashTable<(SeriesKey, SeriesId)>,
    by_id: Vec<C::Delta>,
    /// The series with counts that the current drain does not bring.
    touched: Vec<SeriesId>,
    /// Counts that were moved out of full deltas.
    full: Vec<(SeriesId, C)>,
    /// The series that the current drain still has to bring.
    draining: Vec<SeriesId>,
    /// The counts of full deltas that the current drain still has to bring.
    draining_full: Vec<(SeriesId, C)>,
    /// Hashes are seeded, because clients influence codes and flags.
    state: RandomState,
}

impl<C: Counts> Default for SeriesDeltas<C> {
    fn default() -> Self {
        SeriesDeltas {
            ids: HashTable::new(),
            by_id: Vec::new(),
            touched: Vec::new(),
            full: Vec::new(),
            draining: Vec::new(),
            draining_full: Vec::new(),
            state: RandomState::default(),
        }
    }
}

impl<C: Counts> SeriesDeltas<C> {
    /// Counts an observation. `register` gives the id of a key that this worker has not met.
    #[inline]
    pub fn add(
        &mut self,
        key: SeriesKey,
        measure: &C::Measure,
        register: impl FnOnce(SeriesKey) -> SeriesId,
    ) -> SeriesId {
        let hash = hash(&self.state, &key);
        let id = match self.ids.find(hash, |(known, _)| *known == key) {
            Some((_, id)) => *id,
            None => self.remember(hash, key, register(key)),
        };
        if let Some(delta) = self.by_id.get_mut(id.slot()) {
            if C::is_empty(delta) {
                self.touched.push(id);
            } else if C::is_full(delta) {
                self.full.push((id, C::of(&std::mem::take(delta))));
            }
            C::count(delta, measure);
        }
        id
    }

    /// The counters of a series that [`SeriesDeltas::add`] has counted an observation in.
    pub fn get_mut(&mut self, id: SeriesId) -> Option<&mut C::Delta> {
        self.by_id.get_mut(id.slot())
    }

    /// Remembers the id of a key, unless it is the overflow's: so memory stays bounded, however many keys there are.
    #[cold]
    fn remember(&mut self, hash_of_key: u64, key: SeriesKey, id: SeriesId) -> SeriesId {
        if self.by_id.len() <= id.slot() {
            self.by_id.resize_with(id.slot() + 1, C::Delta::default);
        }
        if id != SeriesId::OVERFLOW {
            let state = &self.state;
            self.ids
                .insert_unique(hash_of_key, (key, id), |(key, _)| hash(state, key));
        }
        id
    }

    /// Whether nothing is left of the drain that began last.
    pub fn is_drained(&self) -> bool {
        self.draining.is_empty() && self.draining_full.is_empty()
    }

    /// Begins a drain of what was counted until now, after the previous one has ended. What is counted later waits for the next
    /// drain, so that a drain ends however fast its worker counts.
    pub fn begin_drain(&mut self) {
        std::mem::swap(&mut self.touched, &mut self.draining);
        std::mem::swap(&mut self.full, &mut self.draining_full);
        // The worker will touch about as many series again, and should not wait for an allocation then.
        self.touched.reserve(self.draining.len());
    }

    /// Hands the counts of at most `limit` series to `take` and resets them. Returns whether more are left.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(SeriesId, &C)) -> bool {
        for _ in 0..limit {
            if let Some((id, counts)) = self.draining_full.pop() {
                take(id, &counts);
            } else if let Some(id) = self.draining.pop() {
                if let Some(delta) = self.by_id.get_mut(id.slot()) {
                    take(id, &C::of(&std::mem::take(delta)));
                }
            } else {
                return false;
            }
        }
        !self.is_drained()
    }

    /// Forgets the ids of all keys, so that the registry is asked again. The counts stay.
    pub fn forget_ids(&mut self) {
        self.ids.clear();
    }
}

fn hash(state: &RandomState, key: &SeriesKey) -> u64 {
    state.hash_one(key)
}

#[cfg(test)]
mod tests {
    use als_proto::ResponseFlags;

    use super::*;
    use crate::aggregate::ids::CallId;
    use crate::analyze::outcome::Outcome;
    use crate::analyze::protocol::Protocol;

    /// Entries, of which a delta holds two.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct InPairs(u64);

    impl Counts for InPairs {
        type Measure = ();
        type Delta = u8;

        const SAMPLES_PER_SERIES: usize = 1;

        fn outcome((): &()) -> Outcome {
            Outcome {
                protocol: Protocol::Http,
                code: 200,
                flags: ResponseFlags::default(),
            }
        }

        fn count(delta: &mut u8, (): &()) {
            *delta += 1;
        }

        fn is_empty(delta: &u8) -> bool {
            *delta == 0
        }

        fn is_full(delta: &u8) -> bool {
            *delta == 2
        }

        fn of(delta: &u8) -> Self {
            InPairs((*delta).into())
        }

        fn merge(&mut self, other: &Self) {
            self.0 += other.0;
        }
    }

    #[test]
    fn a_full_delta_loses_nothing() {
        let mut deltas = SeriesDeltas::<InPairs>::default();
        let key = SeriesKey {
            call: CallId::OVERFLOW,
            outcome: InPairs::outcome(&()),
        };
        for _ in 0..5 {
            deltas.add(key, &(), |_| SeriesId::OVERFLOW);
        }
        deltas.begin_drain();
        let mut taken = Vec::new();
        let mut calls = 1;
        while deltas.drain(1, |id, counts| taken.push((id, counts.0))) {
            calls += 1;
        }
        assert_eq!(taken, [2, 2, 1].map(|count| (SeriesId::OVERFLOW, count)));
        assert_eq!(calls, 3);
    }

    /// The key of a call's series, by the response's code.
    fn key(code: u32) -> SeriesKey {
        SeriesKey {
            call: CallId::OVERFLOW,
            outcome: Outcome {
                code,
                ..InPairs::outcome(&())
            },
        }
    }

    #[test]
    fn a_drain_ends_although_its_worker_goes_on_counting() {
        let ids: Vec<SeriesId> = (0..4).map(SeriesId::at).collect();
        let mut deltas = SeriesDeltas::<InPairs>::default();
        let count = |deltas: &mut SeriesDeltas<InPairs>, code: u32| {
            deltas.add(key(code), &(), |_| ids[code as usize]);
        };
        (1..4).for_each(|code| count(&mut deltas, code));
        deltas.begin_drain();
        let (mut taken, mut turns) = (Vec::new(), 0);
        while deltas.drain(1, |id, counts| taken.push((id.slot(), counts.0))) {
            // Twice as many as are drained.
            (1..3).for_each(|code| count(&mut deltas, code));
            turns += 1;
            assert!(turns < 4, "the drain does not end");
        }
        assert_eq!(taken.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3, 2, 1]);
        deltas.begin_drain();
        while deltas.drain(1, |id, counts| taken.push((id.slot(), counts.0))) {}
        let counted = taken.iter().map(|(_, counts)| counts).sum::<u64>();
        assert_eq!(counted, 3 + 2 * turns);
    }
}
