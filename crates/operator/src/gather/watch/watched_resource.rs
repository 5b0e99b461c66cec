//! What a watch is of, and what it means when the API server refuses that.

use alscope_plan::world::ReadError;
use tracing::{info, warn};

use super::State;

/// What it means that the API server does not serve a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gather) enum Absence {
    /// There is no object of it: the kind belongs to something that need not be installed.
    IsEmpty,
    /// Nothing: its objects may be there again when the kind is.
    IsAFault,
}

/// What a watch is of.
#[derive(Clone, Debug)]
pub(in crate::gather) struct Subject {
    /// The plural, with its group unless that is the core one.
    pub(super) resource: String,
    namespace: Option<String>,
    absence: Absence,
}

impl Subject {
    pub(in crate::gather) fn new(
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        absence: Absence,
    ) -> Self {
        let resource = if group.is_empty() {
            plural.to_owned()
        } else {
            format!("{plural}.{group}")
        };
        Self {
            resource,
            namespace: namespace.map(str::to_owned),
            absence,
        }
    }

    /// The plural, with its group unless that is the core one.
    pub(in crate::gather) fn resource(&self) -> &str {
        &self.resource
    }

    /// Why nothing is known before the first list.
    pub(in crate::gather) fn unlisted(&self) -> ReadError {
        ReadError::Failed {
            what: self.resource.clone(),
            message: "it has not been listed yet".to_owned(),
        }
    }

    /// What an answer of the API server says about the kind, if it refuses it.
    pub(super) fn refused(&self, verb: &'static str, source: &kube::Error) -> Option<State> {
        let kube::Error::Api(status) = source else {
            return None;
        };
        match (status.code, self.absence) {
            (404, Absence::IsEmpty) => Some(State::Absent),
            (404, Absence::IsAFault) => Some(State::Failed(ReadError::Absent {
                resource: self.resource.clone(),
            })),
            (403, _) => Some(State::Failed(ReadError::Forbidden {
                verb,
                resource: self.resource.clone(),
                namespace: self.namespace.clone(),
            })),
            _ => None,
        }
    }

    pub(super) fn tell(&self, previous: &State, next: &State) {
        match (previous, next) {
            (_, State::Failed(error)) => warn!(%error, "watch failed and is tried again"),
            (State::Failed(_), State::Pending | State::Listed | State::Absent) => {
                info!(resource = %self.resource, "watch is back");
            }
            (State::Pending | State::Listed | State::Absent, _) => {}
        }
    }
}
