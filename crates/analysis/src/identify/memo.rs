//! What identities came to: a fixed number of slots, overwritten by other identities that hash to them, never cleared.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use super::Identified;
use crate::directory::Directory;
use crate::directory::changes::Asked;
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
    key: Vec<u8>,
    answer: Answer,
}

/// Remembers identities of one worker. An answer holds for as long as the directory does not change what it was made from, and for
/// calls that started within its validity.
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

    /// What `key` came to, if it is remembered for this start time and still what `directory` says.
    #[inline]
    pub fn get(&mut self, hash: u64, key: &[u8], directory: &Directory, start: Moment) -> Option<Identified> {
        let (tags, slots) = (self.tags.get(set(hash))?, self.slots.get_mut(set(hash))?);
        let with_tag = tags
            .iter()
            .zip(slots)
            .filter(|(of_slot, _)| **of_slot == tag(hash));
        let slot = with_tag
            .filter_map(|(_, slot)| slot.as_mut())
            .find(|slot| slot.key == key)?;
        let answer = &mut slot.answer;
        let (_, version) = answer.asked;
        let holds = version == directory.version() || answer.is_kept(directory);
        (holds && answer.validity.contains(start)).then_some(answer.identified)
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
        *tag_of_slot = tag(hash);
        *slot = Some(Slot { key: buffer, answer });
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
    /// What was asked of the directory, and the version that answered.
    pub asked: (Asked, u64),
    /// The start times for which it holds.
    pub validity: Validity,
    /// What it came to.
    pub identified: Identified,
}

impl Answer {
    /// Whether another version of the directory answers the same. If so, it counts as the one that answered.
    #[cold]
    fn is_kept(&mut self, directory: &Directory) -> bool {
        let (asked, version) = &mut self.asked;
        let is_kept = directory.keeps(asked, *version);
        if is_kept {
            *version = directory.version();
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_quarter_as_many_identities_as_slots_are_nearly_all_remembered() {
        let mut memo = Memo::default();
        let keys: Vec<[u8; 4]> = (0..SLOTS as u32 / 4).map(u32::to_le_bytes).collect();
        for key in &keys {
            put(&mut memo, key, always());
        }
        let mut is_forgotten = |key: &&[u8; 4]| get(&mut memo, &key[..], &Directory::default(), 0).is_none();
        let forgotten = keys.iter().filter(&mut is_forgotten).count();
        // Of 8 192 thrown into 8 192 sets of four, 35 find no place, give or take 6.
        assert!(forgotten < 100, "{forgotten} of {} are forgotten", keys.len());
    }
}
