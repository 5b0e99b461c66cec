use std::collections::BTreeMap;

use alscope_plan::world::MeshConfigContent;
use rstest::rstest;

use crate::stub_api_server::{StubApiServer, StubResponse};

use super::*;

const OWNER: &str = "/apis/alscope.dev/v1alpha1/meshobservabilities/alscope";
const ISTIO: &str = "/api/v1/namespaces/istio-system/configmaps/istio";
const OWN_CONFIG_MAPS: &str = "/api/v1/namespaces/alscope-system/configmaps";
const OWN_DEPLOYMENT: &str = "/apis/apps/v1/namespaces/alscope-system/deployments/alscope-collector";

fn owner(finalizers: &[&str]) -> MeshObservability {
    serde_json::from_value(json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": "alscope", "uid": "u1", "resourceVersion": "5", "finalizers": finalizers},
        "spec": {},
    }))
    .unwrap()
}

fn istio() -> ObjectName {
    ObjectName::new("istio-system", "istio")
}

fn edit(resource_version: Option<&str>, after: MeshConfigContent) -> Step {
    Step::WriteMesh(MeshEdit {
        config_map: istio(),
        resource_version: resource_version.map(str::to_owned),
        before: None,
        after,
        inherited: None,
    })
}

fn backup(resource_version: Option<&str>) -> Backup {
    Backup {
        uid: "u1".to_owned(),
        resource: "alscope".to_owned(),
        originals: BTreeMap::from([(istio(), MeshConfigContent::KeyAbsent)]),
        resource_version: resource_version.map(str::to_owned),
        ..Backup::default()
    }
}

fn apply() -> Step {
    Step::Apply(DesiredObject {
        kind: OwnedKind::Deployment,
        name: "alscope-collector".to_owned(),
        object: json!({"kind": "Deployment", "spec": {"replicas": 2}}),
    })
}

fn keep_replicas() -> Step {
    Step::KeepReplicas {
        deployment: "alscope-collector".to_owned(),
        uid: "d1".to_owned(),
        replicas: 4,
    }
}

fn delete() -> Step {
    Step::Delete {
        kind: OwnedKind::Deployment,
        name: "alscope-collector".to_owned(),
        uid: "d1".to_owned(),
    }
}

fn release_field_ownership() -> Step {
    Step::ReleaseFieldOwnership {
        config_map: istio(),
        index: 2,
        manager: "alscope-operator".to_owned(),
        resource_version: "7".to_owned(),
    }
}

fn delete_backup() -> Step {
    Step::DeleteBackup {
        uid: "u1".to_owned(),
        resource_version: "3".to_owned(),
    }
}

/// Does a step, to which an API server gives this answer, for a resource with these finalizers.
async fn written(
    step: &Step,
    finalizers: &[&str],
    answer: StubResponse,
) -> (StubApiServer, Result<MeshObservability, StepError>) {
    let stub = StubApiServer::new();
    stub.rule(move |_| answer.clone());
    let writer = StepWriter::new(stub.client(), "alscope-system");
    let result = writer.step(step, owner(finalizers)).await;
    (stub, result)
}

/// What a step says of an answer.
async fn said(step: &Step, answer: StubResponse) -> String {
    match written(step, &[], answer).await.1 {
        Ok(_) => "done".to_owned(),
        Err(StepError::Conflict) => "conflict".to_owned(),
        Err(StepError::Failed(failure)) => failure.to_string(),
    }
}

#[rstest]
#[case::apply(
    apply(),
    &format!("PATCH {OWN_DEPLOYMENT}"),
    json!({"kind": "Deployment", "spec": {"replicas": 2}})
)]
#[case::delete(
    delete(),
    &format!("DELETE {OWN_DEPLOYMENT}"),
    json!({"preconditions": {"uid": "d1"}, "propagationPolicy": "Foreground"})
)]
#[case::delete_backup(
    delete_backup(),
    &format!("DELETE {OWN_CONFIG_MAPS}/alscope-backup-u1"),
    json!({"preconditions": {"resourceVersion": "3"}})
)]
#[case::a_text(
    edit(Some("7"), MeshConfigContent::Text("a: b".to_owned())),
    &format!("PATCH {ISTIO}"),
    json!({"metadata": {"resourceVersion": "7"}, "data": {"mesh": "a: b"}})
)]
#[case::no_key(
    edit(Some("7"), MeshConfigContent::KeyAbsent),
    &format!("PATCH {ISTIO}"),
    json!({"metadata": {"resourceVersion": "7"}, "data": {"mesh": null}})
)]
#[case::no_object(
    edit(Some("7"), MeshConfigContent::ObjectAbsent),
    &format!("DELETE {ISTIO}"),
    json!({"preconditions": {"resourceVersion": "7"}})
)]
#[case::a_new_object(
    edit(None, MeshConfigContent::Text("a: b".to_owned())),
    "POST /api/v1/namespaces/istio-system/configmaps",
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "istio", "namespace": "istio-system",
            "labels": {"app.kubernetes.io/managed-by": "alscope-operator"},
        },
        "data": {"mesh": "a: b"},
    })
)]
#[case::release_field_ownership(
    release_field_ownership(),
    &format!("PATCH {ISTIO}"),
    json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "test", "path": "/metadata/managedFields/2/manager", "value": "alscope-operator"},
        {"op": "remove", "path": "/metadata/managedFields/2"},
    ])
)]
#[tokio::test]
async fn a_step_is_one_guarded_request(#[case] step: Step, #[case] request: &str, #[case] body: Value) {
    let (stub, result) = written(&step, &["a"], StubResponse::Object(json!({"metadata": {}}))).await;
    assert_eq!(stub.writes(), [request]);
    assert_eq!(stub.asked(&["POST", "PATCH", "DELETE"])[0].body, body);
    assert_eq!(
        result.unwrap().metadata.finalizers,
        owner(&["a"]).metadata.finalizers
    );
}

