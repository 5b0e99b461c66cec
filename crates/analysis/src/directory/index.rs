//! The directory's tables. Who reads one notes what was asked, who writes one marks what changed, and both can't be left out.
//!
//! A table is many small ones that versions share until one of them changes, so that publishing a version costs what changed in it
//! and not what the mesh holds.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::changes::{Changes, Dependencies, hash_in, hash_of};

/// Of 10 000 keys some forty are copied with the one that changes.
const SHARD_COUNT: usize = 256;

type TableShard<K, V> = Arc<HashTable<(K, V)>>;

/// What is known of each key. A key without a value is as one with the default value.
#[derive(Clone, Debug)]
pub(super) struct Index<K, V>(Arc<[TableShard<K, V>]>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        let empty = TableShard::new(HashTable::new());
        Index(vec![empty; SHARD_COUNT].into())
    }
}

impl<K: Hash + Eq, V> Index<K, V> {
    /// What is known of `key`.
    pub(super) fn get<Q>(&self, key: &Q, dependencies: &mut Dependencies) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = hash_of(key);
        dependencies.note(hash);
        let shard = self.0.get(shard(hash))?;
        let (_, value) = shard.find(hash, |(own, _)| own.borrow() == key)?;
        Some(value)
    }

    /// What the working copy knows of `key`, for its own changes.
    pub(super) fn known<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get(key, &mut Dependencies::default())
    }

    /// All keys with a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let all = self.0.iter().flat_map(|shard| shard.iter());
        all.map(|(key, value)| (key, value))
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Default + PartialEq> Index<K, V> {
    /// Changes what is known of `key`.
    pub(super) fn change(&mut self, key: &K, changes: &mut Changes, change: impl FnOnce(&mut V)) {
        let before = self.known(key);
        let mut after = before.cloned().unwrap_or_default();
        change(&mut after);
        if before.map_or_else(|| after == V::default(), |before| after == *before) {
            return;
        }
        let hash = hash_of(key);
        changes.mark(hash);
        if let Some(shard) = Arc::make_mut(&mut self.0).get_mut(shard(hash)) {
            let shard = Arc::make_mut(shard);
            match shard.entry(hash, |(own, _)| own == key, |(own, _)| hash_of(own)) {
                Entry::Occupied(known) if after == V::default() => {
                    known.remove();
                }
                Entry::Occupied(mut known) => known.get_mut().1 = after,
                Entry::Vacant(new) => {
                    new.insert((key.clone(), after));
                }
            }
        }
    }

    /// Changes what is known of each key where `is` says so.
    pub(super) fn change_where(
        &mut self,
        is: impl Fn(&V) -> bool,
        changes: &mut Changes,
        change: impl Fn(&mut V),
    ) {
        let keys: Vec<K> = self
            .iter()
            .filter(|(_, value)| is(value))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.change(&key, changes, &change);
        }
    }
}

/// Neither of the bits by which a shard finds a key, the lowest and the seven highest, nor of those of a bucket.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize & (SHARD_COUNT - 1)
}

/// What changes rarely and is asked as a whole; its `BUCKET` is no other whole's.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared<T, const BUCKET: u64>(Arc<T>);

impl<T, const BUCKET: u64> Shared<T, BUCKET> {
    /// What is known.
    pub(super) fn get(&self, dependencies: &mut Dependencies) -> &T {
        dependencies.note(hash_in(BUCKET));
        &self.0
    }

    /// What the working copy knows, for its own changes.
    pub(super) fn known(&self) -> &T {
        &self.0
    }

    /// What is known, to be changed.
    pub(super) fn change(&mut self, changes: &mut Changes) -> &mut T
    where
        T: Clone,
    {
        changes.mark(hash_in(BUCKET));
        Arc::make_mut(&mut self.0)
    }
}
