//! What identities came to: a fixed number of slots, overwritten by other identities that hash to them, never cleared.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use super::Identified;
use crate::directory::tenure::Validity;
use crate::moment::Moment;

/// Slots of one worker; with [`LONGEST_KEY`] they bound the memo to 32 MiB.
const SLOTS: usize = 1 << 15;
/// Slots among which an identity has a choice. With one only, a quarter as many identities as slots would forget one another for
/// ever: every ninth entry would be looked up anew.
const WAYS: usize = 4;
/// Longer keys are looked up anew each time. Two addresses, two principals and three peers take about 600 bytes.
const LONGEST_KEY: usize = 1024;

#[derive(Debug)]
struct Slot {
    directory_version: u64,
    validity: Validity,
    key: Vec<u8>,
    identified: Identified,
}

/// Remembers identities of one worker. An answer holds for the directory version it was made from, and for calls that started
/// within its validity.
#[derive(Debug)]
pub struct Memo {
    /// Of each slot the upper half of its key's hash: which slot it is costs one look at a cache line.
    tags: Vec<[u32; WAYS]>,
    slots: Vec<[Option<Slot>; WAYS]>,
    /// The way that the next identity without a free slot takes.
    next: usize,
    state: RandomState,
}

impl Default for Memo {
    fn default() -> Self {
        Memo {
            tags: vec![[0; WAYS]; SLOTS / WAYS],
            slots: (0..SLOTS / WAYS).map(|_| Default::default()).collect(),
            next: 0,
            state: RandomState::default(),
        }
    }
}

impl Memo {
    /// The hash of a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// What `key` came to, if it is remembered for this version and start time.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8], directory_version: u64, start: Moment) -> Option<Identified> {
        let (tags, slots) = (self.tags.get(set(hash))?, self.slots.get(set(hash))?);
        let with_tag = tags
            .iter()
            .zip(slots)
            .filter(|(of_slot, _)| **of_slot == tag(hash));
        let slot = with_tag
            .filter_map(|(_, slot)| slot.as_ref())
            .find(|slot| slot.key == key)?;
        let holds = slot.directory_version == directory_version && slot.validity.contains(start);
        holds.then_some(slot.identified)
    }

    /// Remembers what `key` came to.
    pub fn put(&mut self, hash: u64, key: &[u8], answer: Answer) {
        if key.len() > LONGEST_KEY {
            return;
        }
        let (Some(tags), Some(slots)) = (self.tags.get_mut(set(hash)), self.slots.get_mut(set(hash))) else {
            return;
        };
        let known = slots
            .iter()
            .position(|slot| slot.as_ref().is_some_and(|slot| slot.key == key));
        let way = known
            .or_else(|| slots.iter().position(Option::is_none))
            .unwrap_or_else(|| {
                self.next = (self.next + 1) % WAYS;
                self.next
            });
        let (Some(tag_of_slot), Some(slot)) = (tags.get_mut(way), slots.get_mut(way)) else {
            return;
        };
        let mut buffer = slot.take().map(|slot| slot.key).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(key);
        let Answer {
            directory_version,
            validity,
            identified,
        } = answer;
        *tag_of_slot = tag(hash);
        *slot = Some(Slot {
            directory_version,
            validity,
            key: buffer,
            identified,
        });
    }
}

fn set(hash: u64) -> usize {
    hash as usize & (SLOTS / WAYS - 1)
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// What to remember of an identity.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The directory's version.
    pub directory_version: u64,
    /// The start times for which it holds.
    pub validity: Validity,
    /// What it came to.
    pub identified: Identified,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::Skipped;
    use crate::analyze::Ended;

    const ANSWER: Identified = Identified::Ended(Ended::Skipped(Skipped::NotACall));

    #[test]
    fn an_answer_holds_for_its_key_version_and_start_times_only() {
        let mut memo = Memo::default();
        let validity = Validity {
            since: Moment(10),
            until: Moment(20),
        };
        let hash = memo.hash(b"key");
        memo.put(
            hash,
            b"key",
            Answer {
                directory_version: 7,
                validity,
                identified: ANSWER,
            },
        );
        assert_eq!(memo.get(hash, b"key", 7, Moment(10)), Some(ANSWER));
        assert_eq!(memo.get(hash, b"key", 7, Moment(20)), None);
        assert_eq!(memo.get(hash, b"key", 8, Moment(10)), None);
        assert_eq!(memo.get(hash, b"kez", 7, Moment(10)), None);
    }

    #[test]
    fn a_long_key_is_not_remembered() {
        let mut memo = Memo::default();
        let key = vec![0; LONGEST_KEY + 1];
        let hash = memo.hash(&key);
        let answer = Answer {
            directory_version: 1,
            validity: Validity::ALWAYS,
            identified: ANSWER,
        };
        memo.put(hash, &key, answer);
        assert_eq!(memo.get(hash, &key, 1, Moment(0)), None);
    }

    #[test]
    fn a_quarter_as_many_identities_as_slots_are_nearly_all_remembered() {
        let mut memo = Memo::default();
        let keys: Vec<[u8; 4]> = (0..SLOTS as u32 / 4).map(u32::to_le_bytes).collect();
        for key in &keys {
            let hash = memo.hash(key);
            let answer = Answer {
                directory_version: 1,
                validity: Validity::ALWAYS,
                identified: ANSWER,
            };
            memo.put(hash, key, answer);
        }
        let is_forgotten = |key: &&[u8; 4]| memo.get(memo.hash(&key[..]), &key[..], 1, Moment(0)).is_none();
        let forgotten = keys.iter().filter(is_forgotten).count();
        // Of 8 192 thrown into 8 192 sets of four, 35 find no place, give or take 6.
        assert!(forgotten < 100, "{forgotten} of {} are forgotten", keys.len());
    }
}
