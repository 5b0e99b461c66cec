//! The plan: from what is so, and the time, to what is written next and what the status says. Pure.
//!
//! Every pass plans anew from what it reads; nothing is remembered but what the status and the backup hold. So a pass that
//! ended anywhere, at any write, is continued by the next one.

pub mod assignment;
pub mod availability;
pub mod collector_objects;
pub mod conditions;
pub mod data_flow;
pub mod events;
pub mod install;
pub mod mesh_config;
pub mod mesh_ownership;
pub mod network_policy;
pub mod object_comparison;
pub mod original;
pub mod preview;
pub mod proxies;
pub mod refusal;
pub mod resource_requests;
pub mod reverts;
pub mod settings;
pub mod step;
pub mod targets;
pub mod telemetry_precedence;
pub mod uninstall;
pub mod wiring;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::error_boundary::InvalidObject;

use crate::api::{FINALIZER, ManagementState, MeshObservability, MeshObservabilityStatus};
use crate::world::{Backup, Collector, World};

use conditions::{ConditionState, ConditionStates};
use events::ResourceEvent;
use refusal::WriteFailure;
use settings::OperatorSettings;
use step::Step;
use uninstall::{Progress, Removal};

/// How often a resource is looked at when nothing happens.
const RESYNC_INTERVAL: Duration = Duration::from_mins(10);
/// How often what comes without an event is looked at: the replicas' counters, a drain's end.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often a text that was set back is looked at.
const REVERT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What is due for one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The writes, in order; one that fails ends the pass.
    pub steps: Vec<Step>,
    /// What is so.
    pub status: MeshObservabilityStatus,
    /// What was done, beside the conditions' changes, that people should read: for events.
    pub events: Vec<ResourceEvent>,
    /// When to look again, if nothing happens before.
    pub requeue_after: Duration,
}

/// Plans for a resource. Of one that belongs to another installation it only says so.
pub fn plan(
    world: &World,
    settings: &OperatorSettings,
    resource: &MeshObservability,
    failure: Option<&WriteFailure>,
    now: Timestamp,
) -> Plan {
    if let Some(event) = assignment::event(resource, &settings.namespace) {
        return Plan {
            steps: Vec::new(),
            status: resource.status.clone().unwrap_or_default(),
            events: vec![event],
            requeue_after: RESYNC_INTERVAL,
        };
    }
    let mut plan = of_own(world, settings, resource, failure, now);
    plan.status.operator = Some(assignment::operator_status(&settings.namespace));
    plan
}

/// Plans for a resource that belongs to this installation, or does from now on.
fn of_own(
    world: &World,
    settings: &OperatorSettings,
    resource: &MeshObservability,
    failure: Option<&WriteFailure>,
    now: Timestamp,
) -> Plan {
    let is_ending = resource.metadata.deletion_timestamp.is_some();
    if !has_finalizer(&resource.metadata) {
        let resources = match &world.resources {
            Ok(resources) => resources,
            Err(error) => return unclear(resource, error.to_string(), now),
        };
        if let Some(owner) = mesh_ownership::owner(resources, resource) {
            return claimed(resource, owner, now);
        }
        if let Some(owner) = mesh_ownership::possible_owner(&world.undecodable_resources, resource) {
            return unclear(resource, may_hold(owner), now);
        }
    }
    match resource.spec.management_state {
        ManagementState::Managed if !is_ending => install::plan(world, settings, resource, failure, now),
        ManagementState::Plan | ManagementState::Unmanaged if !is_ending => {
            let mut plan = install::plan(world, settings, resource, failure, now);
            plan.steps.clear();
            plan.status.state = Some(format!("{:?}", resource.spec.management_state));
            plan
        }
        ManagementState::Managed
        | ManagementState::Plan
        | ManagementState::Unmanaged
        | ManagementState::Removed => down(world, settings, resource, failure, now),
    }
}

