//! The way up: the collector first, then the backup, then mesh config.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{
    BackupStatus, CollectorStatus, ConfigMapStatus, ManagementState, MeshObservability,
    MeshObservabilityStatus, MeshStatus,
};
use crate::world::{Backup, Before, Collector, ObjectName, Read, World};

use super::availability::{self, Availability};
use super::conditions::{Answer, Answers, Status};
use super::refusal::{Refusal, WriteFailure};
use super::settings::Settings;
use super::step::{MeshEdit, Step};
use super::targets::{Target, config_map, control_planes, targets};
use super::wiring::{self, Assessment, QUIET, Verdict, Wanted};
use super::{
    Plan, RESYNC, SHORTLY, SOON, flow, has_finalizer, objects, proxies, removal, resets, with_conditions,
};

/// What a pass knows about one resource.
struct Pass<'a> {
    world: &'a World,
    settings: &'a Settings,
    resource: &'a MeshObservability,
    failure: Option<&'a WriteFailure>,
    address: String,
    now: Timestamp,
}

/// What is to be done about mesh config.
struct Mesh {
    assessments: Vec<Assessment>,
    status: MeshStatus,
    answer: Answer,
    steps: Vec<Step>,
}

/// Plans for a resource that wants its mesh observed.
pub fn plan(
    world: &World,
    settings: &Settings,
    resource: &MeshObservability,
    failure: Option<&WriteFailure>,
    now: Timestamp,
) -> Plan {
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    Pass {
        world,
        settings,
        resource,
        failure,
        address: settings.address(name),
        now,
    }
    .plan()
}

