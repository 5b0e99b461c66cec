//! Addresses that several pods seem to have.

use super::*;

/// A pod whose node is lost stays, and another one gets its address.
fn successor(lost: PodRecord, new: PodRecord) -> Directory {
    let mut state = DirectoryState::default();
    state.apply(Record::Pod(new), at(5000));
    state.apply(Record::Pod(lost), at(5001));
    state.publish().unwrap()
}

// proves: directory/later-owner, directory/leaving
#[test]
fn an_address_is_its_new_owners_while_the_old_one_stays_for_hours() {
    let lost = PodRecord {
        addressed: Some(at(102)),
        ..pod("old", 1, 100)
    };
    let new = PodRecord {
        addressed: Some(at(4002)),
        ..pod("new", 1, 4000)
    };
    let terminating = PodRecord {
        leaves: Some(at(3000)),
        ..pod("old", 1, 100)
    };
    for lost in [lost, terminating] {
        let directory = successor(lost, new.clone());
        let owner = |start| name_of(&directory.query().owner(ip(1), None, at(start)));
        assert_eq!(owner(3999), Ok("old".into()));
        assert_eq!(owner(4002), Ok("new".into()));
        assert_eq!(owner(90_000), Ok("new".into()));
    }
}

// proves: directory/ambiguous
#[test]
fn two_pods_of_which_nothing_says_who_came_last_are_ambiguous() {
    let directory = successor(pod("old", 1, 100), pod("new", 1, 4000));
    let owner = |start| name_of(&directory.query().owner(ip(1), None, at(start)));
    assert_eq!(owner(3999), Ok("old".into()));
    assert_eq!(owner(90_000), Err(Unattributed::Ambiguous));
}

// proves: directory/moved
#[test]
fn an_address_that_a_pod_has_since_its_nodes_restart_was_anothers_before() {
    let mut state = DirectoryState::default();
    for (name, address) in [("a", 1), ("b", 2)] {
        let first = PodRecord {
            addressed: Some(at(102)),
            ..pod(name, address, 100)
        };
        state.apply(Record::Pod(first), at(103));
    }
    for (name, address) in [("a", 2), ("b", 3)] {
        let moved = PodRecord {
            addressed: Some(at(500)),
            ..pod(name, address, 100)
        };
        // Twice: what is said again changes nothing.
        for now in [505, 600] {
            state.apply(Record::Pod(moved.clone()), at(now));
        }
    }
    let directory = state.publish().unwrap();
    let owner = |address, start| name_of(&directory.query().owner(ip(address), None, at(start)));
    assert_eq!(owner(1, 400), Ok("a".into()));
    assert_eq!(owner(2, 400), Ok("b".into()));
    assert_eq!(owner(2, 501), Ok("a".into()));
    assert_eq!(owner(3, 400), Err(Unattributed::BeforeHistory));
}
