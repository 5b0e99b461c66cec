//! Uninstalls: mesh config restored, the proxies' time, the collector's objects, the backup, the finalizer.

use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
use alscope_plan::world::{ObjectName, ReadError};
use rstest::rstest;
use serde_json::json;

use crate::cluster::{Cluster, Rollout, named};
use crate::invariants::assert_nothing_is_left;
use crate::mesh::{self, CHART, FOREIGN, WIRED, knows_the_address};
use crate::refusals::with_text;
use crate::steps::names;

const DOWN: [&str; 9] = [
    "WriteMesh istio",
    "ReleaseFieldOwnership istio",
    "Delete ConfigMap",
    "Delete Service",
    "Delete Deployment",
    "Delete PodDisruptionBudget",
    "Delete NetworkPolicy",
    "DeleteBackup",
    "RemoveFinalizer",
];

#[test]
fn a_deleted_resource_leaves_the_mesh_byte_for_byte_as_it_was() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, DOWN);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_nothing_is_left(&cluster);
}

#[rstest]
#[case::managed("Managed")]
#[case::plan("Plan")]
#[case::unmanaged("Unmanaged")]
#[case::removed("Removed")]
fn a_deletion_restores_in_every_management_state(#[case] state: &str) {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&json!({"managementState": state}));
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, DOWN);
    assert_nothing_is_left(&cluster);
}

#[test]
fn removed_takes_everything_back_and_keeps_the_resource() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.change_spec(&json!({"managementState": "Removed"}));
    cluster.settle();
    assert_eq!(cluster.log, DOWN);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.resource().metadata.finalizers, None);
    let status = cluster.status();
    assert_eq!(status.state.as_deref(), Some("Removed"));
    assert_eq!((status.backup, status.draining_since), (None, None));
    let (status, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Removed"));
    assert_eq!(message, "everything is as it was before");

    cluster.change_spec(&json!({"managementState": "Managed"}));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_removal_that_is_called_off_half_way_is_no_reset_by_somebody_else() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![mesh::pod("web", &knows_the_address())];
    cluster.change_spec(&json!({"managementState": "Removed"}));
    cluster.pass_for(3);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert!(cluster.status().draining_since.is_some());

    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.status().mesh.unwrap().reverts, []);
    assert_eq!(cluster.status().draining_since, None);
}

#[test]
fn the_service_waits_for_proxies_that_know_it_until_the_timeout_and_no_longer() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![mesh::pod("web", &knows_the_address())];
    cluster.delete();
    cluster.pass();
    cluster.pass();
    assert_eq!(cluster.log, ["WriteMesh istio", "ReleaseFieldOwnership istio"]);
    cluster.pass();
    let since = cluster.now;
    assert_eq!(cluster.status().draining_since.unwrap().0, since);
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        "mesh config is restored; the collector's Service stays for 1 proxies that still know it, at most 60 s (shop/web-5d8f-x)"
    );
    cluster.advance(59);
    assert_eq!(cluster.plan().steps, []);
    assert_eq!(cluster.plan().status.state.as_deref(), Some("Terminating"));
    cluster.advance(1);
    assert_eq!(names(&cluster.plan().steps), DOWN[2..7]);
}

#[test]
fn the_drain_ends_when_the_last_proxy_has_restarted() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![mesh::pod("web", &knows_the_address())];
    cluster.delete();
    for _ in 0..4 {
        cluster.pass();
    }
    assert_eq!(cluster.plan().steps, []);
    cluster.pods = vec![mesh::pod("web", &json!({}))];
    assert_eq!(names(&cluster.plan().steps), DOWN[2..7]);
}

