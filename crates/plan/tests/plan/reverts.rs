//! Reverts of wired mesh config: the operator wires it again after an upgrade, and gives up on a contender.

use alscope_plan::plan::events::transition_events;
use alscope_plan::world::MeshConfigContent;
use serde_json::json;

use crate::cluster::{Cluster, named};
use crate::mesh::{CHART, WIRED};
use crate::steps::name;

fn reverts_of(cluster: &Cluster) -> Vec<(String, String)> {
    let mesh = cluster.status().mesh.unwrap_or_default();
    mesh.reverts
        .into_iter()
        .map(|reset| (reset.config_map, reset.manager))
        .collect()
}

#[test]
fn an_upgrade_is_wired_again_after_five_seconds_of_quiet_and_not_before() {
    let mut cluster = Cluster::wired(&json!({}));
    let upgraded = format!("{CHART}\nnewKey: 1");
    cluster.reset("helm", &upgraded);
    cluster.pass();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "WaitingForQuiet".to_owned(),
            "istio-system/istio was reverted; it is wired again after 5 s without a change".to_owned()
        )
    );
    cluster.advance(4);
    cluster.pass();
    assert_eq!(cluster.log, Vec::<String>::new());
    cluster.advance(1);
    cluster.pass();
    assert_eq!(cluster.log, ["WriteBackup", "WriteMesh istio"]);
    cluster.settle();
    assert_eq!(
        reverts_of(&cluster),
        [("istio-system/istio".to_owned(), "helm".to_owned())]
    );
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio"), MeshConfigContent::Text(upgraded))].into(),
        "the upgrade's text is what is restored"
    );
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}

#[test]
fn every_change_of_the_text_starts_the_quiet_anew() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.reset("helm", CHART);
    cluster.pass_for(4);
    cluster.reset("helm", &format!("{CHART}\nnewKey: 1"));
    cluster.pass_for(4);
    assert_eq!(cluster.log, Vec::<String>::new());
    cluster.pass_for(3);
    assert_eq!(
        cluster.log,
        ["WriteBackup", "WriteMesh istio", "ReleaseFieldOwnership istio"]
    );
    assert_eq!(reverts_of(&cluster).len(), 1, "it was not wired in between");
}

#[test]
fn a_revert_is_one_event() {
    let mut cluster = Cluster::wired(&json!({}));
    let before = cluster.status();
    cluster.reset("helm", CHART);
    cluster.pass();
    let after = cluster.status();
    let events: Vec<(bool, String)> = transition_events(&before, &after)
        .into_iter()
        .map(|event| (event.is_warning, event.message))
        .collect();
    assert_eq!(
        events,
        [(true, "helm reverted mesh config in istio-system/istio".to_owned())]
    );
    cluster.advance(1);
    cluster.pass();
    assert_eq!(transition_events(&after, &cluster.status()), []);
}

#[test]
fn the_third_revert_within_an_hour_ends_the_writing_until_the_spec_changes() {
    let mut cluster = Cluster::wired(&json!({}));
    for _ in 0..2 {
        cluster.reset("helm", CHART);
        cluster.settle();
        assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    }
    cluster.log.clear();
    cluster.reset("helm", CHART);
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "MeshConfigContended".to_owned(),
            "helm has reverted mesh config three times within an hour, so the operator writes nothing more; end what it does, then \
             change this resource's spec"
                .to_owned()
        )
    );
    cluster.advance(3 * 3600);
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));

    cluster.change_spec(&json!({"collector": {"replicas": 2}}));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}

#[test]
fn a_contention_outlives_the_operator() {
    let mut cluster = Cluster::wired(&json!({}));
    for _ in 0..3 {
        cluster.reset("helm", CHART);
        cluster.settle();
        cluster.restart();
    }
    cluster.settle();
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "MeshConfigContended".to_owned())
    );
}

