//! How far a rollout is, by the status that the controllers of Kubernetes write.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn metadata() -> Value {
    json!({"namespace": "shop", "name": "web", "generation": 3, "resourceVersion": "7"})
}

fn deployment(spec: &Value, status: &Value) -> Workload {
    let mut value = json!({"metadata": metadata(), "spec": spec, "status": status});
    value["spec"]["selector"] = json!({});
    value["spec"]["template"] = json!({"metadata": {"labels": {"app": "web"}}});
    Workload::of_deployment(&serde_json::from_value(value).unwrap())
}

/// The status of three replicas: observed generation, replicas, updated, available, and the reason of `Progressing`.
fn progress(observed: i64, replicas: i32, updated: i32, available: i32, reason: &str) -> Value {
    json!({
        "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available,
        "conditions": [{"type": "Progressing", "status": "True", "reason": reason}],
    })
}

#[rstest]
#[case::complete(progress(3, 3, 3, 3, "NewReplicaSetAvailable"), Rollout::Complete)]
#[case::complete_at_last(progress(3, 3, 3, 3, "ProgressDeadlineExceeded"), Rollout::Complete)]
#[case::spec_not_seen(progress(2, 3, 3, 3, "NewReplicaSetAvailable"), Rollout::Rolling)]
#[case::few_updated(progress(3, 3, 1, 3, "ReplicaSetUpdated"), Rollout::Rolling)]
#[case::old_left(progress(3, 4, 3, 3, "ReplicaSetUpdated"), Rollout::Rolling)]
#[case::not_yet_available(progress(3, 3, 3, 2, "ReplicaSetUpdated"), Rollout::Rolling)]
#[case::no_progress(progress(3, 4, 1, 3, "ProgressDeadlineExceeded"), Rollout::Stuck)]
#[case::failed_later(progress(3, 3, 3, 2, "NewReplicaSetAvailable"), Rollout::Unavailable)]
#[case::no_status(json!({}), Rollout::Rolling)]
fn a_deployment_tells_how_far_it_is(#[case] status: Value, #[case] expected: Rollout) {
    let found = deployment(&json!({"replicas": 3}), &status);
    assert_eq!(found.rollout, expected);
    assert_eq!(found.hold, None);
    assert_eq!(
        (found.name.to_string().as_str(), found.resource_version.as_str()),
        ("shop/web", "7")
    );
    assert_eq!(found.pod_labels["app"], "web");
}

#[test]
fn a_paused_deployment_is_held() {
    let paused = deployment(&json!({"paused": true}), &json!({}));
    assert_eq!(paused.hold, Some(Hold::Paused));
}

fn stateful_set(strategy: &Value, revisions: (&str, &str), available: i32) -> Workload {
    let value = json!({
        "metadata": metadata(),
        "spec": {"replicas": 3, "selector": {}, "serviceName": "", "template": {}, "updateStrategy": strategy},
        "status": {"observedGeneration": 3, "replicas": 3, "availableReplicas": available,
            "currentRevision": revisions.0, "updateRevision": revisions.1},
    });
    Workload::of_stateful_set(&serde_json::from_value(value).unwrap())
}

#[rstest]
#[case::complete(("a", "a"), 3, Rollout::Complete)]
#[case::rolling(("a", "b"), 3, Rollout::Rolling)]
#[case::failed_later(("a", "a"), 2, Rollout::Unavailable)]
fn a_stateful_set_tells_how_far_it_is(
    #[case] revisions: (&str, &str),
    #[case] available: i32,
    #[case] expected: Rollout,
) {
    let found = stateful_set(&json!({"type": "RollingUpdate"}), revisions, available);
    assert_eq!((found.rollout, found.hold), (expected, None));
}

#[rstest]
#[case(json!({"type": "OnDelete"}), Some(Hold::OnDelete))]
#[case(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}), Some(Hold::Partition))]
#[case(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}), None)]
fn a_stateful_set_may_leave_pods_as_they_are(#[case] strategy: Value, #[case] expected: Option<Hold>) {
    assert_eq!(stateful_set(&strategy, ("a", "a"), 3).hold, expected);
}

fn daemon_set(strategy: &str, observed: i64, updated: i32, available: i32) -> Workload {
    let value = json!({
        "metadata": metadata(),
        "spec": {"selector": {}, "template": {}, "updateStrategy": {"type": strategy}},
        "status": {"observedGeneration": observed, "currentNumberScheduled": 3, "numberMisscheduled": 0, "numberReady": 3,
            "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": available},
    });
    Workload::of_daemon_set(&serde_json::from_value(value).unwrap())
}

#[rstest]
#[case::complete(3, 3, 3, Rollout::Complete)]
#[case::spec_not_seen(2, 3, 3, Rollout::Rolling)]
#[case::rolling(3, 1, 3, Rollout::Rolling)]
#[case::not_available(3, 3, 2, Rollout::Unavailable)]
fn a_daemon_set_tells_how_far_it_is(
    #[case] observed: i64,
    #[case] updated: i32,
    #[case] available: i32,
    #[case] expected: Rollout,
) {
    let found = daemon_set("RollingUpdate", observed, updated, available);
    assert_eq!((found.rollout, found.hold), (expected, None));
}

#[test]
fn a_daemon_set_that_waits_for_deletions_is_held() {
    assert_eq!(daemon_set("OnDelete", 3, 0, 3).hold, Some(Hold::OnDelete));
}

#[test]
fn a_restart_is_known_by_the_annotations_of_the_workload() {
    let mut value = json!({"metadata": metadata(), "spec": {"selector": {}, "template": {}}});
    let read = |value: &Value| Workload::of_deployment(&serde_json::from_value(value.clone()).unwrap());
    assert_eq!(read(&value).restarted, None);
    value["metadata"]["annotations"] =
        json!({"alscope.dev/restarted-for": "c:1 b", "alscope.dev/restarted-at": "2027-01-15T08:00:00Z"});
    let expected = Restarted {
        mark: "c:1 b".to_owned(),
        at: Some("2027-01-15T08:00:00Z".parse().unwrap()),
    };
    assert_eq!(read(&value).restarted, Some(expected));
    value["metadata"]["annotations"]["alscope.dev/restarted-at"] = json!("yesterday");
    assert_eq!(read(&value).restarted.unwrap().at, None);
}
