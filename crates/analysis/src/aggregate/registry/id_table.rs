//! Values with small numbers. A value that goes leaves its number to another one.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values by number, and numbers by value. Who asks for a value says in which epoch, so that it can be told what nobody knows.
#[derive(Debug)]
pub(super) struct IdTable<K> {
    /// Also of those that went, until their numbers are another's.
    keys: Vec<K>,
    /// In which epoch each was last asked for.
    asked: Vec<u32>,
    /// By their values, those that did not go.
    numbers: HashTable<u32>,
    free: Vec<u32>,
    /// A call has twenty parts: with the standard library's hash they were a seventh of what a new identity costs.
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
    /// The number of a value, which is asked for in this epoch.
    pub(super) fn find(&mut self, key: &K, epoch: u32) -> Option<u32> {
        let is_its = |number: &u32| self.keys.get(*number as usize) == Some(key);
        let number = *self.numbers.find(self.state.hash_one(key), is_its)?;
        if let Some(asked) = self.asked.get_mut(number as usize) {
            *asked = epoch;
        }
        Some(number)
    }

    /// The number of a new value; `None` when there are no more numbers.
    pub(super) fn add(&mut self, key: K, epoch: u32) -> Option<u32> {
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.keys.len()).ok()?,
        };
        let place = number as usize;
        if let (Some(freed), Some(asked)) = (self.keys.get_mut(place), self.asked.get_mut(place)) {
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

    /// The value of a number that somebody has.
    pub(super) fn get(&self, number: u32) -> Option<&K> {
        self.keys.get(number as usize)
    }

    /// Whether the number has a value that nobody asked for in this epoch.
    pub(super) fn is_unasked(&self, number: u32, epoch: u32) -> bool {
        let place = number as usize;
        let (Some(key), Some(asked)) = (self.keys.get(place), self.asked.get(place)) else {
            return false;
        };
        let known = || self.numbers.find(self.state.hash_one(key), |own| *own == number);
        *asked != epoch && known().is_some()
    }

    /// Gives a number up that nobody has any more. Answers whose it was.
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

    /// How many numbers there have been at one time.
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
