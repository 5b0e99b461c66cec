//! A ConfigMap that a tool adopts after it was wired: an uninstall names it and does not write it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Judged, named};
use crate::edits::delete_and_listen;
use crate::invariants::assert_nothing_is_left;
use crate::mesh::{ADDRESS, CHART, FOREIGN, WIRED};
use crate::refusals::with_text;

/// The wired ConfigMap `istio` gets these marks.
fn adopt(cluster: &mut Cluster, place: &str, mark: &Value) {
    let version = cluster.next_version();
    let stored = cluster.config_maps.get_mut(&named("istio")).unwrap();
    let mut object = serde_json::to_value(&stored.object).unwrap();
    object["metadata"][place] = mark.clone();
    object["metadata"]["resourceVersion"] = json!(version);
    stored.object = serde_json::from_value(object).unwrap();
}

fn argo() -> Value {
    json!({"argocd.argoproj.io/tracking-id": "istio:/ConfigMap:istio-system/istio"})
}

fn what_to_do(tool: &str, place: &str) -> String {
    format!(
        "istio-system/istio is managed by {tool}, which would revert a change, and still sends access logs to {ADDRESS}; remove \
         enableEnvoyAccessLogService and defaultConfig.envoyAccessLogService from {place}"
    )
}

#[rstest]
#[case::argo("annotations", argo(), "Argo CD", "its source")]
#[case::sail("labels", json!({"managed-by": "sail-operator"}), "the Sail operator", "its Istio resource's spec.values.meshConfig")]
fn what_a_tool_would_set_back_is_named_once_and_not_written(
    #[case] place: &str,
    #[case] mark: Value,
    #[case] tool: &str,
    #[case] source: &str,
) {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    adopt(&mut cluster, place, &mark);
    let told = delete_and_listen(&mut cluster);
    assert_eq!(told, [what_to_do(tool, source)]);
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    let of_mesh = cluster.log.iter().filter(|step| step.contains("Mesh"));
    assert_eq!(of_mesh.count(), 0, "{:?}", cluster.log);
    assert_eq!((cluster.resources.len(), cluster.owned.len()), (0, 0));
}

#[test]
fn removed_keeps_saying_what_is_left_to_do() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    adopt(&mut cluster, "annotations", &argo());
    cluster.change_spec(&json!({"managementState": "Removed"}));
    cluster.settle();
    let (_, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!(reason, "Removed");
    let left = what_to_do("Argo CD", "its source");
    assert_eq!(message, format!("everything else is as it was before: {left}"));
}

#[test]
fn what_stood_there_before_is_named_too() {
    let mut cluster = with_text(FOREIGN, &json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.settle();
    cluster.judged = Judged::Never;
    adopt(&mut cluster, "annotations", &argo());
    let told = delete_and_listen(&mut cluster);
    let before = ", or put the address audit.logs:9000 there, which stood there before";
    assert_eq!(told, [format!("{}{before}", what_to_do("Argo CD", "its source"))]);
}

#[test]
fn what_the_source_has_put_back_already_is_not_named() {
    let mut cluster = Cluster::wired(&json!({}));
    adopt(&mut cluster, "annotations", &argo());
    cluster.reset("argocd-controller", CHART);
    assert_eq!(delete_and_listen(&mut cluster), Vec::<String>::new());
    assert_nothing_is_left(&cluster);
}

#[test]
fn without_its_resource_the_backup_stays_until_the_source_is_put_back() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    adopt(&mut cluster, "annotations", &argo());
    cluster.force_delete();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.backups().len(), 1);
    assert_eq!(cluster.log, Vec::<String>::new());
    cluster.reset("argocd-controller", CHART);
    cluster.settle();
    assert_nothing_is_left(&cluster);
}
