//! Whose a resource is: it belongs to one installation, told by the namespace of its operator. Every other one leaves it alone.
//!
//! The first operator that acts on a resource writes its namespace into the status, guarded by the resource's version. The
//! annotation `alscope.dev/operator` says which one may be the first. After that, only a person's write of the status hands the
//! resource over: whether another installation is gone for good can't be read from a cluster.

use crate::api::{MeshObservability, OperatorStatus};
use crate::world::ObjectName;

use super::events::ResourceEvent;

/// Names the namespace of the operator that a resource is for, before it belongs to one.
pub const OPERATOR_ANNOTATION: &str = "alscope.dev/operator";

/// Whose a resource is, as the operator of one namespace sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// Its own.
    Ours,
    /// Nobody's yet, and anybody's to take.
    Unassigned,
    /// It belongs to the operator in this namespace.
    Other(&'a str),
    /// It belongs to nobody yet, and asks for the operator in this namespace.
    RequestedForOther(&'a str),
}

/// Whose a resource is, for the operator in `namespace`.
pub fn assignment<'a>(resource: &'a MeshObservability, namespace: &str) -> Assignment<'a> {
    let asked = resource
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(OPERATOR_ANNOTATION));
    match (owner(resource), asked) {
        (Some(owner), _) if owner == namespace => Assignment::Ours,
        (Some(owner), _) => Assignment::Other(owner),
        (None, Some(asked)) if asked == namespace => Assignment::Ours,
        (None, Some(asked)) => Assignment::RequestedForOther(asked),
        (None, None) => Assignment::Unassigned,
    }
}

/// The namespace of the operator that a resource belongs to. A status from before it said so has the namespace in the place of
/// the backup and in the collector's address.
fn owner(resource: &MeshObservability) -> Option<&str> {
    let status = resource.status.as_ref()?;
    let said = status
        .operator
        .as_ref()
        .map(|operator| operator.namespace.as_str());
    let of_backup = || Some(ObjectName::parts(&status.backup.as_ref()?.config_map)?.0);
    let of_collector = || status.collector.as_ref()?.address.split('.').nth(1);
    said.or_else(of_backup).or_else(of_collector)
}

/// The operator in `namespace`, for the status.
pub fn operator_status(namespace: &str) -> OperatorStatus {
    OperatorStatus {
        namespace: namespace.to_owned(),
    }
}

/// What the operator in `namespace` says of a resource that it leaves alone; `None` for one that is its own to act on.
pub fn event(resource: &MeshObservability, namespace: &str) -> Option<ResourceEvent> {
    let name = resource.name();
    let message = match assignment(resource, namespace) {
        Assignment::Ours | Assignment::Unassigned => return None,
        Assignment::Other(other) => format!(
            "the resource belongs to the operator in namespace {other}, so the one in namespace {namespace} leaves it alone; if that \
             one is gone for good, hand the resource over: kubectl patch meshobs {name} --subresource=status --type=merge \
             -p '{{\"status\":{{\"operator\":{{\"namespace\":\"{namespace}\"}}}}}}'"
        ),
        Assignment::RequestedForOther(other) => format!(
            "the resource asks for the operator in namespace {other}, so the one in namespace {namespace} leaves it alone; if this one \
             is to take it: kubectl annotate meshobs {name} --overwrite {OPERATOR_ANNOTATION}={namespace}"
        ),
    };
    Some(ResourceEvent {
        is_warning: false,
        reason: "BelongsToAnotherOperator".to_owned(),
        message,
    })
}
