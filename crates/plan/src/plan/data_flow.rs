//! `DataFlowing`: whether entries come in, by what the replicas say.

use std::time::Duration;

use jiff::Timestamp;

use crate::world::Intake;

use super::conditions::Answer;

/// A mesh without a call for so long is quiet.
const RECENT: Duration = Duration::from_mins(5);

/// Judges what the replicas have received.
pub fn answer(intakes: &[Option<Intake>], now: Timestamp) -> Answer {
    let answered: Vec<&Intake> = intakes.iter().flatten().collect();
    if answered.is_empty() {
        return Answer::unknown(
            "NoReplicaAnswered",
            "no collector answers on its admin port yet; look at CollectorAvailable",
        );
    }
    let begin = now - RECENT;
    let last = answered.iter().filter_map(|intake| intake.last_entry_at).max();
    let rejected: u64 = answered.iter().map(|intake| intake.messages_rejected).sum();
    match last {
        Some(last) if last > begin => Answer::yes(
            "EntriesReceived",
            "access-log entries came in during the last five minutes",
        ),
        None if rejected > 0 => Answer::no(
            "NotReceiving",
            "proxies send, and no message could be read; see alscope_messages_rejected_total by reason on the collector's port 9090",
        ),
        Some(_) | None => Answer::unknown(
            "NoTraffic",
            "no access-log entry came in during the last five minutes: there was no call, or only between proxies that have yet to restart",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::conditions::Status;
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn intake(seconds_ago: Option<i64>, rejected: u64) -> Intake {
        Intake {
            entries_received: u64::from(seconds_ago.is_some()),
            messages_rejected: rejected,
            last_entry_at: seconds_ago.map(|seconds| NOW - jiff::SignedDuration::from_secs(seconds)),
        }
    }

    fn judged(intakes: &[Option<Intake>]) -> (Status, &'static str) {
        let answer = answer(intakes, NOW);
        (answer.status, answer.reason)
    }

    #[test]
    fn one_replica_that_receives_is_enough() {
        let intakes = [None, Some(intake(None, 0)), Some(intake(Some(299), 0))];
        assert_eq!(judged(&intakes), (Status::True, "EntriesReceived"));
    }

    #[test]
    fn a_quiet_mesh_is_not_broken() {
        assert_eq!(judged(&[Some(intake(None, 0))]), (Status::Unknown, "NoTraffic"));
        assert_eq!(
            judged(&[Some(intake(Some(300), 0))]),
            (Status::Unknown, "NoTraffic")
        );
    }

    #[test]
    fn messages_that_nobody_can_read_are_evidence() {
        assert_eq!(judged(&[Some(intake(None, 3))]), (Status::False, "NotReceiving"));
        assert_eq!(
            judged(&[Some(intake(Some(1), 3))]),
            (Status::True, "EntriesReceived")
        );
    }

    #[test]
    fn silence_of_the_replicas_says_nothing() {
        assert_eq!(judged(&[None]), (Status::Unknown, "NoReplicaAnswered"));
        assert_eq!(judged(&[]), (Status::Unknown, "NoReplicaAnswered"));
    }
}
