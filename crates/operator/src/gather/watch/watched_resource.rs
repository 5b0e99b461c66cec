//! What a watch is of, and what it means when the API server refuses that.

use alscope_plan::world::ReadError;
use tracing::{info, warn};

use super::state::WatchState;

/// What it means that the API server does not serve a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gather) enum MissingKind {
    /// There is no object of it: the kind belongs to something that need not be installed.
    IsEmpty,
    /// Nothing: its objects may be there again when the kind is.
    IsError,
}

/// What a watch is of.
#[derive(Clone, Debug)]
pub(in crate::gather) struct WatchedResource {
    /// The plural, with its group unless that is the core one.
    pub(super) resource: String,
    namespace: Option<String>,
    absence: MissingKind,
}

impl WatchedResource {
    pub(in crate::gather) fn new(
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        absence: MissingKind,
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
    pub(super) fn refused(&self, verb: &'static str, source: &kube::Error) -> Option<WatchState> {
        let kube::Error::Api(status) = source else {
            return None;
        };
        match (status.code, self.absence) {
            (404, MissingKind::IsEmpty) => Some(WatchState::Absent),
            (404, MissingKind::IsError) => Some(WatchState::Failed(ReadError::Absent {
                resource: self.resource.clone(),
            })),
            (403, _) => Some(WatchState::Failed(ReadError::Forbidden {
                verb,
                resource: self.resource.clone(),
                namespace: self.namespace.clone(),
            })),
            _ => None,
        }
    }

    pub(super) fn log_change(&self, previous: &WatchState, next: &WatchState) {
        match (previous, next) {
            (_, WatchState::Failed(error)) => warn!(%error, "watch failed and is tried again"),
            (WatchState::Failed(_), WatchState::Pending | WatchState::Listed | WatchState::Absent) => {
                info!(resource = %self.resource, "watch is back");
            }
            (WatchState::Pending | WatchState::Listed | WatchState::Absent, _) => {}
        }
    }
}
