//! Installs: the collector first, then the backup of mesh config, then mesh config.

use alscope_collector_config::ConfigError;

use crate::api::{BackupStatus, CollectorStatus, MeshObservabilityStatus, has_finalizer};
use crate::world::{Backup, Collector, ReadError, ReadResult};

use super::availability::{self, Availability};
use super::conditions::{ConditionState, ConditionStates, ConditionStatus, with_conditions};
use super::proxies::{ListLengths, ProxiesReport};
use super::proxies_condition::RestartNote;
use super::reconciliation::{POLL_INTERVAL, Plan, RESYNC_INTERVAL, REVERT_POLL_INTERVAL, Reconciliation};
use super::refusal::{Refusal, WriteFailure};
use super::restart_gate::Installed;
use super::step::{DesiredObject, Step};
use super::targets::control_planes;
use super::wiring::Assessment;
use super::{collector_objects, collector_pods, data_flow, proxies, proxies_condition};

impl Reconciliation<'_> {
    /// Plans for a resource that wants its mesh observed.
    pub(super) fn install(&self) -> Plan {
        let previous = self.resource.status.clone().unwrap_or_default();
        let collector = self.collector();
        let availability = self.availability(collector.as_ref());
        let collector_status = self.collector_status(&availability);
        let backup = self.backup();
        let backup_status = self.backup_status(&backup);
        let known_backup = backup.as_ref().ok().copied().flatten();
        let mesh = self.plan_mesh_config(backup, &availability, previous.mesh.clone().unwrap_or_default());

        let desired = collector_objects::desired_objects(self.resource, self.settings);
        let mut steps = self.steps_before_mesh(&desired, &collector, availability.rolled_out);
        let is_written = mesh.steps.is_empty();
        steps.extend(mesh.steps);

        let is_wired = !mesh.assessments.is_empty() && mesh.assessments.iter().all(|one| one.wired);
        let proxies = self.proxies_report(&mesh.assessments);
        let installed = Installed {
            assessments: &mesh.assessments,
            backup: known_backup,
            collector: availability.condition.status,
            is_written,
        };
        let restarts = self.plan_restarts(proxies.as_ref().ok().filter(|_| is_wired), &installed);
        steps.extend(restarts.steps);
        let sent_by = |proxies: &ProxiesReport| (proxies.status.up_to_date, proxies.status.total);
        let conditions = ConditionStates {
            accepted: self.accepted(desired.as_ref().err()),
            collector_available: self.collector_available(desired.as_ref().err(), &availability),
            mesh_configured: self.after_failure(mesh.condition, true),
            proxies_up_to_date: proxies_up_to_date(&mesh.assessments, &proxies, restarts.note),
            data_flowing: data_flow::condition(
                collector.as_ref().map_or(&[][..], |one| &one.replica_statuses),
                self.now,
            ),
            sending: proxies.as_ref().ok().map(sent_by),
        };
        let status = MeshObservabilityStatus {
            collector: Some(collector_status),
            mesh: Some(mesh.status),
            proxies: proxies.ok().map(|proxies| proxies.status),
            restarts: restarts.status,
            backup: backup_status.or(previous.backup),
            ..MeshObservabilityStatus::default()
        };
        Plan {
            requeue_after: match conditions.mesh_configured.reason {
                "WaitingForQuiet" | "Writing" => REVERT_POLL_INTERVAL,
                _ if steps.is_empty() && availability.ready_replicas == 0 => RESYNC_INTERVAL,
                _ => POLL_INTERVAL,
            },
            steps,
            status: with_conditions(status, self.resource, &conditions, self.now),
            events: Vec::new(),
        }
    }

    /// The finalizer and the collector's objects, as far as they are not there yet.
    fn steps_before_mesh(
        &self,
        desired: &Result<Vec<DesiredObject>, ConfigError>,
        collector: &ReadResult<Collector>,
        is_rolled_out: bool,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        if !has_finalizer(&self.resource.metadata) {
            steps.push(Step::AddFinalizer);
        }
        if let (Ok(collector), Ok(desired)) = (collector, desired) {
            steps.extend(collector_objects::apply_steps(desired, collector, is_rolled_out));
        }
        steps
    }

    pub(super) fn proxies_report(&self, assessments: &[Assessment]) -> ReadResult<ProxiesReport> {
        let address = self.collector_address();
        proxies::report(
            self.world,
            self.settings,
            &self.resource.spec.mesh,
            assessments,
            &address,
            ListLengths::STATUS,
        )
    }

    fn collector(&self) -> ReadResult<Collector> {
        match self.world.collectors.get(self.resource.uid()) {
            Some(read) => read.clone(),
            None => Ok(Collector::default()),
        }
    }

    fn collector_status(&self, availability: &Availability) -> CollectorStatus {
        let collector = &self.resource.spec.collector;
        CollectorStatus {
            address: self.collector_address(),
            image: collector_pods::image(collector, self.settings).to_owned(),
            replicas: availability.replicas,
            ready_replicas: availability.ready_replicas,
        }
    }

    fn availability(&self, collector: Result<&Collector, &ReadError>) -> Availability {
        match collector {
            Ok(collector) => availability::assess(collector, &self.resource.spec.collector),
            Err(error) => Availability {
                condition: ConditionState::unknown("CollectorCheckFailed", error.to_string()),
                exists: true,
                rolled_out: false,
                replicas: self.resource.spec.collector.replicas,
                ready_replicas: 0,
            },
        }
    }

    pub(super) fn backup(&self) -> Result<Option<&Backup>, Refusal> {
        match self.world.backups.get(self.resource.uid()) {
            Some(Ok(backup)) => Ok(backup.as_ref()),
            Some(Err(error)) => Err(error.clone().into()),
            None => Ok(None),
        }
    }

    fn backup_status(&self, backup: &Result<Option<&Backup>, Refusal>) -> Option<BackupStatus> {
        backup.as_ref().ok()?.map(|backup| BackupStatus {
            config_map: format!(
                "{}/{}",
                self.settings.namespace,
                Backup::name_for(self.resource.uid())
            ),
            address: backup.address.clone(),
        })
    }

    fn accepted(&self, invalid: Option<&ConfigError>) -> ConditionState {
        if let Some(error) = invalid {
            return invalid_spec(error);
        }
        let mesh = &self.resource.spec.mesh;
        match control_planes(self.world, mesh) {
            Ok(found) if found.is_empty() => ConditionState::unmet(
                "MeshNotFound",
                format!(
                    "no istiod runs in namespace {}; set spec.mesh.namespace to the namespace of its Deployment (label app: istiod)",
                    mesh.namespace
                ),
            ),
            Ok(_) => ConditionState::met("Accepted", "the resource owns its mesh"),
            Err(refusal) => ConditionState::unknown("MeshCheckFailed", refusal.to_string()),
        }
    }

    fn collector_available(
        &self,
        invalid: Option<&ConfigError>,
        availability: &Availability,
    ) -> ConditionState {
        match invalid {
            Some(error) if !availability.exists => invalid_spec(error),
            _ => self.after_failure(availability.condition.clone(), false),
        }
    }

    /// The state of a condition after a failed write, which is what people need to know. That holds for a collector that takes entries,
    /// too: it is not as the resource wants it.
    fn after_failure(&self, condition: ConditionState, of_mesh: bool) -> ConditionState {
        let Some(failure) = self.failure.filter(|failure| !failure.is_of_restart()) else {
            return condition;
        };
        let (WriteFailure::Forbidden { name, .. } | WriteFailure::Failed { name, .. }) = failure;
        let is_of_mesh = name.namespace != self.settings.namespace || Backup::uid_of(&name.name).is_some();
        if is_of_mesh != of_mesh || (of_mesh && condition.status == ConditionStatus::True) {
            return condition;
        }
        let refusal = Refusal::WriteFailed(failure.clone());
        ConditionState::unmet(refusal.reason(), refusal.to_string())
    }
}

/// The state of `ProxiesUpToDate`.
fn proxies_up_to_date(
    assessments: &[Assessment],
    proxies: &ReadResult<ProxiesReport>,
    restarts: Option<RestartNote>,
) -> ConditionState {
    let is_wired = !assessments.is_empty() && assessments.iter().all(|one| one.wired);
    match proxies {
        Err(error) => ConditionState::unknown("ProxyCheckFailed", error.to_string()),
        Ok(_) if !is_wired => {
            ConditionState::unknown("MeshNotConfigured", "proxies are judged when the mesh is wired")
        }
        Ok(proxies) => {
            let provider = assessments.iter().find_map(|one| one.provider.as_deref());
            proxies_condition::condition(&proxies.status, provider, restarts)
        }
    }
}

/// The state of a resource that asks for what the collector would refuse. Its collector stays as it is, if there is one.
fn invalid_spec(error: &ConfigError) -> ConditionState {
    ConditionState::unmet("InvalidSpec", error.to_string())
}
