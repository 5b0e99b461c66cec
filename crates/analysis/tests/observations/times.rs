use alscope_analysis::accounting::Unattributed;
use alscope_analysis::directory::records::Record;

use crate::entry::*;
use crate::mesh::*;

/// reviews is deleted at 3000 s; details gets its address at 3010 s.
fn replaced() -> Mesh {
    let mut mesh = Mesh::new();
    let mut state = state();
    state.delete(&Record::Pod(pod("reviews", REVIEWS)).key(), at(3000));
    let mut details = pod("details", REVIEWS);
    details.started = Some(at(3010));
    state.apply(Record::Pod(details), at(3011));
    mesh.directory = state.publish().unwrap();
    mesh
}

fn edge_at(mesh: &mut Mesh, start: i64) {
    let mut common = outbound();
    common.start_time = timestamp(start);
    mesh.take(PRODUCTPAGE_NODE, ok(common));
}

// proves: directory/ownership
#[test]
fn a_call_belongs_to_the_pod_that_had_the_address_when_it_started() {
    let mut mesh = replaced();
    for start in [2999, 3010, 2998, 3020] {
        edge_at(&mut mesh, start);
    }
    let mut edges: Vec<(String, u64)> = mesh
        .http()
        .iter()
        .map(|(labels, counts)| (labels.edge(), counts.requests))
        .collect();
    edges.sort();
    assert_eq!(
        edges,
        [
            ("source: productpage -> details".into(), 2),
            ("source: productpage -> reviews".into(), 2)
        ]
    );
}

// proves: directory/ownership
#[test]
fn between_two_pods_the_address_is_nobodys() {
    let mut mesh = replaced();
    edge_at(&mut mesh, 3005);
    assert_eq!(mesh.only_http().edge(), "source: productpage -> unknown");
    assert_eq!(mesh.accounting().parties_unattributed(Unattributed::NotFound), 1);
}

// proves: directory/before-history
#[test]
fn a_call_before_all_history_is_not_guessed() {
    let mut mesh = Mesh::new();
    edge_at(&mut mesh, STARTED - 6);
    assert_eq!(mesh.only_http().edge(), "source: unknown -> unknown");
    assert_eq!(
        mesh.accounting()
            .parties_unattributed(Unattributed::BeforeHistory),
        2
    );
}

// proves: directory/ambiguous
#[test]
fn two_pods_with_one_address_at_one_time_are_ambiguous() {
    let mut mesh = Mesh::new();
    let mut state = state();
    state.apply(Record::Pod(pod("details", REVIEWS)), at(STARTED));
    mesh.directory = state.publish().unwrap();
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    assert_eq!(mesh.only_http().edge(), "source: productpage -> unknown");
    assert_eq!(mesh.accounting().parties_unattributed(Unattributed::Ambiguous), 1);
}

#[test]
fn a_new_version_of_the_directory_is_asked_again() {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    common.upstream_remote_address = socket("10.0.0.50", 9080);
    mesh.take(PRODUCTPAGE_NODE, ok(common.clone()));
    assert_eq!(mesh.only_http().edge(), "source: productpage -> unknown");
    let mut state = state();
    state.publish();
    state.apply(Record::Pod(pod("late", "10.0.0.50")), at(STARTED));
    mesh.directory = state.publish().unwrap();
    mesh.take(PRODUCTPAGE_NODE, ok(common));
    let edges: Vec<String> = mesh.http().iter().map(|(labels, _)| labels.edge()).collect();
    assert_eq!(
        edges,
        ["source: productpage -> unknown", "source: productpage -> late"]
    );
}

// proves: directory/received-time
#[test]
fn an_entry_without_a_start_time_starts_when_it_is_received() {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    common.start_time = None;
    mesh.take(PRODUCTPAGE_NODE, ok(common));
    assert_eq!(mesh.only_http().edge(), "source: productpage -> reviews");
}
