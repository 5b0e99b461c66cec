use rstest::rstest;

use super::*;
use crate::accounting::Skipped;
use crate::analyze::NotObserved;
use crate::directory::records::{NodeRecord, Record};
use crate::directory::state::DirectoryState;

const IDENTIFIED: Identified = Identified::NotObserved(NotObserved::Skipped(Skipped::NotACall));

fn put(cache: &mut IdentityCache, key: &[u8], answer: IdentityAnswer) {
    cache.put(cache.hash(key), key, answer);
}

fn get(cache: &mut IdentityCache, key: &[u8], directory: &Directory, start: i64) -> Option<Identified> {
    cache.get(cache.hash(key), key, directory, Moment(start))
}

/// An answer that asks nothing of the directory.
fn always() -> IdentityAnswer {
    IdentityAnswer {
        dependencies: Default::default(),
        validity: Validity::ALWAYS,
        identified: IDENTIFIED,
    }
}

#[test]
fn an_answer_holds_for_its_key_and_start_times_only() {
    let mut cache = IdentityCache::default();
    let validity = Validity {
        since: Moment(10),
        until: Moment(20),
    };
    put(&mut cache, b"key", IdentityAnswer { validity, ..always() });
    let mut of = |key, start| get(&mut cache, key, &Directory::default(), start);
    assert_eq!(
        [9, 10, 19, 20].map(|start| of(b"key", start)),
        [None, Some(IDENTIFIED), Some(IDENTIFIED), None]
    );
    assert_eq!(of(b"kez", 10), None);
}

#[test]
fn an_answer_holds_until_what_was_asked_changes() {
    let mut state = DirectoryState::default();
    let mut version_with = |node: u8| {
        let addresses = vec![[10, 0, 0, node].into()];
        let name = node.to_string();
        state.apply(Record::Node(NodeRecord { name, addresses }), Moment(0));
        state.publish().unwrap()
    };
    let first = version_with(1);
    let mut query = first.query();
    query.owner([10, 0, 0, 3].into(), None, Moment(0));
    let mut cache = IdentityCache::default();
    let dependencies = (query.dependencies(), first.version());
    put(
        &mut cache,
        b"key",
        IdentityAnswer {
            dependencies,
            ..always()
        },
    );
    let elsewhere = version_with(2);
    assert_eq!(get(&mut cache, b"key", &elsewhere, 0), Some(IDENTIFIED));
    // It counts as an answer of the version that it was kept in.
    assert_eq!(get(&mut cache, b"key", &first, 0), None);
    assert_eq!(get(&mut cache, b"key", &version_with(3), 0), None);
}

#[test]
fn a_long_key_is_not_remembered() {
    let mut cache = IdentityCache::default();
    put(&mut cache, &[0; MAX_KEY_BYTES + 1], always());
    put(&mut cache, &[0; MAX_KEY_BYTES], always());
    let mut of = |key| get(&mut cache, key, &Directory::default(), 0);
    assert_eq!(of(&[0; MAX_KEY_BYTES + 1]), None);
    assert_eq!(of(&[0; MAX_KEY_BYTES]), Some(IDENTIFIED));
}

/// An answer that only this number's key has: for calls that start then.
fn of(number: u32) -> IdentityAnswer {
    let since = Moment(number.into());
    let until = Moment(i64::from(number) + 1);
    let validity = Validity { since, until };
    IdentityAnswer { validity, ..always() }
}

/// The key of a number, padded to so many bytes.
fn key(number: u32, length: usize) -> Vec<u8> {
    let mut key = number.to_le_bytes().to_vec();
    key.resize(length, 0);
    key
}

/// How many of the first `count` keys are remembered, and how many bytes all that takes.
fn remembered(count: u32, length: impl Fn(u32) -> usize) -> (Vec<u32>, usize) {
    let mut cache = IdentityCache::default();
    for number in 0..count {
        put(&mut cache, &key(number, length(number)), of(number));
    }
    let directory = Directory::default();
    let is_known = |number: &u32| {
        let key = key(*number, length(*number));
        get(&mut cache, &key, &directory, (*number).into()).is_some()
    };
    let known = (0..count).filter(is_known).collect();
    let slots =
        cache.slots.capacity() * size_of::<Slot>() + cache.origins.capacity() * size_of::<SlotOrigin>();
    (
        known,
        slots + cache.keys.capacity() + cache.index.allocation_size(),
    )
}

#[test]
fn all_pairs_of_a_large_mesh_are_remembered() {
    let (known, bytes) = remembered(64_000, |_| 250);
    assert_eq!(known.len(), 64_000);
    assert!(bytes <= 32 << 20, "{bytes}");
}

#[rstest]
#[case::short_keys(300_000, |_| 8, MAX_IDENTITIES)]
#[case::keys_that_fill_all(300_000, |_| MAX_TOTAL_KEY_BYTES / MAX_IDENTITIES, MAX_IDENTITIES)]
#[case::long_keys(60_000, |_| MAX_KEY_BYTES, MAX_TOTAL_KEY_BYTES / MAX_KEY_BYTES)]
#[case::keys_that_do_not_fill_the_end(60_000, |_| 1000, MAX_TOTAL_KEY_BYTES / 1000)]
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
#[case::after_a_round(MAX_IDENTITIES as u32 + 1000)]
fn what_was_cleared_is_forgotten_and_its_place_is_anothers(#[case] before: u32) {
    let mut cache = IdentityCache::default();
    let directory = Directory::default();
    let known = |cache: &mut IdentityCache, number: u32| {
        get(cache, &key(number, 250), &directory, number.into()).is_some()
    };
    for number in 0..before {
        put(&mut cache, &key(number, 250), of(number));
    }
    assert!(known(&mut cache, before - 1));
    cache.clear();
    assert!((0..before).all(|number| !known(&mut cache, number)));
    for number in 0..2 * MAX_IDENTITIES as u32 {
        put(&mut cache, &key(number, 250), of(number));
    }
    let remembered = (0..2 * MAX_IDENTITIES as u32).filter(|number| known(&mut cache, *number));
    let newest: Vec<u32> =
        (2 * MAX_IDENTITIES as u32 - MAX_TOTAL_KEY_BYTES as u32 / 250..2 * MAX_IDENTITIES as u32).collect();
    assert_eq!(remembered.collect::<Vec<_>>(), newest);
}

#[test]
fn a_small_mesh_takes_little() {
    let (known, bytes) = remembered(100, |_| 250);
    assert_eq!(known.len(), 100);
    assert!(bytes <= 64 << 10, "{bytes}");
}