#[rstest]
#[case::a_new_one(None, "POST", "")]
#[case::one_that_is_there(Some("3"), "PUT", "/alscope-backup-u1")]
#[tokio::test]
async fn a_backup_is_created_or_replaced(
    #[case] resource_version: Option<&str>,
    #[case] verb: &str,
    #[case] path: &str,
) {
    let backup = backup(resource_version);
    let answer = StubResponse::Object(json!({"metadata": {}}));
    let (stub, _) = written(&Step::WriteBackup(backup.clone()), &[], answer).await;
    assert_eq!(stub.writes(), [format!("{verb} {OWN_CONFIG_MAPS}{path}")]);
    let body = stub.asked(&[verb])[0].body.clone();
    assert_eq!(body["metadata"]["resourceVersion"].as_str(), resource_version);
    let sent: ConfigMap = serde_json::from_value(body).unwrap();
    assert_eq!(Backup::of(&sent), Some(Ok(backup)));
}

#[rstest]
#[case::added(Step::AddFinalizer, &["a"], &["a", FINALIZER])]
#[case::added_once(Step::AddFinalizer, &[FINALIZER, "a"], &["a", FINALIZER])]
#[case::removed(Step::RemoveFinalizer, &[FINALIZER, "a"], &["a"])]
#[tokio::test]
async fn other_finalizers_stay(#[case] step: Step, #[case] before: &[&str], #[case] after: &[&str]) {
    let newer = serde_json::to_value(owner(&["newest"])).unwrap();
    let (stub, result) = written(&step, before, StubResponse::Object(newer)).await;
    assert_eq!(stub.writes(), [format!("PATCH {OWNER}")]);
    assert_eq!(
        stub.asked(&["PATCH"])[0].body,
        json!({"metadata": {"resourceVersion": "5", "finalizers": after}})
    );
    assert_eq!(
        result.unwrap().metadata.finalizers,
        Some(vec!["newest".to_owned()])
    );
}

#[rstest]
#[case::add_finalizer(Step::AddFinalizer, "conflict")]
#[case::remove_finalizer(Step::RemoveFinalizer, "done")]
#[case::delete(delete(), "done")]
#[case::delete_backup(delete_backup(), "done")]
#[case::delete_mesh(edit(Some("7"), MeshConfigContent::ObjectAbsent), "done")]
#[case::replace_backup(Step::WriteBackup(backup(Some("3"))), "conflict")]
#[tokio::test]
async fn what_is_gone_is_deleted_or_planned_anew(#[case] step: Step, #[case] expected: &str) {
    assert_eq!(said(&step, StubResponse::Code(404)).await, expected);
}

#[rstest]
#[case::create_backup(
    Step::WriteBackup(backup(None)),
    "create of configmaps alscope-system/alscope-backup-u1"
)]
#[case::patch_mesh(
    edit(Some("7"), MeshConfigContent::KeyAbsent),
    "patch of configmaps istio-system/istio"
)]
#[case::create_mesh(
    edit(None, MeshConfigContent::KeyAbsent),
    "create of configmaps istio-system/istio"
)]
#[case::release_field_ownership(release_field_ownership(), "patch of configmaps istio-system/istio")]
#[case::apply(apply(), "patch of deployments alscope-system/alscope-collector")]
#[case::keep_replicas(keep_replicas(), "patch of deployments alscope-system/alscope-collector")]
#[tokio::test]
async fn what_must_be_there_and_is_not_is_a_failure(#[case] step: Step, #[case] request: &str) {
    let text = said(&step, StubResponse::Code(404)).await;
    assert!(text.starts_with(&format!("{request} failed: ")), "{text}");
}

