//! Tracks which answers a version of the directory changed, so that cached answers of older versions stay usable.
//!
//! Every query is about keys: an address, a pod's uid, a Service's name. Keys fall into buckets, and each bucket has the version in
//! which an answer for one of its keys last changed. An answer stays valid while none of its keys' buckets changes. Keys that share
//! a bucket make an answer expire sooner, never later.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::FixedState;

/// 64 KiB, which the first change after a version copies. Ten pods that change within a second mark some forty buckets.
const BUCKET_COUNT: usize = 1 << 13;
/// How many buckets an answer notes: as many as an identity asks for, and some more. An answer from more of them holds for its
/// version only.
const MAX_DEPENDENCIES: usize = 12;

/// The hash of a key, the same in every version. It has no seed: only changes in the cluster mark buckets, so a client that asks
/// for keys of one bucket can only make its own answers be looked up more often.
pub(super) fn hash_of(key: &(impl Hash + ?Sized)) -> u64 {
    FixedState::default().hash_one(key)
}

/// A hash that lies in this bucket.
pub(super) const fn hash_in(bucket: u64) -> u64 {
    bucket << BUCKET_SHIFT
}

/// How far a hash is shifted to get its bucket; the lower bits choose the places in the tables.
const BUCKET_SHIFT: u32 = 40;

fn bucket(hash: u64) -> u16 {
    (hash >> BUCKET_SHIFT) as u16 & (BUCKET_COUNT - 1) as u16
}

/// The version in which the answers of each bucket last changed.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// The number of the last published version. What is marked changes with the next one.
    published: u64,
    is_marked: bool,
    changed: Arc<[u64]>,
}

impl Default for Changes {
    fn default() -> Self {
        Changes {
            published: 0,
            is_marked: false,
            changed: vec![0; BUCKET_COUNT].into(),
        }
    }
}

impl Changes {
    /// The number of the last published version.
    pub(super) fn published(&self) -> u64 {
        self.published
    }

    /// Notes that the next version answers differently for a key with this hash.
    pub(super) fn mark(&mut self, hash: u64) {
        self.is_marked = true;
        if let Some(changed) = Arc::make_mut(&mut self.changed).get_mut(usize::from(bucket(hash))) {
            *changed = self.published + 1;
        }
    }

    /// Publishes the next version, if any key is marked. Returns whether one is.
    pub(super) fn publish(&mut self) -> bool {
        let is_marked = std::mem::take(&mut self.is_marked);
        self.published += u64::from(is_marked);
        is_marked
    }

    /// Whether an answer that `version` gave by these dependencies is the answer of the published version too.
    pub(super) fn is_still_valid(&self, dependencies: &Dependencies, version: u64) -> bool {
        let is_kept = |bucket: &u16| {
            let changed = self.changed.get(usize::from(*bucket));
            changed.is_some_and(|changed| *changed <= version)
        };
        version <= self.published
            && dependencies
                .buckets()
                .is_some_and(|buckets| buckets.iter().all(is_kept))
    }
}

/// The buckets of the keys that an answer was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    buckets: [u16; MAX_DEPENDENCIES],
    /// How many there are; more than [`MAX_DEPENDENCIES`] if not all are noted.
    count: u8,
}

impl Dependencies {
    /// Notes that a key with this hash was asked about.
    pub(super) fn note(&mut self, hash: u64) {
        let bucket = bucket(hash);
        if self.buckets().is_none_or(|noted| noted.contains(&bucket)) {
            return;
        }
        if let Some(free) = self.buckets.get_mut(usize::from(self.count)) {
            *free = bucket;
        }
        self.count += 1;
    }

    /// The buckets; `None` when there are more than [`MAX_DEPENDENCIES`].
    fn buckets(&self) -> Option<&[u16]> {
        self.buckets.get(..usize::from(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(buckets: impl IntoIterator<Item = u64>) -> Dependencies {
        let mut dependencies = Dependencies::default();
        for bucket in buckets {
            dependencies.note(hash_in(bucket));
        }
        dependencies
    }

    #[test]
    fn an_answer_is_kept_until_one_of_its_keys_changes() {
        let mut changes = Changes::default();
        changes.mark(hash_in(7));
        assert!(changes.publish());
        changes.mark(hash_in(8));
        assert!(changes.publish());
        assert_eq!(changes.published(), 2);
        let kept = |buckets: &[u64], version| {
            changes.is_still_valid(&dependencies(buckets.iter().copied()), version)
        };
        assert_eq!([0, 1, 2].map(|version| kept(&[7], version)), [false, true, true]);
        assert_eq!([0, 1, 2].map(|version| kept(&[8], version)), [false, false, true]);
        assert_eq!(
            [0, 1, 2].map(|version| kept(&[9, 7, 8], version)),
            [false, false, true]
        );
        assert_eq!([0, 1, 2].map(|version| kept(&[9], version)), [true, true, true]);
        assert!(kept(&[], 0));
    }

    #[test]
    fn an_answer_of_a_later_version_is_not_kept() {
        let changes = Changes::default();
        assert!(changes.is_still_valid(&dependencies([1]), 0));
        assert!(!changes.is_still_valid(&dependencies([1]), 1));
    }

    #[test]
    fn nothing_marked_makes_no_version() {
        let mut changes = Changes::default();
        assert!(!changes.publish());
        assert_eq!(changes.published(), 0);
        changes.mark(hash_in(1));
        assert_eq!([changes.publish(), changes.publish()], [true, false]);
        assert_eq!(changes.published(), 1);
    }

    #[test]
    fn more_keys_than_are_noted_are_kept_in_no_version() {
        let changes = Changes::default();
        let most = MAX_DEPENDENCIES as u64;
        assert!(changes.is_still_valid(&dependencies(0..most), 0));
        assert!(!changes.is_still_valid(&dependencies(0..=most), 0));
        assert!(!changes.is_still_valid(&dependencies(0..1000), 0));
        // A key that is asked for again does not count again.
        assert!(changes.is_still_valid(&dependencies((0..1000).map(|number| number % most)), 0));
    }
}
