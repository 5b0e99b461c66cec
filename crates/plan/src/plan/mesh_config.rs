//! Mesh config during an install: whether it is written, and why not.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{ConfigMapStatus, ManagementState, MeshStatus};
use crate::world::{Backup, MeshConfigContent, MeshConfigMap, ObjectName, World};

use super::availability::Availability;
use super::conditions::{ConditionState, ConditionStatus};
use super::original::reconstruct_original;
use super::reconciliation::Reconciliation;
use super::refusal::{self, Refusal};
use super::restoration::release_field_ownership;
use super::reverts;
use super::step::{MeshEdit, Step};
use super::targets::config_map;
use super::uninstall::restore_orphan;
use super::wiring::{self, Assessment, DesiredWiring, QUIET_PERIOD, Verdict};

/// What a pass decides about mesh config.
pub(super) struct MeshConfigPlan {
    /// The mesh config of each revision.
    pub(super) assessments: Vec<Assessment>,
    /// The part of the status about the mesh.
    pub(super) status: MeshStatus,
    /// The state of `MeshConfigured`.
    pub(super) condition: ConditionState,
    /// The writes that are due, in order.
    pub(super) steps: Vec<Step>,
}

impl Reconciliation<'_> {
    /// Decides whether mesh config is written, and what `MeshConfigured` says.
    pub(super) fn plan_mesh_config(
        &self,
        backup: Result<Option<&Backup>, Refusal>,
        availability: &Availability,
        mut status: MeshStatus,
    ) -> MeshConfigPlan {
        let spec = &self.resource.spec.mesh;
        let address = self.collector_address();
        let generation = self.resource.metadata.generation.unwrap_or_default();
        let assessed = backup.and_then(|backup| {
            let wanted = DesiredWiring {
                mesh: spec,
                address: &address,
                previous_address: self.previous_address(backup),
            };
            let assessments = wiring::assess_all(self.world, self.settings, &wanted)?;
            self.refuse_orphaned(&assessments)?;
            Ok((backup, assessments))
        });
        let (backup, assessments) = match assessed {
            Ok(assessed) => assessed,
            Err(refusal) => return MeshConfigPlan::refused(status, &refusal),
        };
        let has_rested = self.record_reverts(backup, &assessments, &mut status);
        reverts::update_contention(&mut status, generation, self.now);
        status.config_maps = assessments.iter().map(config_map_status).collect();

        let refusal = self.refusal(&assessments, &status, availability);
        let edits: Vec<&MeshEdit> = assessments.iter().filter_map(edit).collect();
        let condition = match &refusal {
            Some(refusal) => refusal.condition(),
            None if edits.is_empty() => {
                let message = wired_message(&assessments, &address);
                ConditionState::met(
                    "Wired",
                    format!("{message}{}", helm_release_warning(self.world, &assessments)),
                )
            }
            None => self.pending_condition(
                &edits,
                has_rested,
                &helm_release_warning(self.world, &assessments),
            ),
        };
        let mut steps = Vec::new();
        if refusal.is_none() && has_rested && !edits.is_empty() {
            steps.extend(self.write_steps(backup, &edits));
        }
        if edits.is_empty() {
            steps.extend(backup.and_then(|backup| self.update_backup_address(backup, &assessments)));
            steps.extend(self.release_field_ownership(backup, &assessments));
        }
        MeshConfigPlan {
            assessments,
            status,
            condition,
            steps,
        }
    }

    /// Refuses a ConfigMap that is still to be restored for an earlier resource: that restore would remove this resource's wiring, or lose
    /// the original. A backup that can't be decoded may be of any ConfigMap.
    fn refuse_orphaned(&self, assessments: &[Assessment]) -> Result<(), Refusal> {
        if let Some(error) = self.world.undecodable_backups.first() {
            return Err(error.clone().into());
        }
        let edited = || assessments.iter().map(|one| one.target.edited());
        let found = self.world.orphaned_backups.iter().find_map(|orphan| {
            Some((
                orphan,
                edited().find(|name| orphan.originals.contains_key(*name))?,
            ))
        });
        let Some((orphan, config_map)) = found else {
            return Ok(());
        };
        let progress = restore_orphan(self.world, self.settings, orphan, self.now);
        let why = progress.incomplete.into_iter().next().unwrap_or(progress.message);
        Err(Refusal::RestorePending {
            config_map: config_map.clone(),
            resource: orphan.resource.clone(),
            why,
            command: format!(
                "kubectl -n {} delete configmap {}",
                self.settings.namespace,
                Backup::name_for(&orphan.uid)
            )
            .into(),
        })
    }

    /// The first reason not to write; `None` when mesh config may be written.
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
        let was_wired = !status.reverts.is_empty();
        let may_write = self.resource.spec.management_state == ManagementState::Managed;
        (availability.condition.status != ConditionStatus::True && !was_wired && may_write).then(|| {
            Refusal::WaitingForCollector {
                why: availability.condition.message.clone(),
            }
        })
    }

    fn pending_condition(&self, edits: &[&MeshEdit], has_rested: bool, warning: &str) -> ConditionState {
        let names: Vec<ObjectName> = edits.iter().map(|edit| edit.config_map.clone()).collect();
        let names = refusal::join_names(&names);
        match self.resource.spec.management_state {
            ManagementState::Plan => ConditionState::unmet(
                "PlanOnly",
                format!(
                    "would wire {names}; `alscope-operator plan` shows the diff, managementState: Managed does it{warning}"
                ),
            ),
            ManagementState::Unmanaged => ConditionState::unmet(
                "Unmanaged",
                format!(
                    "{names} does not send access logs to the collector; set managementState: Managed to wire it"
                ),
            ),
            ManagementState::Managed | ManagementState::Removed if !has_rested => ConditionState::unmet(
                "WaitingForQuiet",
                format!(
                    "{names} was reverted; it is wired again after {} s without a change",
                    QUIET_PERIOD.as_secs()
                ),
            ),
            ManagementState::Managed | ManagementState::Removed => {
                ConditionState::unmet("Writing", format!("{names} is being wired"))
            }
        }
    }

    /// Records ConfigMaps that were wired and no longer are. `true` when none of them has changed for the quiet period, and none is new in
    /// this pass.
    fn record_reverts(
        &self,
        backup: Option<&Backup>,
        assessments: &[Assessment],
        status: &mut MeshStatus,
    ) -> bool {
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
            // A text with the operator's address of before was not set back: the address is another.
            let is_outdated = self
                .previous_address(backup)
                .is_some_and(|address| holds(text, address));
            if (was_wired || reverts::was_overwritten(self.world, text)) && !is_outdated {
                reverts::record_revert(status, text, self.now);
                has_rested = false;
            }
            let was_reset = status
                .reverts
                .iter()
                .any(|reset| reset.config_map == name.to_string());
            has_rested &= !was_reset || text.unchanged_for >= QUIET_PERIOD;
        }
        has_rested
    }

    /// The writes of mesh config, after the backup of everything that they change.
    fn write_steps(&self, backup: Option<&Backup>, edits: &[&MeshEdit]) -> Vec<Step> {
        let address = self.collector_address();
        let mut wanted = backup.cloned().unwrap_or_else(|| Backup {
            uid: self.resource.uid().to_owned(),
            resource: self.resource.name().to_owned(),
            address: self.previous_address(None).unwrap_or(&address).to_owned(),
            originals: BTreeMap::new(),
            allows_rollout: false,
            resource_version: None,
        });
        // A text may still hold the address of before, so that one stays known until every text has today's.
        let addresses = [wanted.address.clone(), address];
        let had_backup = self
            .resource
            .status
            .as_ref()
            .is_some_and(|status| status.backup.is_some());
        let is_lost = backup.is_none() && had_backup;
        let nothing = MeshConfigContent::Text(String::new());
        for edit in edits {
            let known = wanted.originals.get(&edit.config_map);
            let known = known.or(is_lost.then_some(&nothing));
            let before = reconstruct_original(edit, known, &addresses.each_ref().map(String::as_str));
            wanted.originals.insert(edit.config_map.clone(), before);
        }
        // Also where it stays as it is: what was deleted since it was read is missed before mesh config is written.
        let mut steps = vec![Step::WriteBackup(wanted)];
        steps.extend(edits.iter().map(|edit| Step::WriteMesh((*edit).clone())));
        steps
    }

    /// The backup with the present address, once every ConfigMap has that address.
    fn update_backup_address(&self, backup: &Backup, assessments: &[Assessment]) -> Option<Step> {
        let address = self.collector_address();
        let is_in_use = |name: &ObjectName| {
            let text = config_map(self.world, name).ok().flatten();
            text.is_some_and(|text| text.mesh_text().contains(&backup.address))
        };
        let is_old = backup.address != address
            && assessments.iter().all(|one| one.wired)
            && !backup.originals.keys().any(is_in_use);
        is_old.then(|| {
            Step::WriteBackup(Backup {
                address: address.clone(),
                ..backup.clone()
            })
        })
    }

    /// Releases the operator's field ownership of every ConfigMap that is or was written. A change of `configSource` may have left one
    /// that was written and not released.
    fn release_field_ownership(&self, backup: Option<&Backup>, assessments: &[Assessment]) -> Vec<Step> {
        let written = backup.iter().flat_map(|backup| backup.originals.keys());
        let edited = assessments.iter().map(|one| one.target.edited());
        let names: BTreeSet<&ObjectName> = written.chain(edited).collect();
        let texts = names
            .into_iter()
            .filter_map(|name| config_map(self.world, name).ok().flatten());
        texts.filter_map(release_field_ownership).collect()
    }
}