/// A tool that sets the text back as soon as it is written leaves the operator no pass in which the mesh is wired.
#[test]
fn a_contender_that_is_faster_than_the_next_pass_is_one_too() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.contender = Some("mesh-sync");
    cluster.reset("mesh-sync", CHART);
    for _ in 0..60 {
        cluster.pass();
        cluster.advance(1);
    }
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "MeshConfigContended".to_owned())
    );
    let writes = cluster.log.iter().filter(|step| *step == "WriteMesh istio");
    assert_eq!(writes.count(), 2, "each reset rests for 5 s, the third ends it");
    assert_eq!(reverts_of(&cluster).len(), 3);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
}

#[test]
fn a_text_that_is_set_back_before_the_first_look_at_it_rests_and_is_wired_again_once() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.contender = Some("helm");
    while !cluster.log.contains(&"WriteMesh istio".to_owned()) {
        cluster.pass();
        cluster.advance(1);
    }
    cluster.contender = None;
    // helm writes more than once; all of it is one reset.
    for seconds in 0..3 {
        cluster.pass();
        assert_eq!(
            cluster.mesh_configured().1,
            "WaitingForQuiet",
            "after {seconds} s"
        );
        cluster.reset("helm", &format!("{CHART}\nnewKey: {seconds}"));
        cluster.advance(1);
    }
    cluster.settle();
    assert_eq!(
        reverts_of(&cluster),
        [("istio-system/istio".to_owned(), "helm".to_owned())]
    );
    assert_eq!(cluster.condition("Ready").0, "True");
    let writes = cluster.log.iter().filter(|step| *step == "WriteMesh istio");
    assert_eq!(writes.count(), 2);
}

/// What the operator sees after its own write may still be the text from before it.
#[test]
fn a_watch_that_lags_behind_a_write_is_no_revert() {
    let mut cluster = Cluster::stock(&json!({}));
    while cluster
        .plan()
        .steps
        .iter()
        .all(|step| !name(step).starts_with("WriteMesh"))
    {
        cluster.pass();
    }
    let before = cluster.config_maps.clone();
    cluster.pass();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    let after = std::mem::replace(&mut cluster.config_maps, before);
    let plan = cluster.plan();
    let uid = cluster.resource().uid().to_owned();
    cluster.write_status(&uid, &plan.status);
    assert_eq!(reverts_of(&cluster), []);
    cluster.config_maps = after;
    cluster.settle();
    assert_eq!(reverts_of(&cluster), []);
    assert_eq!(cluster.condition("Ready").0, "True");
}

#[test]
fn three_reverts_by_two_tools_are_no_contention() {
    let mut cluster = Cluster::wired(&json!({}));
    for manager in ["helm", "istioctl", "helm"] {
        cluster.reset(manager, CHART);
        cluster.settle();
    }
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(reverts_of(&cluster).len(), 3);
}

#[test]
fn a_contended_mesh_is_given_back_as_it_is() {
    let mut cluster = Cluster::wired(&json!({}));
    for _ in 0..3 {
        cluster.reset("helm", CHART);
        cluster.settle();
    }
    cluster.log.clear();
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log[0], "Delete ConfigMap");
    crate::invariants::assert_nothing_is_left(&cluster);
}

#[test]
fn a_revert_during_an_outage_of_the_collector_is_wired_again() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.rollout = crate::cluster::Rollout::Held;
    cluster.break_collector();
    cluster.reset("helm", CHART);
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.condition("CollectorAvailable").0, "False");
}

#[test]
fn another_address_of_the_operator_is_no_revert_and_keeps_the_original() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.settings.cluster_domain = "cluster.example".to_owned();
    cluster.restart();
    cluster.settle();
    let text = WIRED.replace("cluster.local:11800", "cluster.example:11800");
    assert_eq!(cluster.text("istio").unwrap(), text);
    let backups = cluster.backups();
    assert_eq!(
        backups[0].address,
        "alscope-collector.alscope-system.svc.cluster.example:11800"
    );
    assert_eq!(
        backups[0].originals,
        [(named("istio"), MeshConfigContent::Text(CHART.to_owned()))].into()
    );
    assert_eq!(reverts_of(&cluster), [], "nobody set anything back");
    assert_eq!(cluster.condition("Ready").0, "True");
    cluster.delete();
    cluster.settle();
    crate::invariants::assert_nothing_is_left(&cluster);
}
