//! The resource that a watch reads, and what a refusal of the API server means.

use alscope_plan::world::ReadError;
use tracing::{info, warn};

use super::state::WatchState;

/// What it means that the API server does not serve a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gather) enum MissingKind {
    /// There is no object of it: the kind belongs to something that need not be installed.
    IsEmpty,
    /// It is an error: its objects may exist again when the kind does.
    IsError,
}

/// The resource that a watch reads.
#[derive(Clone, Debug)]
pub(in crate::gather) struct WatchedResource {
    /// The plural, with its group unless that is the core group.
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

    /// The plural, with its group unless that is the core group.
    pub(in crate::gather) fn resource(&self) -> &str {
        &self.resource
    }

    /// The error until the first list is read.
    pub(in crate::gather) fn unlisted(&self) -> ReadError {
        ReadError::Failed {
            what: self.resource.clone(),
            message: "it has not been listed yet".to_owned(),
        }
    }

    /// The state after the API server has refused the kind; `None` for any other error.
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
