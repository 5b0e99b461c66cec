//! The six conditions of a resource. Their types and reasons are part of the API.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{MeshObservability, MeshObservabilityStatus};

/// The type of the condition that the resource is valid and owns its mesh.
pub const ACCEPTED: &str = "Accepted";
/// The type of the condition that the collector takes entries.
pub const COLLECTOR_AVAILABLE: &str = "CollectorAvailable";
/// The type of the condition that the merged mesh config sends access logs to the collector.
pub const MESH_CONFIGURED: &str = "MeshConfigured";
/// The type of the condition that every proxy has the address of the collector.
pub const PROXIES_UP_TO_DATE: &str = "ProxiesUpToDate";
/// The type of the condition that entries came in during the last five minutes.
pub const DATA_FLOWING: &str = "DataFlowing";
/// The type of the condition that the first three are true.
pub const READY: &str = "Ready";

/// The length of the longest message that the API server accepts.
const MAX_MESSAGE_BYTES: usize = 32_768;

/// The state of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionState {
    /// The status, as the API has it.
    pub status: ConditionStatus,
    /// The reason, in one word.
    pub reason: &'static str,
    /// The message: a sentence that says what to do.
    pub message: String,
}

/// The status of a condition (`metav1.ConditionStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// The condition is met.
    True,
    /// The condition is not met.
    False,
    /// The operator could not find out.
    Unknown,
}

impl ConditionStatus {
    /// The spelling of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl ConditionState {
    /// A condition that is met.
    pub fn met(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::True, reason, message)
    }

    /// A condition that is not met.
    pub fn unmet(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::False, reason, message)
    }

    /// A condition that the operator can't know.
    pub fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::Unknown, reason, message)
    }

    fn new(status: ConditionStatus, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }
}

/// The states of all conditions after one pass, but for `Ready`, which follows from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionStates {
    /// The state of [`ACCEPTED`].
    pub accepted: ConditionState,
    /// The state of [`COLLECTOR_AVAILABLE`].
    pub collector_available: ConditionState,
    /// The state of [`MESH_CONFIGURED`].
    pub mesh_configured: ConditionState,
    /// The state of [`PROXIES_UP_TO_DATE`].
    pub proxies_up_to_date: ConditionState,
    /// The state of [`DATA_FLOWING`].
    pub data_flowing: ConditionState,
    /// How many of how many proxies send to the collector; absent where that is not known.
    pub sending: Option<(i64, i64)>,
}

impl ConditionStates {
    /// The state of [`READY`]: met when the first three are, else the first of them that is not. The other two do not count, because a
    /// quiet mesh, or one whose pods have yet to restart, is not broken.
    pub fn ready(&self) -> ConditionState {
        let parts = [&self.accepted, &self.collector_available, &self.mesh_configured];
        match parts
            .into_iter()
            .find(|state| state.status != ConditionStatus::True)
        {
            Some(missing) => missing.clone(),
            None => ConditionState::met("Ready", self.ready_message()),
        }
    }

    fn ready_message(&self) -> String {
        match self.sending {
            Some((sending, total)) if sending < total => format!(
                "{sending} of {total} proxies send their access logs to the collector; ProxiesUpToDate says what the others need"
            ),
            Some(_) | None => "the mesh sends its access logs to the collector".to_owned(),
        }
    }

    /// The states as conditions of the API. `lastTransitionTime` changes only with the status of a condition.
    pub fn to_conditions(&self, previous: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
        let ready = self.ready();
        let states = [
            (ACCEPTED, &self.accepted),
            (COLLECTOR_AVAILABLE, &self.collector_available),
            (MESH_CONFIGURED, &self.mesh_configured),
            (PROXIES_UP_TO_DATE, &self.proxies_up_to_date),
            (DATA_FLOWING, &self.data_flowing),
            (READY, &ready),
        ];
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        states
            .map(|(type_, state)| {
                let same = previous
                    .iter()
                    .find(|condition| condition.type_ == type_ && condition.status == state.status.as_str());
                Condition {
                    type_: type_.to_owned(),
                    status: state.status.as_str().to_owned(),
                    reason: state.reason.to_owned(),
                    message: bounded(&state.message),
                    observed_generation: Some(generation),
                    last_transition_time: same
                        .map_or(Time(second), |condition| condition.last_transition_time.clone()),
                }
            })
            .into()
    }
}

/// `status` with the conditions of this pass, the generation that they are about, and the state that sums them up.
pub(super) fn with_conditions(
    mut status: MeshObservabilityStatus,
    resource: &MeshObservability,
    conditions: &ConditionStates,
    now: Timestamp,
) -> MeshObservabilityStatus {
    let generation = resource.metadata.generation.unwrap_or_default();
    let previous = resource
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    status.conditions = conditions.to_conditions(previous, generation, now);
    status.observed_generation = Some(generation);
    status.state = Some(conditions.ready().reason.to_owned());
    status
}

fn bounded(message: &str) -> String {
    let end = message.floor_char_boundary(MAX_MESSAGE_BYTES);
    message.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn states(mesh: ConditionState) -> ConditionStates {
        ConditionStates {
            accepted: ConditionState::met("Accepted", ""),
            collector_available: ConditionState::met("Available", ""),
            mesh_configured: mesh,
            proxies_up_to_date: ConditionState::unmet("RestartNeeded", ""),
            data_flowing: ConditionState::unknown("NoTraffic", ""),
            sending: None,
        }
    }

    #[test]
    fn proxies_and_flow_stand_beside_ready() {
        assert_eq!(
            states(ConditionState::met("Wired", "")).ready().status,
            ConditionStatus::True
        );
    }

    #[rstest]
    #[case::all(Some((11, 11)), "the mesh sends its access logs to the collector")]
    #[case::not_known(None, "the mesh sends its access logs to the collector")]
    #[case::one(
        Some((1, 11)),
        "1 of 11 proxies send their access logs to the collector; ProxiesUpToDate says what the others need"
    )]
    fn a_ready_mesh_tells_the_share_that_sends(#[case] sending: Option<(i64, i64)>, #[case] message: &str) {
        let states = ConditionStates {
            sending,
            ..states(ConditionState::met("Wired", ""))
        };
        assert_eq!(states.ready(), ConditionState::met("Ready", message));
    }

    #[test]
    fn the_first_that_is_not_true_is_the_reason() {
        let ready = states(ConditionState::unknown("MeshConfigCheckFailed", "look")).ready();
        assert_eq!(
            (ready.status, ready.reason),
            (ConditionStatus::Unknown, "MeshConfigCheckFailed")
        );
    }

    #[test]
    fn a_transition_is_a_change_of_status_alone() {
        let begin = Timestamp::constant(1_000, 0);
        let later = Timestamp::constant(2_000, 500_000_000);
        let first = states(ConditionState::unmet("WaitingForCollector", "a")).to_conditions(&[], 1, begin);
        let second = states(ConditionState::unmet("ForeignAddress", "b")).to_conditions(&first, 2, later);
        let of = |conditions: &[Condition], type_: &str| {
            let condition = conditions.iter().find(|one| one.type_ == type_).unwrap();
            (condition.last_transition_time.0, condition.observed_generation)
        };
        assert_eq!(of(&second, MESH_CONFIGURED), (begin, Some(2)));
        let third = states(ConditionState::met("Wired", "")).to_conditions(&second, 2, later);
        assert_eq!(of(&third, MESH_CONFIGURED).0, Timestamp::constant(2_000, 0));
        assert_eq!(of(&third, ACCEPTED).0, begin);
    }
}
