//! What one worker counted since it was last drained.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::registry::SeriesId;
use super::series::{Counts, SeriesKey};

#[derive(Clone, Debug, Default)]
struct Delta<C> {
    counts: C,
    touched: bool,
}

/// A worker's counters by series id, with the worker's own memory of which key has which id.
#[derive(Debug)]
pub struct Deltas<C> {
    ids: HashTable<(SeriesKey, SeriesId)>,
    by_id: Vec<Delta<C>>,
    touched: Vec<SeriesId>,
    state: FixedState,
}

impl<C> Default for Deltas<C> {
    fn default() -> Self {
        Deltas {
            ids: HashTable::new(),
            by_id: Vec::new(),
            touched: Vec::new(),
            state: FixedState::default(),
        }
    }
}

impl<C: Counts> Deltas<C> {
    /// Counts one observation. `register` gives the id of a key that this worker has not met.
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
        if let Some(delta) = self.by_id.get_mut(id.index()) {
            delta.counts.add(measure);
            if !delta.touched {
                delta.touched = true;
                self.touched.push(id);
            }
        }
        id
    }

    /// A key that overflowed is not remembered: the memory stays bounded however many there are.
    #[cold]
    fn remember(&mut self, hash_of_key: u64, key: SeriesKey, id: SeriesId) -> SeriesId {
        if self.by_id.len() <= id.index() {
            self.by_id.resize_with(id.index() + 1, Delta::default);
        }
        if id != SeriesId::OVERFLOW {
            let state = &self.state;
            self.ids
                .insert_unique(hash_of_key, (key, id), |(key, _)| hash(state, key));
        }
        id
    }

    /// Hands over what at most `limit` series counted and starts them anew. Answers whether more is left.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(SeriesId, &C)) -> bool {
        for _ in 0..limit {
            let Some(id) = self.touched.pop() else {
                return false;
            };
            if let Some(delta) = self.by_id.get_mut(id.index()) {
                take(id, &delta.counts);
                *delta = Delta::default();
            }
        }
        !self.touched.is_empty()
    }
}

fn hash(state: &FixedState, key: &SeriesKey) -> u64 {
    state.hash_one(key)
}
