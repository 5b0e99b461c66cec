//! Kubernetes events for changes of the status: a change is an event, its repetition is not.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::MeshObservabilityStatus;

use super::conditions::{COLLECTOR_AVAILABLE, DATA_FLOWING, MESH_CONFIGURED, READY};

/// An event of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceEvent {
    /// Whether it is a `Warning`, and not `Normal`.
    pub is_warning: bool,
    /// The reason, in one word.
    pub reason: String,
    /// The message, in a sentence.
    pub message: String,
}

/// The events for the changes from one status to the next.
pub fn transition_events(
    previous: &MeshObservabilityStatus,
    next: &MeshObservabilityStatus,
) -> Vec<ResourceEvent> {
    let told = [COLLECTOR_AVAILABLE, MESH_CONFIGURED, DATA_FLOWING, READY];
    let mut events: Vec<ResourceEvent> = told
        .into_iter()
        .filter_map(|type_| transition_event(find(previous, type_), find(next, type_)?))
        .collect();
    events.extend(revert_events(previous, next));
    events.extend(stop_event(previous, next));
    events
}

/// The event for restarts that have stopped, for a new reason.
fn stop_event(previous: &MeshObservabilityStatus, next: &MeshObservabilityStatus) -> Option<ResourceEvent> {
    let stopped = |status: &MeshObservabilityStatus| status.restarts.as_ref()?.stopped.clone();
    let message = stopped(next).filter(|message| stopped(previous).as_ref() != Some(message))?;
    Some(ResourceEvent {
        is_warning: true,
        reason: "RestartStopped".to_owned(),
        message,
    })
}

fn find<'a>(status: &'a MeshObservabilityStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// The event for a condition that became true, or is not true for a new reason. Progress is no event.
fn transition_event(previous: Option<&Condition>, next: &Condition) -> Option<ResourceEvent> {
    let same =
        previous.is_some_and(|previous| previous.status == next.status && previous.reason == next.reason);
    let is_true = next.status == "True";
    let is_under_way = matches!(
        next.reason.as_str(),
        "Writing"
            | "WaitingForQuiet"
            | "WaitingForCollector"
            | "RestorePending"
            | "CollectorProgressing"
            | "NoTraffic"
            | "NoReplicaAnswered"
    );
    let is_summary = next.type_ == READY && !is_true;
    if same || is_summary || (is_under_way && !is_true) {
        return None;
    }
    let is_wanted = matches!(
        next.reason.as_str(),
        "Removed" | "Removing" | "Terminating" | "PlanOnly" | "Unmanaged"
    );
    Some(ResourceEvent {
        is_warning: !is_true && !is_wanted,
        reason: next.reason.clone(),
        message: next.message.clone(),
    })
}

fn revert_events(
    previous: &MeshObservabilityStatus,
    next: &MeshObservabilityStatus,
) -> impl Iterator<Item = ResourceEvent> {
    let known = previous
        .mesh
        .as_ref()
        .map(|mesh| mesh.reverts.clone())
        .unwrap_or_default();
    let all = next
        .mesh
        .as_ref()
        .map(|mesh| mesh.reverts.clone())
        .unwrap_or_default();
    all.into_iter()
        .filter(move |reset| !known.contains(reset))
        .map(|reset| ResourceEvent {
            is_warning: true,
            reason: "MeshConfigReverted".to_owned(),
            message: format!("{} reverted mesh config in {}", reset.manager, reset.config_map),
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::conditions::{ConditionState, ConditionStates};
    use super::*;
    use crate::api::RestartsStatus;

    fn status(collector: ConditionState, mesh: ConditionState) -> MeshObservabilityStatus {
        let conditions = ConditionStates {
            accepted: ConditionState::met("Accepted", ""),
            collector_available: collector,
            mesh_configured: mesh,
            proxies_up_to_date: ConditionState::unmet("RestartNeeded", ""),
            data_flowing: ConditionState::unknown("NoTraffic", ""),
            sending: None,
        };
        MeshObservabilityStatus {
            conditions: conditions.to_conditions(&[], 1, jiff::Timestamp::UNIX_EPOCH),
            ..MeshObservabilityStatus::default()
        }
    }

    #[test]
    fn the_same_status_is_no_event() {
        let status = status(
            ConditionState::met("Available", ""),
            ConditionState::met("Wired", ""),
        );
        assert_eq!(transition_events(&status, &status), []);
    }

    #[test]
    fn becoming_ready_is_told_once_for_each_part() {
        let before = status(
            ConditionState::unmet("CollectorProgressing", ""),
            ConditionState::unmet("WaitingForCollector", ""),
        );
        let after = status(
            ConditionState::met("Available", "a"),
            ConditionState::met("Wired", "b"),
        );
        let reasons: Vec<String> = transition_events(&before, &after)
            .into_iter()
            .map(|event| {
                assert!(!event.is_warning);
                event.reason
            })
            .collect();
        assert_eq!(reasons, ["Available", "Wired", "Ready"]);
    }

    #[test]
    fn restarts_that_stop_are_told_once() {
        let status = |stopped: Option<&str>| MeshObservabilityStatus {
            restarts: Some(RestartsStatus {
                stopped: stopped.map(str::to_owned),
                ..RestartsStatus::default()
            }),
            ..MeshObservabilityStatus::default()
        };
        let expected = ResourceEvent {
            is_warning: true,
            reason: "RestartStopped".to_owned(),
            message: "look".to_owned(),
        };
        assert_eq!(
            transition_events(&status(None), &status(Some("look"))),
            [expected]
        );
        assert_eq!(
            transition_events(&status(Some("look")), &status(Some("look"))),
            []
        );
        assert_eq!(transition_events(&status(Some("look")), &status(None)), []);
    }

    #[rstest]
    #[case("ForeignAddress", true)]
    #[case("Terminating", false)]
    fn a_refusal_is_a_warning_and_what_was_asked_for_is_not(
        #[case] reason: &'static str,
        #[case] warns: bool,
    ) {
        let before = status(
            ConditionState::met("Available", ""),
            ConditionState::unmet("WaitingForCollector", ""),
        );
        let after = status(
            ConditionState::met("Available", ""),
            ConditionState::unmet(reason, ""),
        );
        let events = transition_events(&before, &after);
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].reason.as_str(), events[0].is_warning), (reason, warns));
    }
}
