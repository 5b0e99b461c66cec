//! Uninstalls: restores mesh config, waits until the proxies no longer use the collector, then deletes what was made for the
//! resource, the backup last.
//!
//! An uninstall is as careful as an install. It does not write a ConfigMap that a tool would revert, but names it. It rolls
//! managed gateways only when that is allowed. It deletes nothing while it is not known who still needs it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{MeshObservabilityStatus, has_finalizer};
use crate::world::{
    Backup, Collector, ControlPlane, ObjectName, PodOwner, Proxy, ReadResult, Version, World,
};

use super::conditions::{ConditionState, ConditionStates};
use super::events::ResourceEvent;
use super::reconciliation::{POLL_INTERVAL, Plan, RESYNC_INTERVAL, Reconciliation, previous_address};
use super::refusal::{WriteFailure, join_names};
use super::restoration::Restoration;
use super::settings::OperatorSettings;
use super::step::Step;

/// The message of a complete uninstall.
const ALL_RESTORED: &str = "everything is as it was before";

/// One uninstall, with or without its resource.
#[derive(Clone, Copy, Debug)]
struct Uninstall<'a> {
    /// The mesh config to restore.
    mesh: Restoration<'a>,
    settings: &'a OperatorSettings,
    /// The collector to delete.
    collector: &'a Collector,
    /// The write that failed in the last pass.
    failure: Option<&'a WriteFailure>,
    /// Whether managed gateways may be rolled; otherwise what people do to allow it.
    rollout: Result<(), &'a str>,
    now: Timestamp,
}

/// How far an uninstall is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The writes that are due, in order.
    pub steps: Vec<Step>,
    /// Since when mesh config is restored; absent before.
    pub draining_since: Option<Timestamp>,
    /// What is being done or waited for, in a sentence.
    pub message: String,
    /// What can't be restored, each with what to do.
    pub incomplete: Vec<String>,
    /// Whether a ConfigMap that can't be restored still has the address.
    pub is_wired: bool,
    /// Whether nothing is left to do but to remove the finalizer.
    pub done: bool,
}

impl Reconciliation<'_> {
    /// Takes everything back, for a resource that is being deleted or says `Removed`.
    pub(super) fn uninstall(&self) -> Plan {
        let resource = self.resource;
        let previous = resource.status.clone().unwrap_or_default();
        if !has_finalizer(&resource.metadata) {
            // Nothing was written for it, or all is taken back.
            return self.uninstalled(&self.last_message());
        }
        let backup = match self.world.backups.get(resource.uid()) {
            Some(Err(error)) => return self.uninstalling(previous, &error.to_string()),
            Some(Ok(backup)) => backup.as_ref(),
            None => None,
        };
        let nothing = Collector::default();
        let collector = match self.world.collectors.get(resource.uid()) {
            Some(Err(error)) => return self.uninstalling(previous, &error.to_string()),
            Some(Ok(collector)) => collector,
            None => &nothing,
        };
        let address = self.collector_address();
        let allows_rollout =
            resource.spec.mesh.allow_gateway_rollout || backup.is_some_and(|backup| backup.allows_rollout);
        let progress = Uninstall {
            mesh: Restoration {
                world: self.world,
                backup,
                addresses: &[previous_address(backup, &previous).unwrap_or(&address), &address],
                status: &previous,
            },
            settings: self.settings,
            collector,
            failure: self.failure,
            rollout: if allows_rollout {
                Ok(())
            } else {
                Err("set spec.mesh.allowGatewayRollout: true to allow it")
            },
            now: self.now,
        }
        .progress();
        self.plan_for(previous.clone(), progress)
    }

    fn plan_for(&self, previous: MeshObservabilityStatus, progress: Progress) -> Plan {
        let is_done = progress.done && self.failure.is_none();
        let mut plan = if is_done {
            self.uninstalled(&progress.message)
        } else {
            let mut plan = self.uninstalling(previous, &progress.message);
            if progress.draining_since.is_some() {
                // Otherwise a cancelled uninstall would look like a revert by somebody else.
                let config_maps = plan.status.mesh.iter_mut().flat_map(|mesh| &mut mesh.config_maps);
                config_maps.for_each(|config_map| config_map.wired = false);
            }
            plan
        };
        // Kept until the finalizer is gone, so that the next pass does not wait for the proxies again.
        plan.status.draining_since = progress.draining_since.map(Time);
        plan.steps = progress.steps;
        if progress.done {
            plan.steps.push(Step::RemoveFinalizer);
        }
        if is_done {
            plan.events = progress.incomplete.into_iter().map(restore_incomplete).collect();
        }
        plan
    }

    /// The message that an earlier pass ended the uninstall with.
    fn last_message(&self) -> String {
        let mut conditions = self.resource.status.iter().flat_map(|status| &status.conditions);
        conditions
            .find(|condition| condition.reason == "Removed")
            .map_or_else(|| ALL_RESTORED.to_owned(), |ended| ended.message.clone())
    }

    /// The plan of a pass that does not end the uninstall.
    fn uninstalling(&self, previous: MeshObservabilityStatus, message: &str) -> Plan {
        let reason = if self.resource.metadata.deletion_timestamp.is_some() {
            "Terminating"
        } else {
            "Removing"
        };
        let mut plan = self.report_only(previous, &condition_states(reason, message), POLL_INTERVAL);
        plan.status.state = Some(reason.to_owned());
        plan
    }

    /// The plan of a pass that ends the uninstall.
    fn uninstalled(&self, message: &str) -> Plan {
        let conditions = condition_states("Removed", message);
        let mut plan = self.report_only(MeshObservabilityStatus::default(), &conditions, RESYNC_INTERVAL);
        plan.status.state = Some("Removed".to_owned());
        plan
    }
}

