use std::collections::BTreeMap;

use alscope_naming::kubernetes_name::{MetadataObject, istio_service_name, k8s_service_name};
use rstest::rstest;

use super::*;
use crate::directory::naming_rules::NamingRules;
use crate::directory::records::{PodEndpoint, Record, ServiceEntryRecord};
use crate::directory::{Directory, Owner};

/// `service/tier of the Service/tier of the pod`.
const RULE: &str = "${service.metadata.name}/${service.metadata.labels.tier}/${pod.metadata.labels.tier}";

fn at(seconds: i64) -> Moment {
    Moment(seconds * 1_000_000_000)
}

fn state() -> DirectoryState {
    let rules = NamingRules {
        k8s: k8s_service_name(RULE).unwrap(),
        ..NamingRules::default()
    };
    DirectoryState::default().with_naming_rules(rules)
}

fn tier(value: &str) -> BTreeMap<String, String> {
    [("tier".into(), value.into())].into()
}

fn pod(labels: BTreeMap<String, String>) -> Record {
    Record::Pod(PodRecord {
        name: "reviews-0".into(),
        namespace: "demo".into(),
        uid: "uid".into(),
        labels,
        annotations: BTreeMap::new(),
        controller: None,
        addresses: vec!["10.0.0.1".parse().unwrap()],
        host_network: false,
        ports: vec![],
        started: Some(at(100)),
        finished: None,
        ..PodRecord::default()
    })
}

fn service(name: &str, created: i64, labels: BTreeMap<String, String>) -> Record {
    Record::Service(ServiceRecord {
        name: name.into(),
        namespace: "demo".into(),
        labels,
        annotations: BTreeMap::new(),
        selector: None,
        addresses: vec!["10.96.0.1".parse().unwrap()],
        ports: vec![],
        created: at(created),
    })
}

fn slice(service: &str, pods: &[&str]) -> Record {
    Record::EndpointSlice(EndpointSliceRecord {
        name: format!("{service}-x"),
        namespace: "demo".into(),
        service: service.into(),
        ports: vec![],
        pods: pods.iter().map(|uid| PodEndpoint::from(*uid)).collect(),
        addresses: vec![],
        created: at(50),
    })
}

fn entry(name: &str) -> Record {
    Record::ServiceEntry(ServiceEntryRecord {
        name: "legacy".into(),
        namespace: "service_entries".into(),
        labels: tier(name),
        annotations: BTreeMap::new(),
        selector: None,
        hosts: vec!["legacy.example.com".into()],
        addresses: vec!["10.0.0.1".parse().unwrap(), "10.96.0.1".parse().unwrap()],
        export_to: vec![],
        ports: vec![],
        created: at(50),
    })
}

/// What `address` was called at a time.
fn name(directory: &Directory, address: &str, start: i64) -> String {
    let owner = directory
        .query()
        .owner(address.parse().unwrap(), None, at(start))
        .owner;
    let names = match &owner {
        Owner::Pod(pod) => &pod.names,
        Owner::Service(service) => &service.names,
        Owner::External(external) => &external.names,
        Owner::Unknown(reason) => return reason.as_str().to_owned(),
    };
    names.at(at(start)).0.to_string()
}

/// What happened at 200, 300 and so on to a pod of the Service `web`, both there since long before.
fn happened(changes: Vec<Change>) -> Directory {
    let mut state = state();
    for record in [
        pod(tier("a")),
        service("web", 50, tier("s")),
        slice("web", &["uid"]),
    ] {
        state.apply(record, at(150));
    }
    for (change, second) in changes.into_iter().zip([200, 300]) {
        match change {
            Change::Is(record) => state.apply(record, at(second)),
            Change::IsGone(record) => state.delete(&record.key(), at(second)),
        }
    }
    state.publish().unwrap()
}

enum Change {
    Is(Record),
    IsGone(Record),
}
use Change::{Is, IsGone};

#[rstest]
#[case::nothing(vec![], ["web/s/a", "web/s/a", "web/s/a"])]
// proves: names/history
#[case::label_of_the_pod(vec![Is(pod(tier("b"))), Is(pod(tier("c")))], ["web/s/a", "web/s/b", "web/s/c"])]
// proves: names/history
#[case::label_of_the_service(vec![Is(service("web", 50, tier("t"))), Is(service("web", 50, tier("u")))],
    ["web/s/a", "web/t/a", "web/u/a"])]
// proves: names/history
#[case::service_is_gone(vec![IsGone(service("web", 50, tier("s"))), Is(pod(tier("b")))],
    ["web/s/a", "-/-/a", "-/-/b"])]
// proves: names/history
#[case::slice_is_gone(vec![IsGone(slice("web", &[])), Is(slice("web", &[]))], ["web/s/a", "-/-/a", "-/-/a"])]
// proves: names/history
#[case::pod_left_the_slice(vec![Is(slice("web", &[])), Is(pod(tier("b")))], ["web/s/a", "-/-/a", "-/-/b"])]
// proves: names/history
#[case::deleted_pod(vec![IsGone(pod(tier("a"))), Is(service("web", 50, tier("t")))],
    ["web/s/a", "not-found", "not-found"])]
fn a_pod_keeps_the_name_of_its_time(#[case] changes: Vec<Change>, #[case] expected: [&str; 3]) {
    let directory = happened(changes);
    assert_eq!(
        [150, 250, 350].map(|start| name(&directory, "10.0.0.1", start)),
        expected
    );
}

// proves: names/history
#[test]
fn a_pod_that_comes_into_an_older_service_has_its_name_from_then_on() {
    let mut state = state();
    for record in [
        service("old", 40, tier("o")),
        slice("old", &[]),
        service("web", 50, tier("s")),
        slice("web", &["uid"]),
        pod(tier("a")),
    ] {
        state.apply(record, at(150));
    }
    state.apply(slice("old", &["uid"]), at(200));
    let directory = state.publish().unwrap();
    let names = [199, 200].map(|start| name(&directory, "10.0.0.1", start));
    assert_eq!(names, ["web/s/a", "old/o/a"]);
}

