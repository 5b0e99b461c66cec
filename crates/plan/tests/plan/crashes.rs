//! The operator is killed before each of its steps in turn: the next one comes to the same end.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Ended, named};
use crate::invariants::{End, assert_deletion_leaves_nothing, assert_nothing_is_left};
use crate::mesh::{self, FOREIGN, config_map, istiod, knows_the_address};

/// Whether the status of the pass in which the operator died was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Written,
    Lost,
}

/// Runs until the operator dies after so many steps, and then to the end.
fn interrupted(start: &Cluster, steps: usize, status: Status) -> Cluster {
    let mut cluster = start.clone();
    cluster.lives_for = Some(steps);
    loop {
        let before = cluster.resources.clone();
        let (ended, requeue_after) = cluster.pass();
        if ended == Ended::Killed {
            if status == Status::Lost {
                forget(&mut cluster, &before);
            }
            break;
        }
        cluster.now += jiff::SignedDuration::try_from(requeue_after).unwrap();
        assert_ne!(cluster.lives_for, None);
    }
    cluster.restart();
    cluster.advance(3);
    assert_eq!(cluster.settle(), Ended::Done);
    cluster
}

/// Ten seconds with an operator that dies after so many steps; then the next one starts.
fn died_after(start: &Cluster, steps: usize) -> Cluster {
    let mut cluster = start.clone();
    cluster.lives_for = Some(steps);
    cluster.pass_for(10);
    cluster.restart();
    cluster
}

/// The status is as it was before the last pass.
fn forget(cluster: &mut Cluster, before: &[alscope_plan::api::MeshObservability]) {
    for resource in &mut cluster.resources {
        let old = before
            .iter()
            .find(|old| old.metadata.uid == resource.metadata.uid);
        resource.status = old.and_then(|old| old.status.clone());
    }
}

/// Every interruption of what follows from `start` ends as it does without one. Returns the number of steps without one.
fn assert_same_end(start: &Cluster) -> usize {
    let mut start = start.clone();
    start.log.clear();
    start.settings.drain_timeout = Duration::from_secs(6);
    let start = &start;
    let mut whole = start.clone();
    assert_eq!(whole.settle(), Ended::Done);
    let steps = whole.log.len();
    for killed_after in 0..steps {
        for status in [Status::Written, Status::Lost] {
            let cluster = interrupted(start, killed_after, status);
            assert_eq!(
                End::of(&cluster),
                End::of(&whole),
                "killed after {killed_after} steps of {:?}, the status was {status:?}; then {:?}",
                whole.log,
                cluster.log
            );
            if !cluster.resources.is_empty() {
                let (before, after) = (whole.status(), cluster.status());
                assert_eq!(after.state, before.state, "killed after {killed_after}");
                assert_eq!(after.mesh, before.mesh, "killed after {killed_after}, {status:?}");
            }
            assert_eq!(cluster.log.len(), steps, "a step too many: {:?}", cluster.log);
        }
    }
    steps
}

fn stock() -> Cluster {
    Cluster::stock(&json!({}))
}