/// Restores the mesh of a resource that went without its finalizer. Nobody waits for its proxies: the API server has already
/// collected what it owned. What can't be restored keeps its backup.
pub fn orphan(world: &World, settings: &OperatorSettings, backup: &Backup, now: Timestamp) -> Progress {
    let status = MeshObservabilityStatus {
        draining_since: Some(Time(Timestamp::UNIX_EPOCH)),
        ..MeshObservabilityStatus::default()
    };
    let own = settings.address(&backup.resource);
    let remedy = format!("allow it: {}", backup.allow_rollout(&settings.namespace));
    let removal = Removal {
        backup: Some(backup),
        addresses: &[&backup.address, &own],
        collector: &Collector::default(),
        status: &status,
        failure: None,
        rollout: if backup.allows_rollout {
            Ok(())
        } else {
            Err(&remedy)
        },
    };
    let mut progress = uninstall::removal(world, settings, &removal, now);
    if progress.is_wired {
        progress
            .steps
            .retain(|step| !matches!(step, Step::DeleteBackup { .. }));
    }
    progress
}

/// Whether the operator has written, or is about to write, for a resource.
pub fn has_finalizer(metadata: &ObjectMeta) -> bool {
    metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == FINALIZER)
}

/// The mesh is another's: nothing is written.
fn claimed(resource: &MeshObservability, owner: &MeshObservability, now: Timestamp) -> Plan {
    let message = format!(
        "the mesh in namespace {} is held by the MeshObservability {}, which is older; delete one of the two",
        resource.spec.mesh.namespace,
        owner.name()
    );
    let waits = || ConditionState::unknown("MeshAlreadyClaimed", "another resource holds the mesh");
    idle(
        resource,
        ConditionState::unmet("MeshAlreadyClaimed", message),
        &waits,
        now,
    )
}

/// Whether the mesh is another's is not known: nothing is written.
fn unclear(resource: &MeshObservability, message: String, now: Timestamp) -> Plan {
    let waits = || ConditionState::unknown("MeshCheckFailed", "whose the mesh is has to be known first");
    idle(
        resource,
        ConditionState::unknown("MeshCheckFailed", message),
        &waits,
        now,
    )
}

fn may_hold(owner: &InvalidObject) -> String {
    format!(
        "the MeshObservability {}, which is older and may hold the mesh, can't be read by this version of the operator: {}; \
         upgrade the operator, or correct or delete that resource",
        owner.metadata.name.as_deref().unwrap_or_default(),
        owner.error
    )
}

fn idle(
    resource: &MeshObservability,
    accepted: ConditionState,
    others: &dyn Fn() -> ConditionState,
    now: Timestamp,
) -> Plan {
    let conditions = ConditionStates {
        accepted,
        collector_available: others(),
        mesh_configured: others(),
        proxies_up_to_date: others(),
        data_flowing: others(),
    };
    Plan {
        steps: Vec::new(),
        status: with_conditions(MeshObservabilityStatus::default(), resource, &conditions, now),
        events: Vec::new(),
        requeue_after: RESYNC_INTERVAL,
    }
}

