//! `DataFlowing`: whether entries come in, by the counts of the replicas.

use std::time::Duration;

use jiff::Timestamp;

use crate::world::ReplicaStatus;

use super::conditions::ConditionState;

/// How long the last entry may be ago.
const TRAFFIC_WINDOW: Duration = Duration::from_mins(5);

/// Judges what the replicas have received; `None` stands for a replica that does not answer.
pub fn condition(replica_statuses: &[Option<ReplicaStatus>], now: Timestamp) -> ConditionState {
    let answered: Vec<&ReplicaStatus> = replica_statuses.iter().flatten().collect();
    if answered.is_empty() {
        return ConditionState::unknown(
            "NoReplicaAnswered",
            "no collector answers on its admin port yet; look at CollectorAvailable",
        );
    }
    let begin = now - TRAFFIC_WINDOW;
    let last = answered.iter().filter_map(|intake| intake.last_entry_at).max();
    let rejected: u64 = answered.iter().map(|intake| intake.messages_rejected).sum();
    match last {
        Some(last) if last > begin => ConditionState::met(
            "EntriesReceived",
            "access-log entries came in during the last five minutes",
        ),
        None if rejected > 0 => ConditionState::unmet(
            "NotReceiving",
            "proxies send, and no message could be read; see alscope_messages_rejected_total by reason on the collector's port 9090",
        ),
        Some(_) | None => ConditionState::unknown(
            "NoTraffic",
            "no access-log entry came in during the last five minutes: there was no call, or only between proxies that have yet to restart",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::conditions::ConditionStatus;
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn intake(seconds_ago: Option<i64>, rejected: u64) -> ReplicaStatus {
        ReplicaStatus {
            entries_received: u64::from(seconds_ago.is_some()),
            messages_rejected: rejected,
            last_entry_at: seconds_ago.map(|seconds| NOW - jiff::SignedDuration::from_secs(seconds)),
        }
    }

    fn judged(replica_statuses: &[Option<ReplicaStatus>]) -> (ConditionStatus, &'static str) {
        let condition = condition(replica_statuses, NOW);
        (condition.status, condition.reason)
    }

    #[test]
    fn one_replica_that_receives_is_enough() {
        let replica_statuses = [None, Some(intake(None, 0)), Some(intake(Some(299), 0))];
        assert_eq!(
            judged(&replica_statuses),
            (ConditionStatus::True, "EntriesReceived")
        );
    }

    #[test]
    fn a_quiet_mesh_is_not_broken() {
        assert_eq!(
            judged(&[Some(intake(None, 0))]),
            (ConditionStatus::Unknown, "NoTraffic")
        );
        assert_eq!(
            judged(&[Some(intake(Some(300), 0))]),
            (ConditionStatus::Unknown, "NoTraffic")
        );
    }

    #[test]
    fn messages_that_nobody_can_read_are_evidence() {
        assert_eq!(
            judged(&[Some(intake(None, 3))]),
            (ConditionStatus::False, "NotReceiving")
        );
        assert_eq!(
            judged(&[Some(intake(Some(1), 3))]),
            (ConditionStatus::True, "EntriesReceived")
        );
    }

    #[test]
    fn silence_of_the_replicas_says_nothing() {
        assert_eq!(judged(&[None]), (ConditionStatus::Unknown, "NoReplicaAnswered"));
        assert_eq!(judged(&[]), (ConditionStatus::Unknown, "NoReplicaAnswered"));
    }
}