impl MeshConfigPlan {
    fn refused(status: MeshStatus, refusal: &Refusal) -> Self {
        Self {
            assessments: Vec::new(),
            status,
            condition: refusal.condition(),
            steps: Vec::new(),
        }
    }
}

/// Whether a ConfigMap sends access logs to an address.
fn holds(text: &MeshConfigMap, address: &str) -> bool {
    alscope_mesh_config::is_wired(text.mesh_text(), address).unwrap_or(false)
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
    format!("{} sends access logs to {address}", refusal::join_names(&names))
}

/// The warnings of [`helm_release_warnings`], as they follow a message.
fn helm_release_warning(world: &World, assessments: &[Assessment]) -> String {
    let mut text = String::new();
    for warning in helm_release_warnings(world, assessments) {
        text.extend([". ", &warning]);
    }
    text
}

/// A warning for each wired ConfigMap that a HelmRelease renders.
pub fn helm_release_warnings(world: &World, assessments: &[Assessment]) -> Vec<String> {
    let edited = assessments.iter().map(|one| one.target.edited());
    let texts = edited.filter_map(|name| config_map(world, name).ok().flatten());
    let warnings = texts.filter_map(|text| {
        let release = text.helm_release.as_deref()?;
        Some(format!(
            "{release} renders {name}: each of its upgrades reverts mesh config, and it is wired again after {quiet} s; if \
             its spec.driftDetection is on, it reverts mesh config until the operator gives up: let it ignore the path /data/mesh",
            name = text.name,
            quiet = QUIET_PERIOD.as_secs()
        ))
    });
    warnings.collect()
}
