//! A table of values with small ids. The id of a removed value is reused.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values by id, and ids by value. Each lookup notes the epoch, so that values can be found that nobody knows any more.
#[derive(Debug)]
pub(super) struct IdTable<K> {
    /// The values by id, including removed ones until their ids are reused.
    keys: Vec<K>,
    /// The epoch in which each was last asked for.
    asked: Vec<u32>,
    /// The ids by value, without removed ones.
    numbers: HashTable<u32>,
    free: Vec<u32>,
    /// Seeded and fast: a call has twenty parts, and with the standard library's hash they were a seventh of the cost of a new
    /// identity.
    state: RandomState,
}

impl<K> Default for IdTable<K> {
    fn default() -> Self {
        IdTable {
            keys: Vec::new(),
            asked: Vec::new(),
            numbers: HashTable::new(),
            free: Vec::new(),
            state: RandomState::default(),
        }
    }
}

impl<K: Copy + Eq + Hash> IdTable<K> {
    /// The id of a value; notes that it was asked for in this epoch.
    pub(super) fn find(&mut self, key: &K, epoch: u32) -> Option<u32> {
        let is_its = |number: &u32| self.keys.get(*number as usize) == Some(key);
        let number = *self.numbers.find(self.state.hash_one(key), is_its)?;
        if let Some(asked) = self.asked.get_mut(number as usize) {
            *asked = epoch;
        }
        Some(number)
    }

    /// Adds a new value and returns its id; `None` when there are no more ids.
    pub(super) fn add(&mut self, key: K, epoch: u32) -> Option<u32> {
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.keys.len()).ok()?,
        };
        let slot = number as usize;
        if let (Some(freed), Some(asked)) = (self.keys.get_mut(slot), self.asked.get_mut(slot)) {
            (*freed, *asked) = (key, epoch);
        } else {
            self.keys.push(key);
            self.asked.push(epoch);
        }
        let (keys, state) = (&self.keys, &self.state);
        let hash_of = |number: &u32| keys.get(*number as usize).map_or(0, |key| state.hash_one(key));
        self.numbers.insert_unique(state.hash_one(key), number, hash_of);
        Some(number)
    }

    /// The value of an id that is in use.
    pub(super) fn get(&self, number: u32) -> Option<&K> {
        self.keys.get(number as usize)
    }

    /// Whether the id has a value that nobody asked for in this epoch.
    pub(super) fn is_unasked(&self, number: u32, epoch: u32) -> bool {
        let slot = number as usize;
        let (Some(key), Some(asked)) = (self.keys.get(slot), self.asked.get(slot)) else {
            return false;
        };
        let known = || self.numbers.find(self.state.hash_one(key), |own| *own == number);
        *asked != epoch && known().is_some()
    }

    /// Removes the value of an id that nobody has any more, and returns it.
    pub(super) fn remove(&mut self, number: u32) -> Option<K> {
        let key = *self.get(number)?;
        let hash = self.state.hash_one(key);
        let known = self.numbers.find_entry(hash, |own| *own == number);
        known.ok()?.remove();
        self.free.push(number);
        Some(key)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many slots there are: the most values that there were at one time.
    pub(super) fn slots(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_goes_leaves_its_number_to_another() {
        let mut table = IdTable::default();
        let numbers = ["a", "b", "c"].map(|key| table.add(key, 1));
        assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
        assert_eq!(table.remove(1), Some("b"));
        assert_eq!(table.remove(1), None);
        assert_eq!((table.find(&"b", 1), table.len(), table.slots()), (None, 2, 3));
        assert_eq!([table.add("d", 1), table.add("e", 1)], [Some(1), Some(3)]);
        assert_eq!((table.get(1).copied(), table.find(&"d", 1)), (Some("d"), Some(1)));
    }

    #[test]
    fn what_was_asked_for_in_an_epoch_is_known_to_somebody() {
        let mut table = IdTable::default();
        for key in ["a", "b", "c"] {
            table.add(key, 1);
        }
        table.find(&"b", 2);
        table.remove(2);
        let unasked =
            |table: &IdTable<&str>, epoch| [0, 1, 2, 3].map(|number| table.is_unasked(number, epoch));
        assert_eq!(unasked(&table, 1), [false, true, false, false]);
        assert_eq!(unasked(&table, 2), [true, false, false, false]);
        assert_eq!(unasked(&table, 3), [true, true, false, false]);
    }
}