/// Takes everything back, for a resource that is being deleted or says `Removed`.
fn down(
    world: &World,
    settings: &OperatorSettings,
    resource: &MeshObservability,
    failure: Option<&WriteFailure>,
    now: Timestamp,
) -> Plan {
    let uid = resource.uid();
    let previous = resource.status.clone().unwrap_or_default();
    if !has_finalizer(&resource.metadata) {
        // Nothing was written for it, or all is taken back.
        return ended(resource, &last_word(resource), now);
    }
    let backup = match world.backups.get(uid) {
        Some(Err(error)) => return waiting(resource, previous, &error.to_string(), now),
        Some(Ok(backup)) => backup.as_ref(),
        None => None,
    };
    let nothing = Collector::default();
    let collector = match world.collectors.get(uid) {
        Some(Err(error)) => return waiting(resource, previous, &error.to_string(), now),
        Some(Ok(collector)) => collector,
        None => &nothing,
    };
    let own = settings.address(resource.name());
    let allows_rollout =
        resource.spec.mesh.allow_gateway_rollout || backup.is_some_and(|backup| backup.allows_rollout);
    let removal = Removal {
        backup,
        addresses: &[install::address_before(backup, &previous).unwrap_or(&own), &own],
        collector,
        status: &previous,
        failure,
        rollout: if allows_rollout {
            Ok(())
        } else {
            Err("set spec.mesh.allowGatewayRollout: true to allow it")
        },
    };
    let progress = uninstall::removal(world, settings, &removal, now);
    let mut plan = if progress.done && failure.is_none() {
        let mut plan = ended(resource, &progress.message, now);
        // Kept until the finalizer is gone: nobody waits a second time.
        plan.status.draining_since = progress.draining_since.map(Time);
        plan
    } else {
        let mut plan = waiting(resource, previous.clone(), &progress.message, now);
        plan.status.draining_since = progress.draining_since.map(Time);
        if progress.draining_since.is_some() {
            // Otherwise a removal that is called off would look like somebody else's reset.
            let config_maps = plan.status.mesh.iter_mut().flat_map(|mesh| &mut mesh.config_maps);
            config_maps.for_each(|config_map| config_map.wired = false);
        }
        plan
    };
    plan.steps = progress.steps;
    if progress.done {
        plan.steps.push(Step::RemoveFinalizer);
    }
    if progress.done && failure.is_none() {
        plan.events = progress.incomplete.into_iter().map(incomplete).collect();
    }
    plan
}

fn incomplete(message: String) -> ResourceEvent {
    ResourceEvent {
        is_warning: true,
        reason: "RestoreIncomplete".to_owned(),
        message,
    }
}

/// What the way down has ended with.
fn last_word(resource: &MeshObservability) -> String {
    let mut conditions = resource.status.iter().flat_map(|status| &status.conditions);
    conditions
        .find(|condition| condition.reason == "Removed")
        .map_or_else(
            || uninstall::ALL_RESTORED.to_owned(),
            |ended| ended.message.clone(),
        )
}

/// On the way down.
fn waiting(
    resource: &MeshObservability,
    previous: MeshObservabilityStatus,
    message: &str,
    now: Timestamp,
) -> Plan {
    let reason = ending_reason(resource);
    let mut status = with_conditions(previous, resource, &condition_states(reason, message), now);
    status.state = Some(reason.to_owned());
    Plan {
        steps: Vec::new(),
        status,
        events: Vec::new(),
        requeue_after: POLL_INTERVAL,
    }
}

/// At the end of it.
fn ended(resource: &MeshObservability, message: &str, now: Timestamp) -> Plan {
    let mut status = with_conditions(
        MeshObservabilityStatus::default(),
        resource,
        &condition_states("Removed", message),
        now,
    );
    status.state = Some("Removed".to_owned());
    Plan {
        steps: Vec::new(),
        status,
        events: Vec::new(),
        requeue_after: RESYNC_INTERVAL,
    }
}

fn ending_reason(resource: &MeshObservability) -> &'static str {
    if resource.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else {
        "Removing"
    }
}

fn condition_states(reason: &'static str, message: &str) -> ConditionStates {
    let no = || ConditionState::unmet(reason, message);
    ConditionStates {
        accepted: ConditionState::met("Accepted", "the resource holds its mesh"),
        collector_available: no(),
        mesh_configured: no(),
        proxies_up_to_date: ConditionState::unknown(reason, message),
        data_flowing: ConditionState::unknown(reason, message),
    }
}

/// A status with the conditions of this pass and the one word for them.
fn with_conditions(
    mut status: MeshObservabilityStatus,
    resource: &MeshObservability,
    conditions: &ConditionStates,
    now: Timestamp,
) -> MeshObservabilityStatus {
    let generation = resource.metadata.generation.unwrap_or_default();
    let previous = resource
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    status.conditions = conditions.to_conditions(previous, generation, now);
    status.observed_generation = Some(generation);
    status.state = Some(conditions.ready().reason.to_owned());
    status
}
