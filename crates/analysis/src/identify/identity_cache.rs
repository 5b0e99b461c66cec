//! A cache of what was found for identities. Its size is bounded; new identities replace the oldest.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::identified::Identified;
use crate::directory::Directory;
use crate::directory::changes::Dependencies;
use crate::directory::validity::Validity;
use crate::moment::Moment;

/// How many identities one worker caches. With their keys and the index they take at most 32 MiB.
const MAX_IDENTITIES: usize = 112 << 10;
/// Bytes of all their keys. Real keys have 80 to 250 bytes.
const MAX_TOTAL_KEY_BYTES: usize = 16 << 20;
/// Bytes of the longest key that is cached. Two addresses, two principals and three peers take about 600 bytes.
const MAX_KEY_BYTES: usize = 1024;

/// A cached answer, in one cache line. In a large mesh neither it nor its key is in the processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    /// The version of the directory that answered.
    version: u64,
    validity: Validity,
    identified: Identified,
}

/// The part of a slot that is read only when the directory has changed or the slot is reused.
#[derive(Debug)]
struct SlotOrigin {
    key: KeyRange,
    dependencies: Dependencies,
}

/// The range of a key within the bytes of all keys.
#[derive(Clone, Copy, Debug)]
struct KeyRange {
    start: u32,
    length: u16,
}

/// An entry of the index: the slot and the key of an identity. They are together, so that both are fetched at once.
#[derive(Clone, Copy, Debug)]
struct IndexEntry {
    slot: u32,
    /// Half of the key's hash, so that a growing table need not hash keys again.
    hash: u32,
    key: KeyRange,
}

/// Remembers identities of one worker. An answer holds for as long as the directory does not change what it was made from, and for
/// calls that started within its validity.
///
/// It grows to its bound and stays there: slots and the bytes of keys are written round and round, so that a new identity takes
/// the place of the oldest ones.
#[derive(Debug, Default)]
pub struct IdentityCache {
    /// The index by key. It stops growing at twice the number of identities; then it is only cleaned of removed entries.
    index: HashTable<IndexEntry>,
    /// A ring. As many slots as the index has entries are in use, from the oldest on.
    slots: Vec<Slot>,
    /// The origin of each slot.
    origins: Vec<SlotOrigin>,
    oldest: usize,
    keys: Vec<u8>,
    /// Where the next key is written.
    next: usize,
    state: RandomState,
}

