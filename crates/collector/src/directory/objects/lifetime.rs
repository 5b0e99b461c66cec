//! The times between which a pod has its addresses, read from its status.
//!
//! Kubernetes cuts its times to whole seconds, so an event lies somewhere within the second of its time. A
//! beginning or an end is certain only when that second is over.

use std::time::Duration;

use alscope_analysis::moment::Moment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, PodStatus};

use super::moment;

/// Returns the time from which on the pod certainly has its addresses. That is when its sandbox, which has
/// them, was ready (Kubernetes 1.29 and later report it); else when its first container that runs or ran
/// was started; else, if the status says nothing of containers, when the pod was started.
pub(super) fn addressed(status: &PodStatus) -> Option<Moment> {
    let mut conditions = status.conditions.iter().flatten();
    let ready = conditions
        .find(|condition| condition.type_ == "PodReadyToStartContainers" && condition.status == "True")
        .and_then(|condition| condition.last_transition_time.as_ref());
    let running = states(status).filter_map(|state| state.running.as_ref()?.started_at.as_ref());
    let ended = containers(status).filter_map(|container| ended(container)?.started_at.as_ref());
    let first = running.map(moment).min().or_else(|| ended.map(moment).min());
    match ready.map(moment).or(first) {
        None if containers(status).next().is_none() => status.start_time.as_ref().map(moment),
        given => given.map(end_of_second),
    }
}

/// Returns the time at which the pod gave its addresses back. That is when its last container ended and
/// none will be started again, because the phase is terminal or the pod is being deleted. If the status
/// does not say when every container ended, because the pod was evicted or its node was lost, it is when
/// the pod's conditions last changed.
pub(super) fn finished(status: &PodStatus, is_being_deleted: bool) -> Option<Moment> {
    let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let is_running = states(status).any(|state| state.running.is_some());
    if !is_over && (!is_being_deleted || is_running) {
        return None;
    }
    let ended: Vec<&ContainerStateTerminated> = containers(status).filter_map(ended).collect();
    let are_all_told = ended.iter().all(|ended| ended.finished_at.is_some());
    let ends = ended.iter().filter_map(|ended| ended.finished_at.as_ref());
    let last = ends.map(moment).max();
    if !is_over {
        return last.filter(|_| are_all_told).map(end_of_second);
    }
    let conditions = status.conditions.iter().flatten();
    let changed = conditions.filter_map(|condition| condition.last_transition_time.as_ref());
    let changed = changed
        .map(moment)
        .max()
        .filter(|_| last.is_none() || !are_all_told);
    let end = last.max(changed).or(status.start_time.as_ref().map(moment));
    end.map(end_of_second)
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let own = status.container_statuses.iter().flatten();
    own.chain(status.init_container_statuses.iter().flatten())
}

/// Returns how the container ended, this time or the last time.
fn ended(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let mut states = [&container.state, &container.last_state].into_iter().flatten();
    states.find_map(|state| state.terminated.as_ref())
}

fn states(status: &PodStatus) -> impl Iterator<Item = &ContainerState> {
    containers(status).filter_map(|container| container.state.as_ref())
}

