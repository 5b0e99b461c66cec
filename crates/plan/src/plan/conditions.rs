//! The six conditions of a resource. Their types and reasons are API.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The resource is valid and holds its mesh.
pub const ACCEPTED: &str = "Accepted";
/// The collector takes entries.
pub const COLLECTOR_AVAILABLE: &str = "CollectorAvailable";
/// The merged mesh config sends access logs to the collector.
pub const MESH_CONFIGURED: &str = "MeshConfigured";
/// Every proxy knows the collector's address.
pub const PROXIES_UP_TO_DATE: &str = "ProxiesUpToDate";
/// Entries came in during the last five minutes.
pub const DATA_FLOWING: &str = "DataFlowing";
/// The first three are true.
pub const READY: &str = "Ready";

/// The longest message that the API takes.
const LONGEST_MESSAGE: usize = 32_768;

/// One condition's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// True, False or Unknown.
    pub status: Status,
    /// In one word.
    pub reason: &'static str,
    /// In a sentence, with what to do.
    pub message: String,
}

/// True, False, or could not be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is so.
    True,
    /// It was looked at and is not so.
    False,
    /// It could not be found out.
    Unknown,
}

impl Status {
    /// As the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl Answer {
    /// It is so.
    pub fn yes(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::True, reason, message)
    }

    /// It is not so.
    pub fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::False, reason, message)
    }

    /// It could not be found out.
    pub fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Status::Unknown, reason, message)
    }

    fn new(status: Status, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }
}

/// The answers of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// `Accepted`.
    pub accepted: Answer,
    /// `CollectorAvailable`.
    pub collector_available: Answer,
    /// `MeshConfigured`.
    pub mesh_configured: Answer,
    /// `ProxiesUpToDate`.
    pub proxies_up_to_date: Answer,
    /// `DataFlowing`.
    pub data_flowing: Answer,
}

impl Answers {
    /// `Ready`: the first three, or the first of them that is not true. A quiet mesh, or one whose pods have yet to restart,
    /// is not broken, so the other two stand beside it.
    pub fn ready(&self) -> Answer {
        let parts = [&self.accepted, &self.collector_available, &self.mesh_configured];
        match parts.into_iter().find(|answer| answer.status != Status::True) {
            Some(missing) => missing.clone(),
            None => Answer::yes("Ready", "the mesh sends its access logs to the collector"),
        }
    }

    /// As conditions. The time of a condition's last transition moves only with its status.
    pub fn conditions(&self, previous: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
        let ready = self.ready();
        let answers = [
            (ACCEPTED, &self.accepted),
            (COLLECTOR_AVAILABLE, &self.collector_available),
            (MESH_CONFIGURED, &self.mesh_configured),
            (PROXIES_UP_TO_DATE, &self.proxies_up_to_date),
            (DATA_FLOWING, &self.data_flowing),
            (READY, &ready),
        ];
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        answers
            .map(|(type_, answer)| {
                let same = previous
                    .iter()
                    .find(|condition| condition.type_ == type_ && condition.status == answer.status.name());
                Condition {
                    type_: type_.to_owned(),
                    status: answer.status.name().to_owned(),
                    reason: answer.reason.to_owned(),
                    message: bounded(&answer.message),
                    observed_generation: Some(generation),
                    last_transition_time: same
                        .map_or(Time(second), |condition| condition.last_transition_time.clone()),
                }
            })
            .into()
    }
}

fn bounded(message: &str) -> String {
    let end = message.floor_char_boundary(LONGEST_MESSAGE);
    message.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(mesh: Answer) -> Answers {
        Answers {
            accepted: Answer::yes("Accepted", ""),
            collector_available: Answer::yes("Available", ""),
            mesh_configured: mesh,
            proxies_up_to_date: Answer::no("RestartNeeded", ""),
            data_flowing: Answer::unknown("NoTraffic", ""),
        }
    }

    #[test]
    fn proxies_and_flow_stand_beside_ready() {
        assert_eq!(answers(Answer::yes("Wired", "")).ready().status, Status::True);
    }

    #[test]
    fn the_first_that_is_not_true_is_the_reason() {
        let ready = answers(Answer::unknown("MeshConfigCheckFailed", "look")).ready();
        assert_eq!(
            (ready.status, ready.reason),
            (Status::Unknown, "MeshConfigCheckFailed")
        );
    }

    #[test]
    fn a_transition_is_a_change_of_status_alone() {
        let begin = Timestamp::constant(1_000, 0);
        let later = Timestamp::constant(2_000, 500_000_000);
        let first = answers(Answer::no("WaitingForCollector", "a")).conditions(&[], 1, begin);
        let second = answers(Answer::no("ForeignAddress", "b")).conditions(&first, 2, later);
        let of = |conditions: &[Condition], type_: &str| {
            let condition = conditions.iter().find(|one| one.type_ == type_).unwrap();
            (condition.last_transition_time.0, condition.observed_generation)
        };
        assert_eq!(of(&second, MESH_CONFIGURED), (begin, Some(2)));
        let third = answers(Answer::yes("Wired", "")).conditions(&second, 2, later);
        assert_eq!(of(&third, MESH_CONFIGURED).0, Timestamp::constant(2_000, 0));
        assert_eq!(of(&third, ACCEPTED).0, begin);
    }
}