impl IdentityCache {
    /// The hash of a key. Both halves are equal, because the table uses the lowest and the highest bits.
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash_of(&self.state, key)
    }

    /// What was found for `key`, if it is cached, holds for this start time and is still valid in `directory`.
    #[inline]
    pub fn get(&mut self, hash: u64, key: &[u8], directory: &Directory, start: Moment) -> Option<Identified> {
        let place = self.slot_of(hash, key)?;
        let slot = self.slots.get_mut(place)?;
        let holds =
            slot.version == directory.version() || slot.is_still_valid(self.origins.get(place)?, directory);
        (holds && slot.validity.contains(start)).then_some(slot.identified)
    }

    /// Caches what was found for `key`.
    pub fn put(&mut self, hash: u64, key: &[u8], answer: IdentityAnswer) {
        let IdentityAnswer {
            dependencies: (dependencies, version),
            validity,
            identified,
        } = answer;
        let slot = Slot {
            version,
            validity,
            identified,
        };
        if let Some(place) = self.slot_of(hash, key) {
            if let (Some(known), Some(origin)) = (self.slots.get_mut(place), self.origins.get_mut(place)) {
                *known = slot;
                origin.dependencies = dependencies;
            }
            return;
        }
        if key.len() > MAX_KEY_BYTES {
            return;
        }
        if self.index.len() == MAX_IDENTITIES {
            self.forget_oldest();
        }
        let key = self.write(key);
        let origin = SlotOrigin { key, dependencies };
        let newest = (self.oldest + self.index.len()) % MAX_IDENTITIES;
        if let (Some(forgotten), Some(its)) = (self.slots.get_mut(newest), self.origins.get_mut(newest)) {
            (*forgotten, *its) = (slot, origin);
        } else {
            grow(&mut self.slots, 1, MAX_IDENTITIES);
            self.slots.push(slot);
            grow(&mut self.origins, 1, MAX_IDENTITIES);
            self.origins.push(origin);
        }
        let slot = newest as u32;
        let place = IndexEntry {
            slot,
            hash: hash as u32,
            key,
        };
        self.index
            .insert_unique(hash, place, |place| whole_hash(place.hash));
    }

    /// Empties the cache, when a new epoch makes its ids invalid.
    pub fn clear(&mut self) {
        self.index.clear();
        (self.oldest, self.next) = (0, 0);
    }

    /// The slot of `key`.
    #[inline]
    fn slot_of(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_its = |place: &IndexEntry| place.key.of(&self.keys) == key;
        Some(self.index.find(hash, is_its)?.slot as usize)
    }

    /// Writes a key over the keys of the oldest slots, which it removes. Returns the range of the key.
    fn write(&mut self, key: &[u8]) -> KeyRange {
        if self.next + key.len() > MAX_TOTAL_KEY_BYTES {
            while self.is_oldest_from(self.next) {
                self.forget_oldest();
            }
            self.next = 0;
        }
        let (start, end) = (self.next, self.next + key.len());
        while self.is_oldest_from(start) && !self.is_oldest_from(end) {
            self.forget_oldest();
        }
        if let Some(more @ 1..) = end.checked_sub(self.keys.len()) {
            grow(&mut self.keys, more, MAX_TOTAL_KEY_BYTES);
            self.keys.resize(end, 0);
        }
        if let Some(place) = self.keys.get_mut(start..end) {
            place.copy_from_slice(key);
        }
        self.next = end;
        KeyRange {
            start: start as u32,
            length: key.len() as u16,
        }
    }

    /// Whether the key of the oldest slot begins at `place` or after it.
    fn is_oldest_from(&self, place: usize) -> bool {
        let oldest = self.origins.get(self.oldest).filter(|_| !self.index.is_empty());
        oldest.is_some_and(|oldest| oldest.key.start as usize >= place)
    }

    fn forget_oldest(&mut self) {
        let Some(origin) = self.origins.get(self.oldest) else {
            return;
        };
        let hash = hash_of(&self.state, origin.key.of(&self.keys));
        let is_oldest = |place: &IndexEntry| place.slot as usize == self.oldest;
        if let Ok(entry) = self.index.find_entry(hash, is_oldest) {
            entry.remove();
        }
        self.oldest = (self.oldest + 1) % MAX_IDENTITIES;
    }
}

impl KeyRange {
    #[inline]
    fn of(self, keys: &[u8]) -> &[u8] {
        let start = self.start as usize;
        keys.get(start..start + usize::from(self.length))
            .unwrap_or_default()
    }
}

impl Slot {
    /// Whether `directory`, which is another version, answers the same. If so, the slot counts as answered by it.
    #[cold]
    fn is_still_valid(&mut self, origin: &SlotOrigin, directory: &Directory) -> bool {
        let is_kept = directory.is_still_valid(&origin.dependencies, self.version);
        if is_kept {
            self.version = directory.version();
        }
        is_kept
    }
}

/// Reserves room for `more` elements: twice the current size, but at most `most` in all.
fn grow<T>(grown: &mut Vec<T>, more: usize, most: usize) {
    let (length, capacity) = (grown.len(), grown.capacity());
    if capacity < length + more {
        let twice = (2 * capacity).min(most);
        grown.reserve_exact(twice.max(length + more) - length);
    }
}

fn hash_of(state: &RandomState, key: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(key);
    whole_hash(hasher.finish() as u32)
}

/// The whole hash of which this is one half.
fn whole_hash(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

/// An answer to be cached for an identity.
#[derive(Clone, Copy, Debug)]
pub struct IdentityAnswer {
    /// What the answer depends on, and the version of the directory that gave it.
    pub dependencies: (Dependencies, u64),
    /// The start times for which it holds.
    pub validity: Validity,
    /// What was found for the identity.
    pub identified: Identified,
}

#[cfg(test)]
mod tests;