#[test]
fn a_pod_that_is_ending_is_waited_for_and_need_not_restart() {
    let mut cluster = Cluster::wired(&json!({}));
    let mut pod = mesh::pod("web", &knows_the_address());
    pod["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    cluster.pods = vec![pod];
    cluster.pass();
    assert_eq!(cluster.status().proxies.unwrap().total, 0);
    cluster.delete();
    cluster.pass_for(50);
    assert_eq!(cluster.log, DOWN[..2]);
    cluster.pods.clear();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn the_collector_stays_until_the_pods_could_be_read() {
    let mut cluster = Cluster::wired(&json!({}));
    let error = ReadError::Failed {
        what: "pods".to_owned(),
        message: "timed out".to_owned(),
    };
    cluster.unreadable.proxies = Some(error.clone());
    cluster.delete();
    cluster.settle();
    cluster.advance(3600);
    cluster.settle();
    assert_eq!(cluster.log, DOWN[..2]);
    assert_eq!(
        cluster.condition("CollectorAvailable").2,
        format!("the collector stays until it is known which proxies send to it: {error}")
    );
    assert_eq!(cluster.condition("ProxiesUpToDate").0, "Unknown");
    cluster.unreadable.proxies = None;
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

/// The backup is deleted, and the cache still shows a resource from before, with its finalizer and its old status.
#[test]
fn a_finalizer_whose_removal_was_lost_is_removed_again_and_nothing_is_told() {
    let mut cluster = with_text(FOREIGN, &json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.settle();
    cluster.log.clear();
    cluster.delete();
    let stale = cluster.resources.clone();
    cluster.settle();
    assert_eq!(cluster.log, DOWN);
    cluster.resources = stale;
    cluster.log.clear();
    assert_eq!(cluster.plan().events, []);
    cluster.settle();
    assert_eq!(cluster.log, ["RemoveFinalizer"]);
    assert_eq!(cluster.text("istio").as_deref(), Some(FOREIGN));
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_finalizer_that_can_not_be_removed_is_told_and_nobody_waits_twice() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![mesh::pod("web", &knows_the_address())];
    cluster.refuses = Some(|step| match step {
        Step::RemoveFinalizer => Some(WriteFailure::Failed {
            verb: "patch",
            resource: "meshobservabilities".to_owned(),
            name: ObjectName::new("", "alscope"),
            message: "timed out".to_owned(),
        }),
        _ => None,
    });
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, DOWN[..8]);
    let (_, reason, message) = cluster.condition("Ready");
    assert_eq!(reason, "Terminating");
    assert!(
        message.ends_with("timed out; the operator tries again by itself"),
        "{message}"
    );
    assert_eq!(names(&cluster.plan().steps), ["RemoveFinalizer"]);
    cluster.refuses = None;
    cluster.pass();
    assert_nothing_is_left(&cluster);
}

#[test]
fn the_backup_stays_until_the_collectors_last_pod_is_gone() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.ending_pods = 1;
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, DOWN[..7]);
    assert_eq!(cluster.condition("MeshConfigured").2, "deleting the collector");
    cluster.ending_pods = 0;
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn an_object_that_is_ending_is_not_deleted_again() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.delete();
    cluster.pass();
    cluster.pass();
    for owned in &mut cluster.owned {
        owned.object["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    }
    assert_eq!(cluster.plan().steps, []);
}

#[test]
fn a_resource_that_was_never_acted_on_goes_without_a_step() {
    let mut cluster = Cluster::stock(&json!({}));
    // Another tool's finalizer keeps it.
    cluster.resources[0].metadata.finalizers = Some(vec!["example.com/other".to_owned()]);
    cluster.delete();
    assert_eq!(cluster.plan().steps, []);
    assert_eq!(cluster.plan().status.state.as_deref(), Some("Removed"));
}

#[test]
fn a_resource_that_is_deleted_before_the_mesh_was_wired_leaves_nothing() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.rollout = Rollout::Held;
    cluster.settle();
    cluster.log.clear();
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, [&DOWN[2..7], &DOWN[8..]].concat());
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_mesh_that_is_gone_holds_nobody_up() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.istiods.clear();
    cluster.config_maps.remove(&named("istio"));
    cluster.foreign.clear();
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, DOWN[2..]);
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_resource_that_lost_its_finalizer_is_cleaned_up_after_by_its_backup() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.pods = vec![mesh::pod("web", &knows_the_address())];
    cluster.force_delete();
    assert_eq!(cluster.resources, []);
    cluster.settle();
    assert_eq!(
        cluster.log,
        ["WriteMesh istio", "ReleaseFieldOwnership istio", "DeleteBackup"]
    );
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_backup_without_its_resource_restores_the_address_that_it_names() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.force_delete();
    cluster.settings.cluster_domain = "cluster.example".to_owned();
    cluster.restart();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn what_can_not_be_read_is_not_taken_for_gone() {
    for what in ["collectors", "backups", "mesh"] {
        let mut cluster = Cluster::wired(&json!({}));
        let error = ReadError::Forbidden {
            verb: "list",
            resource: "configmaps".to_owned(),
            namespace: Some("istio-system".to_owned()),
        };
        match what {
            "collectors" => cluster.unreadable.collectors = Some(error),
            "backups" => cluster.unreadable.backups = Some(error),
            _ => {
                let name = ObjectName::new("istio-system", "istio");
                cluster.unreadable.config_maps.insert(name, error);
            }
        }
        cluster.delete();
        cluster.settle();
        assert_eq!(cluster.log, Vec::<String>::new(), "{what}");
        assert_eq!(
            cluster.condition("MeshConfigured").2,
            "the operator may not list configmaps in namespace istio-system; give its service account this right, as the \
             chart's ClusterRole and Role do"
        );
        cluster.unreadable = crate::cluster::Unreadable::default();
        cluster.settle();
        assert_nothing_is_left(&cluster);
    }
}

#[test]
fn a_failed_restore_is_told_and_nothing_else_is_deleted() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.refuses = Some(crate::reading::forbids_mesh);
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        "the operator may not patch configmaps istio-system/istio; give its service account this right: the chart's values \
         mesh.namespace, mesh.revisions and mesh.sharedConfigMap decide it"
    );
    cluster.refuses = None;
    cluster.settle();
    assert_nothing_is_left(&cluster);
}
