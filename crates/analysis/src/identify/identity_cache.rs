//! What identities came to, within a bound of bytes: the oldest make room for new ones.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::identified::Identified;
use crate::directory::Directory;
use crate::directory::changes::Dependencies;
use crate::directory::validity::Validity;
use crate::moment::Moment;

/// Identities of one worker. With their keys and the index they take at most 32 MiB.
const MAX_IDENTITIES: usize = 112 << 10;
/// Bytes of their keys: real ones have 80 to 250.
const MAX_TOTAL_KEY_BYTES: usize = 16 << 20;
/// Longer keys are looked up anew each time. Two addresses, two principals and three peers take about 600 bytes.
const MAX_KEY_BYTES: usize = 1024;

/// An answer, in one line of the cache. In a large mesh neither it nor its key is in one.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    /// The version of the directory that answered.
    version: u64,
    validity: Validity,
    identified: Identified,
}

/// What is asked of a slot only when the directory has changed, or when it is forgotten.
#[derive(Debug)]
struct SlotOrigin {
    key: KeyRange,
    dependencies: Dependencies,
}

/// Where a key is among the keys' bytes.
#[derive(Clone, Copy, Debug)]
struct KeyRange {
    start: u32,
    length: u16,
}

/// Both places of what is known: found together, they are fetched together.
#[derive(Clone, Copy, Debug)]
struct IndexEntry {
    slot: u32,
    /// Half of the key's hash, so that a table that grows hashes no key again.
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
    /// By key, where it is. Once it is larger than twice of what is known it no longer grows: it is cleared of what was removed.
    index: HashTable<IndexEntry>,
    /// So many as the index has are known identities, from the oldest one on round and round.
    slots: Vec<Slot>,
    /// Of each slot.
    origins: Vec<SlotOrigin>,
    oldest: usize,
    keys: Vec<u8>,
    /// Where the next key is written.
    next: usize,
    state: RandomState,
}

impl IdentityCache {
    /// The hash of a key: the same half twice, because a table takes its lowest and its highest bits.
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash_of(&self.state, key)
    }

    /// What `key` came to, if it is remembered for this start time and still what `directory` says.
    #[inline]
    pub fn get(&mut self, hash: u64, key: &[u8], directory: &Directory, start: Moment) -> Option<Identified> {
        let place = self.place(hash, key)?;
        let slot = self.slots.get_mut(place)?;
        let holds = slot.version == directory.version() || slot.is_kept(self.origins.get(place)?, directory);
        (holds && slot.validity.contains(start)).then_some(slot.identified)
    }

    /// Remembers what `key` came to.
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
        if let Some(place) = self.place(hash, key) {
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
        self.index.insert_unique(hash, place, |place| twice(place.hash));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.index.clear();
        (self.oldest, self.next) = (0, 0);
    }

    /// Where the slot of `key` is.
    #[inline]
    fn place(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_its = |place: &IndexEntry| place.key.of(&self.keys) == key;
        Some(self.index.find(hash, is_its)?.slot as usize)
    }

    /// Writes a key over those of the oldest slots, which are forgotten. Answers where.
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

    /// Whether the key of the oldest slot begins at `place` or behind it.
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
    /// Whether another version of the directory answers the same. If so, it counts as the one that answered.
    #[cold]
    fn is_kept(&mut self, origin: &SlotOrigin, directory: &Directory) -> bool {
        let is_kept = directory.is_still_valid(&origin.dependencies, self.version);
        if is_kept {
            self.version = directory.version();
        }
        is_kept
    }
}

/// Makes room for `more`, and for twice as much as there was, but for no more than `most` in all.
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
    twice(hasher.finish() as u32)
}

/// The hash of which this is a half.
fn twice(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

/// What to remember of an identity.
#[derive(Clone, Copy, Debug)]
pub struct IdentityAnswer {
    /// What was asked of the directory, and the version that answered.
    pub dependencies: (Dependencies, u64),
    /// The start times for which it holds.
    pub validity: Validity,
    /// What it came to.
    pub identified: Identified,
}

#[cfg(test)]
mod tests;
