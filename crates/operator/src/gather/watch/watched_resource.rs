//! The resource that a watch reads, and what the API server's refusals say about it.

use alscope_plan::world::ReadError;
use alscope_watch::{Verb, WatchFailure};
use kube::Resource;
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
    pub(in crate::gather) url_path: String,
    namespace: Option<String>,
    absence: MissingKind,
}

impl WatchedResource {
    /// The objects of the kind `K` in a namespace, or in all.
    pub(in crate::gather) fn of<K: Resource>(
        kind: &K::DynamicType,
        namespace: Option<&str>,
        absence: MissingKind,
    ) -> Self {
        let (group, plural) = (K::group(kind), K::plural(kind));
        let resource = if group.is_empty() {
            plural.into_owned()
        } else {
            format!("{plural}.{group}")
        };
        Self {
            resource,
            url_path: K::url_path(kind, namespace),
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
        self.failed("it has not been listed yet".to_owned())
    }

    /// The error after an API server that did not answer, or answered with an error.
    pub(super) fn failed(&self, message: String) -> ReadError {
        ReadError::Failed {
            what: self.resource.clone(),
            message,
        }
    }

    /// The state after the API server has refused the kind; `None` for any other failure.
    pub(super) fn refused(&self, verb: Verb, failure: &WatchFailure) -> Option<WatchState> {
        match (failure, self.absence) {
            (WatchFailure::Absent(_), MissingKind::IsEmpty) => Some(WatchState::Absent),
            (WatchFailure::Absent(_), MissingKind::IsError) => Some(WatchState::Failed(ReadError::Absent {
                resource: self.resource.clone(),
            })),
            (WatchFailure::Refused(_), _) => Some(WatchState::Failed(ReadError::Forbidden {
                verb: verb.as_str(),
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
