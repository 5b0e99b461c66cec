//! The history of all requests and writes, for invariants over a whole run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::request::{ApiRequest, Verb};
use crate::store::Change;

/// The type of a request, whatever its result was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestType {
    /// The user of the request.
    pub user: String,
    /// The verb of the request.
    pub verb: Verb,
    /// The plural with its group.
    pub resource: String,
}

impl RequestType {
    pub(crate) fn of(call: &ApiRequest) -> Self {
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
    /// The resourceVersion after the write.
    pub version: u64,
    /// The time of the write, by the server's clock.
    pub at: Timestamp,
    /// The user of the request.
    pub user: String,
    /// The verb of the request.
    pub verb: Verb,
    /// The plural with its group.
    pub resource: String,
    /// Empty for what is of the whole cluster.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// Whether only the status was written.
    pub is_status: bool,
    /// The object before the write; absent for a new object.
    pub before: Option<Arc<Value>>,
    /// The object after the write; absent for one that is gone.
    pub after: Option<Arc<Value>>,
}

impl Write {
    pub(crate) fn of(change: &Change, call: &ApiRequest, at: Timestamp) -> Self {
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