/// A step of each kind, and what is said of its request.
#[rstest]
#[case::add_finalizer(Step::AddFinalizer, "patch", "meshobservabilities alscope")]
#[case::remove_finalizer(Step::RemoveFinalizer, "patch", "meshobservabilities alscope")]
#[case::apply(apply(), "patch", "deployments alscope-system/alscope-collector")]
#[case::keep_replicas(keep_replicas(), "patch", "deployments alscope-system/alscope-collector")]
#[case::delete(delete(), "delete", "deployments alscope-system/alscope-collector")]
#[case::create_backup(
    Step::WriteBackup(backup(None)),
    "create",
    "configmaps alscope-system/alscope-backup-u1"
)]
#[case::replace_backup(
    Step::WriteBackup(backup(Some("3"))),
    "update",
    "configmaps alscope-system/alscope-backup-u1"
)]
#[case::delete_backup(delete_backup(), "delete", "configmaps alscope-system/alscope-backup-u1")]
#[case::create_mesh(
    edit(None, MeshConfigContent::KeyAbsent),
    "create",
    "configmaps istio-system/istio"
)]
#[case::patch_mesh(
    edit(Some("7"), MeshConfigContent::KeyAbsent),
    "patch",
    "configmaps istio-system/istio"
)]
#[case::delete_mesh(
    edit(Some("7"), MeshConfigContent::ObjectAbsent),
    "delete",
    "configmaps istio-system/istio"
)]
#[case::release_field_ownership(release_field_ownership(), "patch", "configmaps istio-system/istio")]
#[tokio::test]
async fn a_conflict_is_planned_anew_and_a_failure_says_what_was_asked(
    #[case] step: Step,
    #[case] verb: &str,
    #[case] object: &str,
) {
    assert_eq!(said(&step, StubResponse::Code(409)).await, "conflict");
    let broken = said(&step, StubResponse::Code(500)).await;
    assert!(
        broken.starts_with(&format!("{verb} of {object} failed: ")),
        "{broken}"
    );
    // A webhook's refusal is no lack of a right.
    let refused = said(
        &step,
        StubResponse::Refusal(403, "admission webhook \"w\" denied the request"),
    )
    .await;
    assert!(
        refused.starts_with(&format!("{verb} of {object} failed: ")) && refused.contains("webhook"),
        "{refused}"
    );
    let no_right = said(
        &step,
        StubResponse::Refusal(403, "configmaps \"x\" is forbidden: User \"y\" cannot"),
    )
    .await;
    let start = format!("the operator may not {verb} {object}; give its service account this right");
    assert!(no_right.starts_with(&start), "{no_right}");
    // The same words with another code are no such refusal.
    let other = said(
        &step,
        StubResponse::Refusal(500, "it is forbidden: User \"y\" cannot"),
    )
    .await;
    assert!(
        other.starts_with(&format!("{verb} of {object} failed: ")),
        "{other}"
    );
}

#[tokio::test]
async fn an_entry_that_has_changed_its_place_is_planned_anew() {
    assert_eq!(
        said(&release_field_ownership(), StubResponse::Code(422)).await,
        "conflict"
    );
    let text = said(
        &edit(Some("7"), MeshConfigContent::KeyAbsent),
        StubResponse::Code(422),
    )
    .await;
    assert!(
        text.starts_with("patch of configmaps istio-system/istio failed: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_writer_shows_nothing_of_its_client() {
    let writer = StepWriter::new(StubApiServer::new().client(), "alscope-system");
    assert_eq!(format!("{writer:?}"), "StepWriter { .. }");
}

/// `managedFields` tells the operator's writes from others' by this name.
#[rstest]
#[case::apply(apply(), &[("fieldManager", "alscope-operator"), ("force", "true")])]
#[case::keep_replicas(keep_replicas(), &[("fieldManager", "alscope-operator-replicas"), ("force", "true")])]
#[case::patch_mesh(edit(Some("7"), MeshConfigContent::KeyAbsent), &[("fieldManager", "alscope-operator")])]
#[case::create_mesh(edit(None, MeshConfigContent::KeyAbsent), &[("fieldManager", "alscope-operator")])]
#[case::create_backup(Step::WriteBackup(backup(None)), &[("fieldManager", "alscope-operator")])]
#[case::replace_backup(Step::WriteBackup(backup(Some("3"))), &[("fieldManager", "alscope-operator")])]
#[case::release_field_ownership(release_field_ownership(), &[])]
#[tokio::test]
async fn a_write_names_its_field_manager(#[case] step: Step, #[case] expected: &[(&str, &str)]) {
    let (stub, _) = written(&step, &[], StubResponse::Object(json!({"metadata": {}}))).await;
    let parameters = &stub.asked(&["POST", "PUT", "PATCH"])[0].parameters;
    let parameters: BTreeMap<&str, &str> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(parameters, expected.iter().copied().collect());
}
