//! Two installations in one cluster: a resource belongs to one of them, and the other leaves it alone.

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::assignment::{Assignment, assignment};
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::plan::{self, Plan, Reconciliation};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Judged};
use crate::edits::delete_and_listen;
use crate::mesh::{CHART, FOREIGN, WIRED};
use crate::refusals::with_text;

const OTHER: &str = "team-b";

/// The operator of the other installation plans for the resource `alscope`.
pub(crate) fn plan_of_the_other(cluster: &Cluster) -> Plan {
    let settings = OperatorSettings {
        namespace: OTHER.to_owned(),
        ..cluster.settings.clone()
    };
    plan::plan(&Reconciliation {
        world: &cluster.world(),
        settings: &settings,
        resource: cluster.resource(),
        failure: None,
        now: cluster.now,
    })
}

/// The status of the resource `alscope` is changed by somebody.
fn patch_status(cluster: &mut Cluster, patch: &Value) {
    let mut status = serde_json::to_value(cluster.status()).unwrap();
    for (key, value) in patch.as_object().unwrap() {
        status[key] = value.clone();
    }
    let uid = cluster.resource().metadata.uid.clone().unwrap();
    cluster.write_status(&uid, &serde_json::from_value(status).unwrap());
}

fn annotated(namespace: &str) -> Cluster {
    let mut cluster = Cluster::stock(&json!({}));
    let annotations = [("alscope.dev/operator".to_owned(), namespace.to_owned())];
    cluster.resources[0].metadata.annotations = Some(annotations.into());
    cluster
}

#[rstest]
#[case::wired(json!({}))]
#[case::planned(json!({"managementState": "Plan"}))]
#[case::removed(json!({"managementState": "Removed"}))]
fn the_first_to_act_has_the_resource_and_the_other_leaves_it_alone(#[case] spec: Value) {
    let mut cluster = Cluster::stock(&spec);
    cluster.settle();
    assert_eq!(cluster.status().operator.unwrap().namespace, "alscope-system");
    for is_deleted in [false, true] {
        let plan = plan_of_the_other(&cluster);
        assert_eq!(plan.steps, []);
        assert_eq!(
            plan.status,
            cluster.status(),
            "nothing is written, not even the status"
        );
        assert_eq!(plan.events.len(), 1);
        assert_eq!(plan.events[0].reason, "BelongsToAnotherOperator");
        assert!(!plan.events[0].is_warning);
        assert_eq!(
            plan.events[0].message,
            "the resource belongs to the operator in namespace alscope-system, so the one in namespace team-b leaves it alone; if \
             that one is gone for good, hand the resource over: kubectl patch meshobs alscope --subresource=status --type=merge \
             -p '{\"status\":{\"operator\":{\"namespace\":\"team-b\"}}}'"
        );
        if !is_deleted {
            cluster.resources[0].metadata.finalizers = Some(vec![crate::mesh::FINALIZER.to_owned()]);
            cluster.delete();
        }
    }
}

#[test]
fn a_resource_that_asks_for_an_operator_is_taken_by_that_one_alone() {
    let mut cluster = annotated(OTHER);
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(
        cluster.resource().status,
        Some(alscope_plan::api::MeshObservabilityStatus::default())
    );
    assert_eq!(
        cluster.plan().events[0].message,
        "the resource asks for the operator in namespace team-b, so the one in namespace alscope-system leaves it alone; if this \
         one is to take it: kubectl annotate meshobs alscope --overwrite alscope.dev/operator=alscope-system"
    );
    let plan = plan_of_the_other(&cluster);
    assert_ne!(plan.steps, []);
    assert_eq!(plan.status.operator.unwrap().namespace, OTHER);

    let mut cluster = annotated("alscope-system");
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

/// Once it belongs to one, only its status says whose it is.
#[test]
fn an_annotation_alone_hands_nothing_over() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.resources[0].metadata.annotations =
        Some([("alscope.dev/operator".to_owned(), OTHER.to_owned())].into());
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.mesh_configured().1, "Wired");
    assert_eq!(plan_of_the_other(&cluster).steps, []);
}

#[rstest]
#[case::backup(json!({"backup": {"configMap": "team-b/alscope-backup-1"}}), Assignment::Other("team-b"))]
#[case::collector(
    json!({"collector": {"address": "a-collector.team-b.svc.cluster.local:11800", "image": "", "replicas": 1, "readyReplicas": 0}}),
    Assignment::Other("team-b")
)]
#[case::said(
    json!({"operator": {"namespace": "alscope-system"}, "backup": {"configMap": "team-b/alscope-backup-1"}}),
    Assignment::Ours
)]
#[case::nothing(json!({"state": "MeshAlreadyClaimed"}), Assignment::Unassigned)]
fn an_older_status_says_whose_it_is_by_its_places(
    #[case] status: Value,
    #[case] expected: Assignment<'static>,
) {
    let mut resource: MeshObservability = Cluster::stock(&json!({})).resources.remove(0);
    resource.status = Some(serde_json::from_value(status).unwrap());
    assert_eq!(assignment(&resource, "alscope-system"), expected);
}

/// The first installation is gone with its namespace, and with that the backup and the collector.
fn taken_over(start: Cluster) -> Cluster {
    let mut cluster = start;
    cluster.settle();
    cluster.judged = Judged::Never;
    cluster.lose_the_backup();
    cluster.owned.clear();
    OTHER.clone_into(&mut cluster.settings.namespace);
    cluster.restart();
    cluster.log.clear();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new(), "it is not its own yet");
    patch_status(&mut cluster, &json!({"operator": {"namespace": OTHER}}));
    cluster
}

#[test]
fn a_resource_that_was_handed_over_is_wired_to_the_new_collector() {
    let mut cluster = taken_over(Cluster::stock(&json!({})));
    cluster.settle();
    assert_eq!(
        cluster.text("istio").unwrap(),
        WIRED.replace("alscope-collector.alscope-system", "alscope-collector.team-b")
    );
    assert_eq!(cluster.status().operator.unwrap().namespace, OTHER);
    assert_eq!(
        cluster.status().mesh.unwrap().reverts,
        [],
        "nobody has set anything back"
    );
    assert_eq!(cluster.condition("Ready").0, "True");
    assert_eq!(delete_and_listen(&mut cluster), Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
}

#[test]
fn a_resource_that_was_handed_over_while_it_is_deleted_restores_its_mesh() {
    for start in [
        Cluster::stock(&json!({})),
        with_text(FOREIGN, &json!({"mesh": {"conflictPolicy": "Overwrite"}})),
    ] {
        let mut cluster = taken_over(start);
        cluster.delete();
        cluster.settle();
        let text = cluster.text("istio").unwrap();
        assert!(!text.contains("alscope"), "{text}");
        assert_eq!(cluster.resources, []);
    }
}
