//! What identities came to, within a bound of bytes: the oldest make room for new ones.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Identified;
use crate::directory::Directory;
use crate::directory::changes::Asked;
use crate::directory::tenure::Validity;
use crate::moment::Moment;

/// Identities of one worker. With their keys and the index they take at most 32 MiB.
const MOST: usize = 112 << 10;
/// Bytes of their keys: real ones have 80 to 250.
const KEY_BYTES: usize = 16 << 20;
/// Longer keys are looked up anew each time. Two addresses, two principals and three peers take about 600 bytes.
const LONGEST_KEY: usize = 1024;

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
struct Origin {
    key: Key,
    asked: Asked,
}

/// Where a key is among the keys' bytes.
#[derive(Clone, Copy, Debug)]
struct Key {
    start: u32,
    length: u16,
}

/// Both places of what is known: found together, they are fetched together.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u32,
    key: Key,
}

/// Remembers identities of one worker. An answer holds for as long as the directory does not change what it was made from, and for
/// calls that started within its validity.
///
/// It grows to its bound and stays there: slots and the bytes of keys are written round and round, so that a new identity takes
/// the place of the oldest ones.
#[derive(Debug, Default)]
pub struct Memo {
    /// By key, where it is. Once it is larger than twice of what is known it no longer grows: it is cleared of what was removed.
    index: HashTable<Place>,
    /// So many as the index has are known identities, from the oldest one on round and round.
    slots: Vec<Slot>,
    /// Of each slot.
    origins: Vec<Origin>,
    oldest: usize,
    keys: Vec<u8>,
    /// Where the next key is written.
    next: usize,
    state: RandomState,
}

