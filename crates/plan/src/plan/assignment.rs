//! Which installation of the operator a resource belongs to. The namespace of its operator names an installation; every other
//! installation leaves the resource alone.
//!
//! The first operator that acts on a resource writes its namespace into the status, guarded by the resourceVersion. The annotation
//! `alscope.dev/operator` says which operator may be the first. Later, only a person's write of the status hands the resource over,
//! because the cluster does not show whether another installation is gone for good.

use crate::api::{MeshObservability, OperatorStatus};
use crate::world::ObjectName;

use super::events::ResourceEvent;

/// The annotation with the namespace of the operator that may take a resource which belongs to none.
pub const OPERATOR_ANNOTATION: &str = "alscope.dev/operator";

/// The installation that a resource belongs to, as one operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// The resource belongs to this installation, or asks for it.
    Ours,
    /// The resource belongs to no installation yet, and any may take it.
    Unassigned,
    /// The resource belongs to the operator in this namespace.
    Other(&'a str),
    /// The resource belongs to no installation yet, and asks for the operator in this namespace.
    RequestedForOther(&'a str),
}

/// The installation that a resource belongs to, as the operator in `namespace` sees it.
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

/// The namespace of the operator that a resource belongs to. An older status has it only in the name of the backup and in the
/// address of the collector.
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

/// The part of the status that says that a resource belongs to the operator in `namespace`.
pub fn operator_status(namespace: &str) -> OperatorStatus {
    OperatorStatus {
        namespace: namespace.to_owned(),
    }
}

/// The event by which the operator in `namespace` says that it leaves a resource alone; `None` for a resource that it may act on.
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
