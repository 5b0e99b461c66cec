//! The tables of the directory. Every read notes a dependency and every write marks a change, and neither can be forgotten.
//!
//! A table consists of many shards, which versions share until one changes. So publishing costs what changed, and not what the mesh
//! holds.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::changes::{Changes, Dependencies, hash_in, hash_of};

/// With 10 000 keys, a change copies the forty keys of one shard.
const SHARD_COUNT: usize = 256;

type TableShard<K, V> = Arc<HashTable<(K, V)>>;

/// A table of values by key. A key without a value is equal to one with the default value.
#[derive(Clone, Debug)]
pub(super) struct Index<K, V>(Arc<[TableShard<K, V>]>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        let empty = TableShard::new(HashTable::new());
        Index(vec![empty; SHARD_COUNT].into())
    }
}

impl<K: Hash + Eq, V> Index<K, V> {
    /// The value of `key`; notes a dependency on it.
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

    /// The value of `key` for the working copy, which notes no dependency.
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
    /// Changes the value of `key`, and marks the key if the value is different then.
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

    /// Changes the value of each key for which `is` holds.
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

/// The shard of a hash, by other bits than those of a bucket and those by which a shard finds a key (the lowest and the seven
/// highest).
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize & (SHARD_COUNT - 1)
}

/// A value that changes rarely and has one dependency as a whole. Each has a `BUCKET` of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared<T, const BUCKET: u64>(Arc<T>);

impl<T, const BUCKET: u64> Shared<T, BUCKET> {
    /// The value; notes a dependency on it.
    pub(super) fn get(&self, dependencies: &mut Dependencies) -> &T {
        dependencies.note(hash_in(BUCKET));
        &self.0
    }

    /// The value for the working copy, which notes no dependency.
    pub(super) fn known(&self) -> &T {
        &self.0
    }

    /// The value for changes; marks it.
    pub(super) fn change(&mut self, changes: &mut Changes) -> &mut T
    where
        T: Clone,
    {
        changes.mark(hash_in(BUCKET));
        Arc::make_mut(&mut self.0)
    }
}
