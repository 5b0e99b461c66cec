//! What people should read as events: changes of conditions, not their repetition.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::MeshObservabilityStatus;

use super::conditions::{COLLECTOR_AVAILABLE, DATA_FLOWING, MESH_CONFIGURED, READY};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether something is wrong.
    pub is_warning: bool,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// The events between two statuses.
pub fn transitions(previous: &MeshObservabilityStatus, next: &MeshObservabilityStatus) -> Vec<Note> {
    let told = [COLLECTOR_AVAILABLE, MESH_CONFIGURED, DATA_FLOWING, READY];
    let mut notes: Vec<Note> = told
        .into_iter()
        .filter_map(|type_| transition(find(previous, type_), find(next, type_)?))
        .collect();
    notes.extend(resets(previous, next));
    notes
}

fn find<'a>(status: &'a MeshObservabilityStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// A condition that turned true, or is not true for a new reason. What is only under way is not told.
fn transition(previous: Option<&Condition>, next: &Condition) -> Option<Note> {
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
    Some(Note {
        is_warning: !is_true && !is_wanted,
        reason: next.reason.clone(),
        message: next.message.clone(),
    })
}

fn resets(previous: &MeshObservabilityStatus, next: &MeshObservabilityStatus) -> impl Iterator<Item = Note> {
    let known = previous
        .mesh
        .as_ref()
        .map(|mesh| mesh.resets.clone())
        .unwrap_or_default();
    let all = next
        .mesh
        .as_ref()
        .map(|mesh| mesh.resets.clone())
        .unwrap_or_default();
    all.into_iter()
        .filter(move |reset| !known.contains(reset))
        .map(|reset| Note {
            is_warning: true,
            reason: "MeshConfigReverted".to_owned(),
            message: format!("{} set mesh config in {} back", reset.manager, reset.config_map),
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::conditions::{Answer, Answers};
    use super::*;

    fn status(collector: Answer, mesh: Answer) -> MeshObservabilityStatus {
        let answers = Answers {
            accepted: Answer::yes("Accepted", ""),
            collector_available: collector,
            mesh_configured: mesh,
            proxies_up_to_date: Answer::no("RestartNeeded", ""),
            data_flowing: Answer::unknown("NoTraffic", ""),
        };
        MeshObservabilityStatus {
            conditions: answers.conditions(&[], 1, jiff::Timestamp::UNIX_EPOCH),
            ..MeshObservabilityStatus::default()
        }
    }

    #[test]
    fn the_same_status_is_no_event() {
        let status = status(Answer::yes("Available", ""), Answer::yes("Wired", ""));
        assert_eq!(transitions(&status, &status), []);
    }

    #[test]
    fn becoming_ready_is_told_once_for_each_part() {
        let before = status(
            Answer::no("CollectorProgressing", ""),
            Answer::no("WaitingForCollector", ""),
        );
        let after = status(Answer::yes("Available", "a"), Answer::yes("Wired", "b"));
        let reasons: Vec<String> = transitions(&before, &after)
            .into_iter()
            .map(|note| {
                assert!(!note.is_warning);
                note.reason
            })
            .collect();
        assert_eq!(reasons, ["Available", "Wired", "Ready"]);
    }

    #[rstest]
    #[case("ForeignAddress", true)]
    #[case("Terminating", false)]
    fn a_refusal_is_a_warning_and_what_was_asked_for_is_not(
        #[case] reason: &'static str,
        #[case] warns: bool,
    ) {
        let before = status(
            Answer::yes("Available", ""),
            Answer::no("WaitingForCollector", ""),
        );
        let after = status(Answer::yes("Available", ""), Answer::no(reason, ""));
        let notes = transitions(&before, &after);
        assert_eq!(notes.len(), 1);
        assert_eq!((notes[0].reason.as_str(), notes[0].is_warning), (reason, warns));
    }
}