impl Pass<'_> {
    fn plan(&self) -> Plan {
        let spec = &self.resource.spec;
        let previous = self.resource.status.clone().unwrap_or_default();
        let collector = self.collector();
        let availability = self.availability(collector.as_ref());
        let backup = self.backup();
        let backup_status = self.backup_status(&backup);
        let mesh = self.mesh(backup, &availability, previous.mesh.clone().unwrap_or_default());

        let mut steps = Vec::new();
        if !has_finalizer(self.resource) {
            steps.push(Step::AddFinalizer);
        }
        if let Ok(collector) = &collector {
            let desired = objects::desired(self.resource, self.settings);
            steps.extend(objects::steps(&desired, collector, availability.rolled_out));
        }
        steps.extend(mesh.steps);

        let targets: Vec<Target> = mesh.assessments.iter().map(|one| one.target.clone()).collect();
        let is_wired = !mesh.assessments.is_empty() && mesh.assessments.iter().all(|one| one.wired);
        let report = self
            .world
            .proxies
            .as_ref()
            .map(|all| proxies::report(all, &spec.mesh, &targets, &self.address));
        let answers = Answers {
            accepted: self.accepted(),
            collector_available: self.after_failure(availability.answer, false),
            mesh_configured: self.after_failure(mesh.answer, true),
            proxies_up_to_date: match &report {
                Err(error) => Answer::unknown("ProxyCheckFailed", error.to_string()),
                Ok(_) if !is_wired => {
                    Answer::unknown("MeshNotConfigured", "proxies are judged when the mesh is wired")
                }
                Ok(report) => proxies::answer(report),
            },
            data_flowing: flow::answer(collector.as_ref().map_or(&[][..], |one| &one.intakes), self.now),
        };
        let status = MeshObservabilityStatus {
            collector: Some(CollectorStatus {
                address: self.address.clone(),
                image: objects::image(&spec.collector, self.settings).to_owned(),
                replicas: spec.collector.replicas,
                ready_replicas: availability.ready_replicas,
            }),
            mesh: Some(mesh.status),
            proxies: report.ok(),
            backup: backup_status.or(previous.backup),
            ..MeshObservabilityStatus::default()
        };
        Plan {
            again_in: match answers.mesh_configured.reason {
                "WaitingForQuiet" | "Writing" => SHORTLY,
                _ if steps.is_empty() && availability.ready_replicas == 0 => RESYNC,
                _ => SOON,
            },
            steps,
            status: with_conditions(status, self.resource, &answers, self.now),
            notes: Vec::new(),
        }
    }

    fn uid(&self) -> &str {
        self.resource.metadata.uid.as_deref().unwrap_or_default()
    }

    fn collector(&self) -> Read<Collector> {
        match self.world.collectors.get(self.uid()) {
            Some(read) => read.clone(),
            None => Ok(Collector::default()),
        }
    }

    fn availability(&self, collector: Result<&Collector, &crate::world::ReadError>) -> Availability {
        match collector {
            Ok(collector) => availability::judge(collector, self.resource.spec.collector.replicas),
            Err(error) => Availability {
                answer: Answer::unknown("CollectorCheckFailed", error.to_string()),
                rolled_out: false,
                ready_replicas: 0,
            },
        }
    }

    fn backup(&self) -> Result<Option<&Backup>, Refusal> {
        match self.world.backups.get(self.uid()) {
            Some(Ok(backup)) => Ok(backup.as_ref()),
            Some(Err(error)) => Err(error.clone().into()),
            None => Ok(None),
        }
    }

    fn backup_status(&self, backup: &Result<Option<&Backup>, Refusal>) -> Option<BackupStatus> {
        backup.as_ref().ok()?.map(|_| BackupStatus {
            config_map: format!("{}/{}", self.settings.namespace, Backup::name_for(self.uid())),
        })
    }

    fn accepted(&self) -> Answer {
        let mesh = &self.resource.spec.mesh;
        match control_planes(self.world, mesh) {
            Ok(found) if found.is_empty() => Answer::no(
                "MeshNotFound",
                format!(
                    "no istiod runs in namespace {}; set spec.mesh.namespace to the namespace of its Deployment (label app: istiod)",
                    mesh.namespace
                ),
            ),
            Ok(_) => Answer::yes("Accepted", "the resource holds its mesh"),
            Err(refusal) => Answer::unknown("MeshCheckFailed", refusal.to_string()),
        }
    }

    /// A write that the API server refused is the reason that people need to see.
    fn after_failure(&self, answer: Answer, of_mesh: bool) -> Answer {
        let Some(failure) = self.failure else {
            return answer;
        };
        let (WriteFailure::Forbidden { name, .. } | WriteFailure::Failed { name, .. }) = failure;
        let is_of_mesh =
            name.namespace != self.settings.namespace || name.name.starts_with("alscope-backup-");
        if is_of_mesh != of_mesh || answer.status == Status::True {
            return answer;
        }
        let refusal = Refusal::WriteFailed(failure.clone());
        Answer::no(refusal.reason(), refusal.to_string())
    }

    fn mesh(
        &self,
        backup: Result<Option<&Backup>, Refusal>,
        availability: &Availability,
        mut status: MeshStatus,
    ) -> Mesh {
        let spec = &self.resource.spec.mesh;
        let generation = self.resource.metadata.generation.unwrap_or_default();
        let assessed = backup.and_then(|backup| {
            let wanted = Wanted {
                mesh: spec,
                address: &self.address,
                backup,
            };
            let targets = targets(self.world, self.settings, spec)?;
            let assess = |target| wiring::assess(self.world, &wanted, target);
            Ok((backup, targets.into_iter().map(assess).collect::<Vec<_>>()))
        });
        let (backup, assessments) = match assessed {
            Ok(assessed) => assessed,
            Err(refusal) => return Mesh::refused(status, &refusal),
        };
        let has_rested = self.note_resets(&assessments, &mut status);
        resets::contend(&mut status, generation, self.now);
        status.config_maps = assessments.iter().map(config_map_status).collect();

        let refusal = self.refusal(&assessments, &status, availability);
        let edits: Vec<&MeshEdit> = assessments.iter().filter_map(edit).collect();
        let answer = match &refusal {
            Some(refusal) if refusal.is_unknown() => Answer::unknown(refusal.reason(), refusal.to_string()),
            Some(refusal) => Answer::no(refusal.reason(), refusal.to_string()),
            None if edits.is_empty() => Answer::yes("Wired", wired_message(&assessments, &self.address)),
            None => self.pending(&edits, has_rested),
        };
        let mut steps = Vec::new();
        if refusal.is_none() && has_rested && !edits.is_empty() {
            steps.extend(self.write(backup, &edits));
        }
        if edits.is_empty() {
            steps.extend(assessments.iter().filter_map(|one| self.disown(one)));
        }
        Mesh {
            assessments,
            status,
            answer,
            steps,
        }
    }

    /// The first reason against writing.
    fn refusal(
        &self,
        assessments: &[Assessment],
        status: &MeshStatus,
        availability: &Availability,
    ) -> Option<Refusal> {
        if assessments.is_empty() {
            return Some(Refusal::WaitingForCollector {
                why: "no istiod is found, see Accepted".to_owned(),
            });
        }
        let refused = assessments.iter().find_map(|one| match &one.verdict {
            Verdict::Refuse(refusal) => Some(refusal.clone()),
            Verdict::Nothing | Verdict::Edit(_) => None,
        });
        let is_wired = assessments.iter().all(|one| one.wired);
        if refused.is_some() || is_wired {
            return refused;
        }
        if let Some(contention) = &status.contention {
            return Some(Refusal::MeshConfigContended {
                manager: contention.manager.clone(),
            });
        }
        // A mesh that was wired stays so through the collector's outages, and is wired again through them.
        let was_wired = !status.resets.is_empty();
        let may_write = self.resource.spec.management_state == ManagementState::Managed;
        (availability.answer.status != Status::True && !was_wired && may_write).then(|| {
            Refusal::WaitingForCollector {
                why: availability.answer.message.clone(),
            }
        })
    }

    fn pending(&self, edits: &[&MeshEdit], has_rested: bool) -> Answer {
        let names: Vec<ObjectName> = edits.iter().map(|edit| edit.config_map.clone()).collect();
        let names = super::refusal::names(&names);
        match self.resource.spec.management_state {
            ManagementState::Plan => Answer::no(
                "PlanOnly",
                format!(
                    "would wire {names}; `alscope-operator plan` shows the diff, managementState: Managed does it"
                ),
            ),
            ManagementState::Unmanaged => Answer::no(
                "Unmanaged",
                format!(
                    "{names} does not send access logs to the collector; set managementState: Managed to wire it"
                ),
            ),
            ManagementState::Managed | ManagementState::Removed if !has_rested => Answer::no(
                "WaitingForQuiet",
                format!(
                    "{names} was set back; it is wired again after {} s without a change",
                    QUIET.as_secs()
                ),
            ),
            ManagementState::Managed | ManagementState::Removed => {
                Answer::no("Writing", format!("{names} is being wired"))
            }
        }
    }

    /// Writes down texts that were wired and no longer are. `true` when all of them have rested, and were known before this
    /// pass.
    fn note_resets(&self, assessments: &[Assessment], status: &mut MeshStatus) -> bool {
        let mut has_rested = true;
        for assessment in assessments {
            let name = assessment.target.edited();
            let was_wired = status
                .config_maps
                .iter()
                .any(|one| one.name == name.to_string() && one.wired);
            let Ok(Some(text)) = config_map(self.world, name) else {
                continue;
            };
            if assessment.wired {
                continue;
            }
            if was_wired {
                resets::record(status, text, self.now);
                has_rested = false;
            }
            let was_reset = status
                .resets
                .iter()
                .any(|reset| reset.config_map == name.to_string());
            has_rested &= !was_reset || text.unchanged_for >= QUIET;
        }
        has_rested
    }

    /// The backup of everything that is about to be written, then the writes.
    fn write(&self, backup: Option<&Backup>, edits: &[&MeshEdit]) -> Vec<Step> {
        let mut wanted = backup.cloned().unwrap_or_else(|| Backup {
            uid: self.uid().to_owned(),
            resource: self.resource.metadata.name.clone().unwrap_or_default(),
            address: self.address.clone(),
            before: BTreeMap::new(),
            resource_version: None,
        });
        for edit in edits {
            let before = Self::before(&wanted, edit);
            wanted.before.insert(edit.config_map.clone(), before);
        }
        wanted.address.clone_from(&self.address);
        let mut steps = Vec::new();
        if backup != Some(&wanted) {
            steps.push(Step::WriteBackup(wanted));
        }
        steps.extend(edits.iter().map(|edit| Step::WriteMesh((*edit).clone())));
        steps
    }

    /// What a ConfigMap held before the operator wrote: what it holds now, without what is the operator's own.
    fn before(backup: &Backup, edit: &MeshEdit) -> Before {
        let known = backup.before.get(&edit.config_map);
        let Some(current) = &edit.before else {
            return match edit.resource_version {
                Some(_) => Before::KeyAbsent,
                None => Before::ObjectAbsent,
            };
        };
        let Some(known) = known else {
            return Before::Text(current.clone());
        };
        match alscope_mesh_config::restore(current, known.text(), &backup.address) {
            Ok(restored) if restored.text.trim().is_empty() && !matches!(known, Before::Text(_)) => {
                known.clone()
            }
            Ok(restored) => Before::Text(restored.text),
            Err(_) => Before::Text(current.clone()),
        }
    }

    fn disown(&self, assessment: &Assessment) -> Option<Step> {
        let text = config_map(self.world, assessment.target.edited())
            .ok()
            .flatten()?;
        removal::disown(text)
    }
}

impl Mesh {
    fn refused(status: MeshStatus, refusal: &Refusal) -> Self {
        let answer = if refusal.is_unknown() {
            Answer::unknown(refusal.reason(), refusal.to_string())
        } else {
            Answer::no(refusal.reason(), refusal.to_string())
        };
        Self {
            assessments: Vec::new(),
            status,
            answer,
            steps: Vec::new(),
        }
    }
}

fn edit(assessment: &Assessment) -> Option<&MeshEdit> {
    match &assessment.verdict {
        Verdict::Edit(edit) => Some(edit),
        Verdict::Nothing | Verdict::Refuse(_) => None,
    }
}

fn config_map_status(assessment: &Assessment) -> ConfigMapStatus {
    ConfigMapStatus {
        revision: assessment.target.revision.clone(),
        name: assessment.target.edited().to_string(),
        wired: assessment.wired,
    }
}

fn wired_message(assessments: &[Assessment], address: &str) -> String {
    let names: Vec<ObjectName> = assessments
        .iter()
        .map(|one| one.target.edited().clone())
        .collect();
    format!("{} sends access logs to {address}", super::refusal::names(&names))
}
