//! Several istiods.

use alscope_plan::world::MeshConfigContent;
use serde_json::{Value, json};

use crate::cluster::{Cluster, named};
use crate::invariants::{assert_deletion_leaves_nothing, assert_nothing_is_left};
use crate::mesh::{CHART, WIRED, config_map, istiod};

const CANARY: &str = "# canary\ntrustDomain: cluster.local\n";

fn two(spec: &Value) -> Cluster {
    let mut cluster = Cluster::stock(spec);
    cluster.istiods.push(istiod("canary", "1.31.0", None));
    cluster.put(config_map("istio-canary", Some(CANARY)));
    cluster
}

fn listed(revisions: &[&str]) -> Value {
    json!({"mesh": {"revisions": revisions}})
}

#[test]
fn of_several_revisions_each_must_be_listed() {
    for (revisions, told) in [(&[][..], "none"), (&["canary"][..], "canary")] {
        let mut cluster = two(&listed(revisions));
        cluster.settle();
        assert_eq!(
            cluster.condition("MeshConfigured"),
            (
                "False".to_owned(),
                "RevisionsNotListed".to_owned(),
                format!(
                    "the mesh has the revisions canary, default, of which spec.mesh.revisions lists {told}; list each: a proxy \
                     of an unlisted revision would send nothing"
                )
            )
        );
        assert_eq!(cluster.backups(), []);
        assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
        assert_eq!(cluster.text("istio-canary").as_deref(), Some(CANARY));
    }
}

#[test]
fn a_listed_revision_that_nobody_serves_is_told() {
    let mut cluster = Cluster::stock(&listed(&["default", "old"]));
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "RevisionsNotListed".to_owned(),
            "spec.mesh.revisions lists old, and no istiod in istio-system serves it; remove it from the list or install it"
                .to_owned()
        )
    );
    assert_eq!(cluster.backups(), []);
}

#[test]
fn all_listed_revisions_are_wired_and_restored() {
    let mut cluster = two(&listed(&["default", "canary"]));
    cluster.settle();
    assert_eq!(
        cluster.log[6..],
        [
            "WriteBackup",
            "WriteMesh istio-canary",
            "WriteMesh istio",
            "ReleaseFieldOwnership istio",
            "ReleaseFieldOwnership istio-canary"
        ]
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(
        cluster.backups()[0].originals,
        [
            (named("istio"), MeshConfigContent::Text(CHART.to_owned())),
            (named("istio-canary"), MeshConfigContent::Text(CANARY.to_owned())),
        ]
        .into()
    );
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn no_revision_is_wired_when_one_of_them_can_not_be() {
    let mut cluster = two(&listed(&["default", "canary"]));
    cluster.put(config_map("istio-canary", Some("- broken\n")));
    cluster.settle();
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "MeshConfigInvalid".to_owned())
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
}

#[test]
fn a_revision_that_comes_later_is_added_to_the_backup() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.istiods.push(istiod("canary", "1.31.0", None));
    cluster.put(config_map("istio-canary", Some(CANARY)));
    cluster.settle();
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "RevisionsNotListed".to_owned())
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED), "it stays wired");
    assert_eq!(cluster.log, Vec::<String>::new());

    cluster.change_spec(&listed(&["default", "canary"]));
    cluster.settle();
    assert_eq!(
        cluster.log,
        [
            "WriteBackup",
            "WriteMesh istio-canary",
            "ReleaseFieldOwnership istio-canary"
        ]
    );
    let config_maps: Vec<(String, bool)> = cluster
        .status()
        .mesh
        .unwrap()
        .config_maps
        .into_iter()
        .map(|one| (one.name, one.wired))
        .collect();
    assert_eq!(
        config_maps,
        [
            ("istio-system/istio-canary".to_owned(), true),
            ("istio-system/istio".to_owned(), true)
        ]
    );
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn a_revision_that_is_gone_is_not_needed_for_the_restore() {
    let mut cluster = two(&listed(&["default", "canary"]));
    cluster.settle();
    cluster.istiods.pop();
    cluster.config_maps.remove(&named("istio-canary"));
    cluster.foreign.remove(&named("istio-canary"));
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_deletion_leaves_nothing(&mut cluster);
}

/// The ConfigMap of a revision stays behind its istiod when it was made by hand.
#[test]
fn a_config_map_that_stays_behind_its_istiod_is_restored_as_well() {
    let mut cluster = two(&listed(&["default", "canary"]));
    cluster.settle();
    cluster.istiods.pop();
    cluster.change_spec(&json!({}));
    cluster.settle();
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio-canary").as_deref(), Some(CANARY));
    assert_nothing_is_left(&cluster);
}

/// Its text still has the operator's address of before, which the backup must go on knowing.
#[test]
fn a_config_map_that_stays_behind_its_istiod_is_restored_after_another_address_as_well() {
    let mut cluster = two(&listed(&["default", "canary"]));
    cluster.settle();
    cluster.istiods.pop();
    cluster.change_spec(&json!({}));
    cluster.settings.cluster_domain = "cluster.example".to_owned();
    cluster.settle();
    assert_eq!(
        cluster.text("istio").unwrap(),
        WIRED.replace("cluster.local:11800", "cluster.example:11800")
    );
    assert!(
        cluster
            .text("istio-canary")
            .unwrap()
            .contains("svc.cluster.local:11800")
    );
    assert_deletion_leaves_nothing(&mut cluster);
}
