//! Decides what the operator writes next for a resource, and what its status says. Pure.
//!
//! Every pass plans from what it reads. Between passes, only the status and the backup remember anything, so the next pass
//! continues one that ended at any of its writes.
//!
//! The modules stand in the order of the flow: each imports only modules above it.

pub mod conditions;
pub mod object_comparison;
pub mod resource_requests;
pub mod settings;
pub mod sidecar_scope;
pub mod step;
pub mod telemetry_precedence;

pub mod availability;
pub mod collector_config;
pub mod collector_pods;
pub mod data_flow;
pub mod events;
pub mod network_policy;
pub mod original;
pub mod refusal;
pub mod reverts;

pub mod assignment;
pub mod collector_objects;
pub mod reconciliation;
pub mod restoration;
pub mod targets;

pub mod mesh_ownership;
pub mod revision_texts;
pub mod uninstall;

pub mod mesh_edit;
pub mod wiring;

pub mod mesh_config;
pub mod proxies;
pub mod restart_obstacles;

pub mod proxies_condition;
pub mod restarts;

pub mod restart_gate;

pub mod install;
pub mod preview;

use crate::api::{ManagementState, has_finalizer};

pub use reconciliation::{Plan, Reconciliation};

/// Plans one pass over a resource. For a resource of another installation, the plan is only an event that says so.
pub fn plan(reconciliation: &Reconciliation<'_>) -> Plan {
    let (resource, namespace) = (reconciliation.resource, &reconciliation.settings.namespace);
    if let Some(event) = assignment::event(resource, namespace) {
        return reconciliation.leave_alone(event);
    }
    let mut plan = plan_own(reconciliation);
    plan.status.operator = Some(assignment::operator_status(namespace));
    plan
}

/// Plans for a resource that belongs to this installation, or does from now on.
fn plan_own(reconciliation: &Reconciliation<'_>) -> Plan {
    let resource = reconciliation.resource;
    let is_ending = resource.metadata.deletion_timestamp.is_some();
    if !has_finalizer(&resource.metadata)
        && let Some(plan) = reconciliation.refuse_owned_mesh()
    {
        return plan;
    }
    match resource.spec.management_state {
        ManagementState::Managed if !is_ending => reconciliation.install(),
        ManagementState::Plan | ManagementState::Unmanaged if !is_ending => {
            let mut plan = reconciliation.install();
            plan.steps.clear();
            plan.status.state = Some(format!("{:?}", resource.spec.management_state));
            plan
        }
        ManagementState::Managed
        | ManagementState::Plan
        | ManagementState::Unmanaged
        | ManagementState::Removed => reconciliation.uninstall(),
    }
}