fn end_of_second(time: Moment) -> Moment {
    time.plus(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// Formats 10:00:00 plus this many seconds, as Kubernetes writes it.
    fn time(seconds: i64) -> String {
        format!("2026-01-01T10:{:02}:{:02}Z", seconds / 60, seconds % 60)
    }

    /// Converts a moment to seconds after 10:00:00.
    fn seconds(moment: Option<Moment>) -> Option<i64> {
        let start: jiff::Timestamp = time(0).parse().unwrap();
        moment.map(|moment| moment.0 / 1_000_000_000 - start.as_second())
    }

    fn status(fields: Value) -> PodStatus {
        serde_json::from_value(fields).unwrap()
    }

    /// Builds a container with its current state and the state before it.
    fn container(state: &Value, last_state: &Value) -> Value {
        json!({ "name": "a", "image": "x", "imageID": "x", "ready": false, "restartCount": 0, "state": state, "lastState": last_state })
    }

    fn running(since: i64) -> Value {
        container(&json!({ "running": { "startedAt": time(since) } }), &json!({}))
    }

    fn ended(since: i64, until: i64) -> Value {
        let state = json!({ "exitCode": 0, "startedAt": time(since), "finishedAt": time(until) });
        container(&json!({ "terminated": state }), &json!({}))
    }

    fn waiting() -> Value {
        container(&json!({ "waiting": { "reason": "PodInitializing" } }), &json!({}))
    }

    /// The state of a container on a node that came back: nobody saw it end.
    fn lost() -> Value {
        container(
            &json!({ "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown" } }),
            &json!({}),
        )
    }

    /// The state of a container that ended and will be started again.
    fn crashed(until: i64) -> Value {
        let last = json!({ "terminated": { "exitCode": 1, "finishedAt": time(until) } });
        container(&json!({ "waiting": { "reason": "CrashLoopBackOff" } }), &last)
    }

    fn condition(kind: &str, status: &str, changed: i64) -> Value {
        json!({ "type": kind, "status": status, "lastTransitionTime": time(changed) })
    }

    #[rstest]
    // proves: directory/later-owner
    #[case::sandbox(json!([condition("PodReadyToStartContainers", "True", 7)]), json!([running(9)]), Some(8))]
    #[case::sandbox_gone(json!([condition("PodReadyToStartContainers", "False", 70)]), json!([ended(9, 60)]), Some(10))]
    // proves: directory/later-owner
    #[case::first_that_runs(json!([]), json!([running(12), running(9), ended(3, 4)]), Some(10))]
    #[case::ended(json!([]), json!([ended(12, 20), ended(9, 20)]), Some(10))]
    #[case::none_started_yet(json!([]), json!([waiting()]), None)]
    // proves: directory/later-owner
    #[case::nothing_told_of_containers(json!([]), json!([]), Some(2))]
    fn a_pod_certainly_has_its_addresses_since_its_sandbox_is_ready(
        #[case] conditions: Value,
        #[case] containers: Value,
        #[case] expected: Option<i64>,
    ) {
        let status = status(
            json!({ "startTime": time(2), "conditions": conditions, "containerStatuses": containers }),
        );
        assert_eq!(seconds(addressed(&status)), expected);
    }

    const LIVES: bool = false;
    const BEING_DELETED: bool = true;

    #[rstest]
    // proves: directory/finished-pod
    #[case::last_container("Succeeded", LIVES, json!([ended(9, 60), ended(9, 80), ended(9, 70)]), Some(81))]
    #[case::running("Running", LIVES, json!([running(9)]), None)]
    #[case::is_restarted("Running", LIVES, json!([ended(9, 60)]), None)]
    // proves: directory/finished-pod
    #[case::deleted_while_it_runs("Running", BEING_DELETED, json!([ended(9, 60), running(9)]), None)]
    // proves: directory/finished-pod
    #[case::held_by_a_finalizer("Running", BEING_DELETED, json!([ended(9, 60), ended(9, 80)]), Some(81))]
    // proves: directory/finished-pod
    #[case::deleted_between_crashes("Running", BEING_DELETED, json!([crashed(60)]), Some(61))]
    #[case::deleted_before_it_ran("Pending", BEING_DELETED, json!([waiting()]), None)]
    #[case::nobody_saw_the_end("Running", BEING_DELETED, json!([ended(9, 60), lost()]), None)]
    // proves: directory/finished-pod
    #[case::evicted("Failed", LIVES, json!([]), Some(91))]
    // proves: directory/finished-pod
    #[case::failed_and_nobody_saw_the_end("Failed", LIVES, json!([ended(9, 60), lost()]), Some(91))]
    #[case::conditions_change_later("Failed", LIVES, json!([ended(9, 60)]), Some(61))]
    fn a_pod_is_finished_when_its_last_container_is_and_none_is_started_again(
        #[case] phase: &str,
        #[case] is_being_deleted: bool,
        #[case] containers: Value,
        #[case] expected: Option<i64>,
    ) {
        let status = status(json!({
            "phase": phase, "startTime": time(2), "containerStatuses": containers,
            "conditions": [condition("Initialized", "True", 3), condition("Ready", "False", 90)],
        }));
        assert_eq!(seconds(finished(&status, is_being_deleted)), expected);
    }
}