/// What a source lists comes in any order, and what is listed was there before.
#[rstest]
#[case::slice_last([2, 0, 1])]
#[case::service_last([0, 1, 2])]
#[case::pod_last([1, 2, 0])]
fn the_order_of_lists_makes_no_history(#[case] order: [usize; 3]) {
    let records = [
        pod(tier("a")),
        slice("web", &["uid"]),
        service("web", 50, tier("s")),
    ];
    let mut state = state();
    for (place, second) in order.into_iter().zip([150, 151, 152]) {
        state.apply(records.get(place).unwrap().clone(), at(second));
    }
    let directory = state.publish().unwrap();
    let names = [100, 152].map(|start| name(&directory, "10.0.0.1", start));
    assert_eq!(names, ["web/s/a", "web/s/a"]);
}

// proves: names/first-slice
#[test]
fn the_first_slice_that_names_a_pod_was_its_from_the_beginning() {
    let mut state = state();
    state.apply(service("web", 50, tier("s")), at(60));
    state.apply(slice("web", &["another"]), at(60));
    state.apply(pod(tier("a")), at(101));
    assert_eq!(name(&state.publish().unwrap(), "10.0.0.1", 101), "-/-/a");
    state.apply(slice("web", &["another", "uid"]), at(103));
    let directory = state.publish().unwrap();
    let names = [101, 103].map(|start| name(&directory, "10.0.0.1", start));
    assert_eq!(names, ["web/s/a", "web/s/a"]);
}

// proves: names/history
#[test]
fn a_service_that_came_later_names_its_pods_from_then_on() {
    let mut state = state();
    state.apply(pod(tier("a")), at(101));
    state.apply(slice("web", &["uid"]), at(200));
    state.apply(service("web", 200, tier("s")), at(201));
    let directory = state.publish().unwrap();
    let names = [199, 200].map(|start| name(&directory, "10.0.0.1", start));
    assert_eq!(names, ["-/-/a", "web/s/a"]);
}

#[rstest]
// proves: names/history
#[case::edited(service("web", 50, tier("t")), ["web/s/-", "web/t/-"])]
// proves: names/history
#[case::unlabelled(service("web", 50, BTreeMap::new()), ["web/s/-", "web/-/-"])]
#[case::the_same(service("web", 50, tier("s")), ["web/s/-", "web/s/-"])]
fn a_service_keeps_the_name_of_its_time(#[case] edited: Record, #[case] expected: [&str; 2]) {
    let mut state = state();
    state.apply(service("web", 50, tier("s")), at(60));
    state.apply(edited, at(200));
    let directory = state.publish().unwrap();
    assert_eq!(
        [199, 200].map(|start| name(&directory, "10.96.0.1", start)),
        expected
    );
}

// proves: names/history
#[test]
fn a_service_that_is_another_under_the_same_name_takes_no_earlier_name() {
    let mut state = state();
    state.apply(service("web", 50, tier("s")), at(60));
    state.delete(&service("web", 50, tier("s")).key(), at(200));
    state.apply(service("web", 200, tier("t")), at(200));
    let directory = state.publish().unwrap();
    let names = [199, 200].map(|start| name(&directory, "10.96.0.1", start));
    assert_eq!(names, ["web/s/-", "web/t/-"]);
}

// proves: names/history
#[test]
fn a_host_outside_keeps_the_name_of_its_time() {
    let rules = NamingRules {
        istio: istio_service_name("${serviceEntry.metadata.labels.tier}").unwrap(),
        ..NamingRules::default()
    };
    let mut state = DirectoryState::default().with_naming_rules(rules);
    for (value, second) in [("a", 60), ("b", 200), ("c", 300)] {
        state.apply(entry(value), at(second));
    }
    let directory = state.publish().unwrap();
    let names = [199, 200, 300].map(|start| name(&directory, "10.0.0.1", start));
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn sources_are_told_which_metadata_the_rules_read() {
    let default = DirectoryState::default();
    let reads = |state: &DirectoryState| state.naming_rules().read_label(MetadataObject::Pod, "tier");
    assert_eq!([reads(&default), reads(&state())], [false, true]);
}

#[test]
fn a_name_is_forgotten_with_the_memory_of_addresses() {
    let mut state = state();
    for (value, second) in [("a", 150), ("b", 200), ("c", 800)] {
        state.apply(pod(tier(value)), at(second));
    }
    let directory = state.publish().unwrap();
    let names = |directory| [150, 200, 800].map(|start| name(directory, "10.0.0.1", start));
    assert_eq!(names(&directory), ["-/-/a", "-/-/b", "-/-/c"]);
    state.apply(pod(tier("d")), at(801));
    assert_eq!(names(&state.publish().unwrap()), ["-/-/b", "-/-/b", "-/-/c"]);
}

#[test]
fn a_rule_without_services_leaves_their_changes_alone() {
    let mut state = DirectoryState::default();
    state.apply(pod(tier("a")), at(150));
    let before = state.publish().unwrap();
    state.apply(slice("web", &["uid"]), at(200));
    state.apply(service("web", 50, tier("s")), at(200));
    let after = state.publish().unwrap();
    let [owner_before, owner_after] = [&before, &after].map(|directory| {
        let found = directory
            .query()
            .owner("10.0.0.1".parse().unwrap(), None, at(300));
        found.owner
    });
    assert_eq!(owner_before, owner_after);
    assert_eq!(name(&after, "10.0.0.1", 300), "reviews-0.demo");
}