impl Memo {
    /// The hash of a key.
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
    pub fn put(&mut self, hash: u64, key: &[u8], answer: Answer) {
        let Answer {
            asked: (asked, version),
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
                origin.asked = asked;
            }
            return;
        }
        if key.len() > LONGEST_KEY {
            return;
        }
        if self.index.len() == MOST {
            self.forget_oldest();
        }
        let key = self.write(key);
        let origin = Origin { key, asked };
        let newest = (self.oldest + self.index.len()) % MOST;
        if let (Some(forgotten), Some(its)) = (self.slots.get_mut(newest), self.origins.get_mut(newest)) {
            (*forgotten, *its) = (slot, origin);
        } else {
            grow(&mut self.slots, 1, MOST);
            self.slots.push(slot);
            grow(&mut self.origins, 1, MOST);
            self.origins.push(origin);
        }
        let slot = newest as u32;
        let Memo {
            index, keys, state, ..
        } = self;
        index.insert_unique(hash, Place { slot, key }, |place| {
            hash_of(state, place.key.of(keys))
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.index.clear();
        (self.oldest, self.next) = (0, 0);
    }

    /// Where the slot of `key` is.
    #[inline]
    fn place(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_its = |place: &Place| place.key.of(&self.keys) == key;
        Some(self.index.find(hash, is_its)?.slot as usize)
    }

    /// Writes a key over those of the oldest slots, which are forgotten. Answers where.
    fn write(&mut self, key: &[u8]) -> Key {
        if self.next + key.len() > KEY_BYTES {
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
            grow(&mut self.keys, more, KEY_BYTES);
            self.keys.resize(end, 0);
        }
        if let Some(place) = self.keys.get_mut(start..end) {
            place.copy_from_slice(key);
        }
        self.next = end;
        Key {
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
        let is_oldest = |place: &Place| place.slot as usize == self.oldest;
        if let Ok(entry) = self.index.find_entry(hash, is_oldest) {
            entry.remove();
        }
        self.oldest = (self.oldest + 1) % MOST;
    }
}

impl Key {
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
    fn is_kept(&mut self, origin: &Origin, directory: &Directory) -> bool {
        let is_kept = directory.keeps(&origin.asked, self.version);
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
    hasher.finish()
}

/// What to remember of an identity.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// What was asked of the directory, and the version that answered.
    pub asked: (Asked, u64),
    /// The start times for which it holds.
    pub validity: Validity,
    /// What it came to.
    pub identified: Identified,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::accounting::Skipped;
    use crate::analyze::Ended;
    use crate::directory::records::{NodeRecord, Record};
    use crate::directory::state::State;

    const IDENTIFIED: Identified = Identified::Ended(Ended::Skipped(Skipped::NotACall));

    fn put(memo: &mut Memo, key: &[u8], answer: Answer) {
        memo.put(memo.hash(key), key, answer);
    }

    fn get(memo: &mut Memo, key: &[u8], directory: &Directory, start: i64) -> Option<Identified> {
        memo.get(memo.hash(key), key, directory, Moment(start))
    }

    /// An answer that asks nothing of the directory.
    fn always() -> Answer {
        Answer {
            asked: Default::default(),
            validity: Validity::ALWAYS,
            identified: IDENTIFIED,
        }
    }

    #[test]
    fn an_answer_holds_for_its_key_and_start_times_only() {
        let mut memo = Memo::default();
        let validity = Validity {
            since: Moment(10),
            until: Moment(20),
        };
        put(&mut memo, b"key", Answer { validity, ..always() });
        let mut of = |key, start| get(&mut memo, key, &Directory::default(), start);
        assert_eq!(
            [9, 10, 19, 20].map(|start| of(b"key", start)),
            [None, Some(IDENTIFIED), Some(IDENTIFIED), None]
        );
        assert_eq!(of(b"kez", 10), None);
    }

    #[test]
    fn an_answer_holds_until_what_was_asked_changes() {
        let mut state = State::default();
        let mut version_with = |node: u8| {
            let addresses = vec![[10, 0, 0, node].into()];
            let name = node.to_string();
            state.apply(Record::Node(NodeRecord { name, addresses }), Moment(0));
            state.publish().unwrap()
        };
        let first = version_with(1);
        let mut inquiry = first.inquiry();
        inquiry.owner([10, 0, 0, 3].into(), None, Moment(0));
        let mut memo = Memo::default();
        let asked = (inquiry.asked(), first.version());
        put(&mut memo, b"key", Answer { asked, ..always() });
        let elsewhere = version_with(2);
        assert_eq!(get(&mut memo, b"key", &elsewhere, 0), Some(IDENTIFIED));
        // It counts as an answer of the version that it was kept in.
        assert_eq!(get(&mut memo, b"key", &first, 0), None);
        assert_eq!(get(&mut memo, b"key", &version_with(3), 0), None);
    }

    #[test]
    fn a_long_key_is_not_remembered() {
        let mut memo = Memo::default();
        put(&mut memo, &[0; LONGEST_KEY + 1], always());
        put(&mut memo, &[0; LONGEST_KEY], always());
        let mut of = |key| get(&mut memo, key, &Directory::default(), 0);
        assert_eq!(of(&[0; LONGEST_KEY + 1]), None);
        assert_eq!(of(&[0; LONGEST_KEY]), Some(IDENTIFIED));
    }

    /// An answer that only this number's key has: for calls that start then.
    fn of(number: u32) -> Answer {
        let since = Moment(number.into());
        let until = Moment(i64::from(number) + 1);
        let validity = Validity { since, until };
        Answer { validity, ..always() }
    }

    /// The key of a number, padded to so many bytes.
    fn key(number: u32, length: usize) -> Vec<u8> {
        let mut key = number.to_le_bytes().to_vec();
        key.resize(length, 0);
        key
    }

    /// How many of the first `count` keys are remembered, and how many bytes all that takes.
    fn remembered(count: u32, length: impl Fn(u32) -> usize) -> (Vec<u32>, usize) {
        let mut memo = Memo::default();
        for number in 0..count {
            put(&mut memo, &key(number, length(number)), of(number));
        }
        let directory = Directory::default();
        let is_known = |number: &u32| {
            let key = key(*number, length(*number));
            get(&mut memo, &key, &directory, (*number).into()).is_some()
        };
        let known = (0..count).filter(is_known).collect();
        let slots = memo.slots.capacity() * size_of::<Slot>() + memo.origins.capacity() * size_of::<Origin>();
        (known, slots + memo.keys.capacity() + memo.index.allocation_size())
    }

    #[test]
    fn all_pairs_of_a_large_mesh_are_remembered() {
        let (known, bytes) = remembered(64_000, |_| 250);
        assert_eq!(known.len(), 64_000);
        assert!(bytes <= 32 << 20, "{bytes}");
    }

    #[rstest]
    #[case::short_keys(300_000, |_| 8, MOST)]
    #[case::keys_that_fill_all(300_000, |_| KEY_BYTES / MOST, MOST)]
    #[case::long_keys(60_000, |_| LONGEST_KEY, KEY_BYTES / LONGEST_KEY)]
    #[case::keys_that_do_not_fill_the_end(60_000, |_| 1000, KEY_BYTES / 1000)]
    fn the_newest_are_remembered_within_the_bound(
        #[case] count: u32,
        #[case] length: fn(u32) -> usize,
        #[case] most: usize,
    ) {
        let (known, bytes) = remembered(count, length);
        let newest: Vec<u32> = (count - most as u32..count).collect();
        assert_eq!(known, newest);
        assert!(bytes <= 32 << 20, "{bytes}");
    }

    #[test]
    fn keys_of_many_lengths_are_remembered_without_a_gap() {
        let (known, bytes) = remembered(100_000, |number| 4 + (number as usize * 7919) % 1020);
        // A key has 513 bytes on average.
        assert!((32_000..33_500).contains(&known.len()), "{}", known.len());
        let newest: Vec<u32> = (100_000 - known.len() as u32..100_000).collect();
        assert_eq!(known, newest);
        assert!(bytes <= 32 << 20, "{bytes}");
    }

    #[rstest]
    #[case::from_the_beginning(1000)]
    #[case::after_a_round(MOST as u32 + 1000)]
    fn what_was_cleared_is_forgotten_and_its_place_is_anothers(#[case] before: u32) {
        let mut memo = Memo::default();
        let directory = Directory::default();
        let known =
            |memo: &mut Memo, number: u32| get(memo, &key(number, 250), &directory, number.into()).is_some();
        for number in 0..before {
            put(&mut memo, &key(number, 250), of(number));
        }
        assert!(known(&mut memo, before - 1));
        memo.clear();
        assert!((0..before).all(|number| !known(&mut memo, number)));
        for number in 0..2 * MOST as u32 {
            put(&mut memo, &key(number, 250), of(number));
        }
        let remembered = (0..2 * MOST as u32).filter(|number| known(&mut memo, *number));
        let newest: Vec<u32> = (2 * MOST as u32 - KEY_BYTES as u32 / 250..2 * MOST as u32).collect();
        assert_eq!(remembered.collect::<Vec<_>>(), newest);
    }

    #[test]
    fn a_small_mesh_takes_little() {
        let (known, bytes) = remembered(100, |_| 250);
        assert_eq!(known.len(), 100);
        assert!(bytes <= 64 << 10, "{bytes}");
    }
}