/// Restores the mesh of a resource that was deleted without its finalizer. It does not wait for the proxies, because the API
/// server has already deleted the collector. A backup whose mesh can't be restored stays.
pub fn restore_orphan(
    world: &World,
    settings: &OperatorSettings,
    backup: &Backup,
    now: Timestamp,
) -> Progress {
    let status = MeshObservabilityStatus {
        draining_since: Some(Time(Timestamp::UNIX_EPOCH)),
        ..MeshObservabilityStatus::default()
    };
    let address = settings.address(&backup.resource);
    let remedy = format!("allow it: {}", backup.allow_rollout(&settings.namespace));
    let mut progress = Uninstall {
        mesh: Restoration {
            world,
            backup: Some(backup),
            addresses: &[&backup.address, &address],
            status: &status,
        },
        settings,
        collector: &Collector::default(),
        failure: None,
        rollout: if backup.allows_rollout {
            Ok(())
        } else {
            Err(&remedy)
        },
        now,
    }
    .progress();
    if progress.is_wired {
        progress
            .steps
            .retain(|step| !matches!(step, Step::DeleteBackup { .. }));
    }
    progress
}

impl Uninstall<'_> {
    fn progress(&self) -> Progress {
        let restored = self.mesh.restore_all();
        let mut progress = Progress {
            steps: restored.steps,
            draining_since: None,
            message: String::new(),
            incomplete: restored.incomplete,
            is_wired: restored.is_wired,
            done: false,
        };
        match &restored.unreadable {
            Some(error) => progress.message = error.to_string(),
            None if progress.steps.is_empty() => self.drain(&mut progress),
            None => self.limit_rollout(&mut progress),
        }
        if let Some(failure) = self.failure {
            progress.message = failure.to_string();
        }
        progress
    }

    /// Removes the writes of mesh config when they would roll managed gateways without leave.
    fn limit_rollout(&self, progress: &mut Progress) {
        "restoring mesh config".clone_into(&mut progress.message);
        let rolls_nothing = |step: &Step| !matches!(step, Step::WriteMesh(_));
        if progress.steps.iter().all(rolls_nothing) {
            return;
        }
        let rolled = match self.rolled_gateways() {
            Ok(rolled) if rolled.is_empty() => return,
            Ok(rolled) => rolled,
            Err(_) if self.rollout.is_ok() => return,
            Err(error) => {
                progress.steps.retain(rolls_nothing);
                progress.message = format!(
                    "mesh config is not restored until it is known which gateways that rolls: {error}"
                );
                return;
            }
        };
        let which = format!(
            "istiod {} the pods of {} managed gateways and waypoints ({})",
            if self.rollout.is_ok() {
                "rolls"
            } else {
                "would roll"
            },
            rolled.len(),
            join_names(&rolled)
        );
        match self.rollout {
            Ok(()) => progress.message = format!("restoring mesh config; {which}"),
            Err(remedy) => {
                progress.steps.retain(rolls_nothing);
                progress.message = format!("mesh config is not restored yet: {which}; {remedy}");
            }
        }
    }

    /// Waits for the proxies of a restored mesh, then deletes what is left.
    fn drain(&self, progress: &mut Progress) {
        let since = self.mesh.status.draining_since.as_ref();
        let since = since.map_or(self.now, |since| since.0);
        progress.draining_since = Some(since);
        let proxies = match self.proxies_with_address() {
            Ok(proxies) => proxies,
            Err(error) => {
                progress.message =
                    format!("the collector stays until it is known which proxies send to it: {error}");
                return;
            }
        };
        let timeout = self.settings.drain_timeout;
        if !proxies.is_empty() && self.now < since + timeout {
            let pods: Vec<ObjectName> = proxies.iter().map(|proxy| proxy.pod.clone()).collect();
            progress.message = format!(
                "mesh config is restored; the collector's Service stays for {} proxies that still know it, at most {} s ({})",
                pods.len(),
                timeout.as_secs(),
                join_names(&pods)
            );
            return;
        }
        self.delete_remaining(progress);
    }

    /// Deletes the collector, and the backup when the collector is gone.
    fn delete_remaining(&self, progress: &mut Progress) {
        let collector = self.collector;
        if !collector.owned.is_empty() || collector.pods > 0 {
            "deleting the collector".clone_into(&mut progress.message);
            let left = collector.owned.iter().filter(|owned| !owned.is_ending());
            progress.steps = left
                .map(|owned| Step::Delete {
                    kind: owned.kind,
                    name: owned.name.clone(),
                    uid: owned.uid().to_owned(),
                })
                .collect();
            return;
        }
        if let Some(backup) = self.mesh.backup {
            progress.steps.push(Step::DeleteBackup {
                uid: backup.uid.clone(),
                resource_version: backup.resource_version.clone().unwrap_or_default(),
            });
        }
        progress.message = match progress.incomplete.as_slice() {
            [] => ALL_RESTORED.to_owned(),
            incomplete => format!("everything else is as it was before: {}", incomplete.join("; ")),
        };
        progress.done = true;
    }

    /// Proxies that were started with one of the addresses, also those whose pods are being deleted.
    fn proxies_with_address(&self) -> ReadResult<Vec<&Proxy>> {
        let proxies = self.mesh.world.proxies.as_ref().map_err(Clone::clone)?;
        let has_address = |proxy: &&Proxy| {
            let address = proxy.address.as_deref();
            address.is_some_and(|address| self.mesh.addresses.contains(&address))
        };
        Ok(proxies.iter().filter(has_address).collect())
    }

    /// The Deployments of managed gateways that istiod rolls when the address goes.
    fn rolled_gateways(&self) -> ReadResult<Vec<ObjectName>> {
        let (world, originals) = (self.mesh.world, self.mesh.originals());
        let rolls = |control_plane: &ControlPlane| {
            let mut namespaces = originals.keys().map(|name| &name.namespace);
            namespaces.any(|namespace| *namespace == control_plane.deployment.namespace)
                && control_plane.version.and_then(Version::rolls_gateways) != Some(false)
        };
        let has_none = world.managed_gateways.as_ref().is_ok_and(Vec::is_empty);
        let rolls_none = world
            .control_planes
            .as_ref()
            .is_ok_and(|all| !all.iter().any(rolls));
        if has_none || rolls_none {
            return Ok(Vec::new());
        }
        let proxies = self.proxies_with_address()?;
        let deployments = proxies.into_iter().filter_map(|proxy| match &proxy.owner {
            PodOwner::ManagedGateway(name) => Some(ObjectName::new(&proxy.pod.namespace, name)),
            _ => None,
        });
        Ok(deployments.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn restore_incomplete(message: String) -> ResourceEvent {
    ResourceEvent {
        is_warning: true,
        reason: "RestoreIncomplete".to_owned(),
        message,
    }
}

fn condition_states(reason: &'static str, message: &str) -> ConditionStates {
    let unmet = || ConditionState::unmet(reason, message);
    let unknown = || ConditionState::unknown(reason, message);
    ConditionStates {
        accepted: ConditionState::met("Accepted", "the resource owns its mesh"),
        collector_available: unmet(),
        mesh_configured: unmet(),
        proxies_up_to_date: unknown(),
        data_flowing: unknown(),
        sending: None,
    }
}
