//! What was asked how often, and what was written, by whom and when: for invariants over all of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::request::{Call, Verb};
use crate::store::Change;

/// Requests of one kind, whatever became of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Who asked.
    pub user: String,
    /// What was asked.
    pub verb: Verb,
    /// The plural with its group.
    pub resource: String,
}

impl Asked {
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            user: call.user.clone(),
            verb: call.verb,
            resource: call.key().resource,
        }
    }
}

/// One change of one object by a request.
#[derive(Clone, Debug)]
pub struct Write {
    /// The version that it made.
    pub version: u64,
    /// By the server's clock.
    pub at: Timestamp,
    /// Who asked.
    pub user: String,
    /// What was asked.
    pub verb: Verb,
    /// The plural with its group.
    pub resource: String,
    /// Empty for what is of the whole cluster.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// Whether only the status was written.
    pub is_status: bool,
    /// As it was; absent for a new object.
    pub before: Option<Arc<Value>>,
    /// As it is; absent for one that is gone.
    pub after: Option<Arc<Value>>,
}

impl Write {
    pub(crate) fn of(change: &Change, call: &Call, at: Timestamp) -> Self {
        Self {
            version: change.version,
            at,
            user: call.user.clone(),
            verb: call.verb,
            resource: change.key.resource.clone(),
            namespace: change.key.namespace.clone(),
            name: change.key.name.clone(),
            is_status: call.is_status(),
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }
}