fn overwriting() -> Cluster {
    let mut cluster = Cluster::stock(&json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.put(config_map("istio", Some(FOREIGN)));
    cluster
}

fn by_provider(text: &str) -> Cluster {
    let mut cluster = Cluster::stock(&json!({"mesh": {"wiring": "TelemetryProvider"}}));
    cluster.put(config_map("istio", Some(text)));
    cluster
}

fn with_shared(text: Option<&str>) -> Cluster {
    let mut cluster = Cluster::stock(&json!({"mesh": {"configSource": "SharedConfigMap"}}));
    cluster.istiods = vec![istiod("default", "1.30.3", Some("istio-user"))];
    cluster.settings.shared_config_map = Some("istio-user".to_owned());
    if let Some(text) = text {
        cluster.put(config_map("istio-user", Some(text)));
    }
    cluster
}

fn without_the_key() -> Cluster {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.put(config_map("istio", None));
    cluster
}

fn two_revisions() -> Cluster {
    let mut cluster = Cluster::stock(&json!({"mesh": {"revisions": ["default", "canary"]}}));
    cluster.istiods.push(istiod("canary", "1.31.0", None));
    cluster.put(config_map("istio-canary", Some("# canary\ntrustDomain: x\n")));
    cluster
}

#[rstest]
#[case::stock(stock(), 9, 9)]
#[case::overwriting(overwriting(), 9, 9)]
#[case::shared_made(with_shared(None), 8, 8)]
#[case::shared_of_others(with_shared(Some("trustDomain: x\n")), 9, 9)]
#[case::without_the_key(without_the_key(), 9, 8)]
#[case::two_revisions(two_revisions(), 11, 11)]
#[case::by_provider(by_provider(mesh::CHART), 9, 9)]
#[case::by_provider_beside_a_file(by_provider("accessLogFile: /dev/stdout\n"), 9, 9)]
fn a_killed_operator_comes_to_the_same_end(#[case] start: Cluster, #[case] up: usize, #[case] down: usize) {
    assert_eq!(assert_same_end(&start), up);
    let mut wired = start;
    wired.settle();
    assert_eq!(wired.condition("Ready").0, "True");
    wired.delete();
    assert_eq!(assert_same_end(&wired), down);
    wired.settle();
    assert_nothing_is_left(&wired);
}

#[test]
fn a_killed_operator_comes_to_the_same_end_with_proxies_to_wait_for() {
    let mut wired = Cluster::wired(&json!({}));
    wired.pods = vec![mesh::pod("web", &knows_the_address())];
    wired.delete();
    assert_eq!(assert_same_end(&wired), 9);
}

#[test]
fn a_killed_operator_comes_to_the_same_end_on_removed() {
    let mut wired = Cluster::wired(&json!({}));
    wired.change_spec(&json!({"managementState": "Removed"}));
    assert_eq!(assert_same_end(&wired), 9);
}

#[test]
fn a_killed_operator_comes_to_the_same_end_after_a_reset() {
    let mut wired = Cluster::wired(&json!({}));
    wired.reset("helm", &format!("{}\nnewKey: 1", mesh::CHART));
    wired.pass();
    wired.advance(5);
    assert_eq!(assert_same_end(&wired), 3);
}

/// From the switch to the provider, and back.
#[rstest]
// The Service is for every namespace where a provider streams to it.
#[case::to_the_provider("MeshConfig", "TelemetryProvider", 4)]
// The backup knows of the provider already.
#[case::to_the_switch("TelemetryProvider", "MeshConfig", 3)]
fn a_killed_operator_comes_to_the_same_end_with_another_wiring(
    #[case] before: &str,
    #[case] after: &str,
    #[case] steps: usize,
) {
    let mut wired = Cluster::stock(&json!({"mesh": {"wiring": before}}));
    wired.settle();
    wired.change_spec(&json!({"mesh": {"wiring": after}}));
    assert_eq!(assert_same_end(&wired), steps);
    wired.settle();
    assert_deletion_leaves_nothing(&mut wired);
}

#[test]
fn a_killed_operator_comes_to_the_same_end_without_its_resource() {
    let mut wired = Cluster::wired(&json!({}));
    wired.force_delete();
    assert_eq!(assert_same_end(&wired), 3);
}

/// Also with two texts to change, of which one is changed when the operator dies.
#[rstest]
#[case::one_revision(stock(), 3)]
#[case::two_revisions(two_revisions(), 5)]
#[case::overwriting(overwriting(), 3)]
#[case::by_provider(by_provider(mesh::CHART), 3)]
fn a_killed_operator_comes_to_the_same_end_with_another_address(
    #[case] start: Cluster,
    #[case] steps: usize,
) {
    let mut wired = start;
    wired.settle();
    wired.settings.cluster_domain = "cluster.example".to_owned();
    wired.restart();
    assert_eq!(assert_same_end(&wired), steps);
    for killed_after in 0..steps {
        let mut cluster = wired.clone();
        cluster.lives_for = Some(killed_after);
        while cluster.pass().0 == Ended::Done {
            cluster.advance(1);
        }
        cluster.restart();
        assert_deletion_leaves_nothing(&mut cluster);
    }
}

#[rstest]
#[case::stock(stock())]
#[case::overwriting(overwriting())]
#[case::shared_made(with_shared(None))]
#[case::without_the_key(without_the_key())]
#[case::two_revisions(two_revisions())]
fn a_resource_that_is_deleted_during_its_install_leaves_nothing(#[case] start: Cluster) {
    let mut whole = start.clone();
    whole.settle();
    for killed_after in 0..=whole.log.len() {
        let mut cluster = died_after(&start, killed_after);
        assert_deletion_leaves_nothing(&mut cluster);
    }
}

/// Each request reaches the API server twice, as when an answer is lost and the request is sent again.
#[rstest]
#[case::stock(stock())]
#[case::overwriting(overwriting())]
#[case::shared_made(with_shared(None))]
#[case::without_the_key(without_the_key())]
#[case::two_revisions(two_revisions())]
fn a_request_that_is_sent_twice_does_what_it_does_once(#[case] start: Cluster) {
    let mut once = start.clone();
    once.settle();
    let mut twice = start;
    twice.repeats = true;
    twice.settle();
    assert_eq!(End::of(&twice), End::of(&once));
    assert_eq!(twice.log, once.log);
    assert_deletion_leaves_nothing(&mut twice);
}

/// Whatever a user writes between two steps stays.
#[test]
fn an_edit_between_any_two_steps_stays() {
    let edit = |text: &str| format!("# mine\n{text}");
    for start in [stock(), overwriting(), two_revisions()] {
        let mut whole = start.clone();
        whole.settle();
        for edited_after in 0..=whole.log.len() {
            let mut cluster = died_after(&start, edited_after);
            cluster.edit(edit);
            cluster.settle();
            assert_eq!(cluster.condition("Ready").0, "True");
            assert_eq!(
                cluster.text("istio"),
                whole.text("istio").map(|text| edit(&text)),
                "after {edited_after} steps"
            );
            assert!(cluster.foreign[&named("istio")].is_some());
            assert_deletion_leaves_nothing(&mut cluster);
        }
    }
}

/// Of a hasty deletion and a new resource of the same name only the new one's wiring is left, and it can be taken back.
#[rstest]
#[case::with_its_finalizer(false)]
#[case::without_its_finalizer(true)]
fn a_resource_that_is_made_anew_at_once_is_served(#[case] forced: bool) {
    let wired = Cluster::wired(&json!({}));
    for killed_after in 0..12 {
        let mut cluster = wired.clone();
        if forced {
            cluster.force_delete();
        } else {
            cluster.delete();
            cluster.settle();
        }
        let mut again: Value =
            serde_json::to_value(mesh::resource("alscope", "2027-01-15T08:10:00Z", &json!({}))).unwrap();
        again["metadata"]["uid"] = json!("uid-again");
        cluster.add(serde_json::from_value(again).unwrap());
        cluster.lives_for = Some(killed_after);
        for _ in 0..10 {
            if cluster.pass().0 == Ended::Killed {
                break;
            }
            cluster.advance(1);
        }
        cluster.restart();
        cluster.settle();
        assert_eq!(cluster.text("istio").as_deref(), Some(mesh::WIRED));
        let uids: Vec<String> = cluster.backups().into_iter().map(|backup| backup.uid).collect();
        assert_eq!(uids, ["uid-again"]);
        assert_eq!(
            cluster.backups()[0].originals.values().next().unwrap().text(),
            mesh::CHART
        );
        assert_deletion_leaves_nothing(&mut cluster);
    }
}
