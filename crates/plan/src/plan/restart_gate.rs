//! When the operator may restart workloads, and what a pass makes of it.

use std::time::Duration;

use crate::api::{ManagementState, Restart, RestartsStatus};
use crate::world::{Backup, ReadResult};

use super::conditions::ConditionStatus;
use super::proxies::ProxiesReport;
use super::proxies_condition::RestartNote;
use super::reconciliation::Reconciliation;
use super::refusal::{Refusal, WriteFailure};
use super::restarts::{RestartWorld, Restarts};
use super::revision_texts::DesiredWiring;
use super::step::Step;
use super::targets::config_map;
use super::wiring::{self, Assessment};

/// How long mesh config must be unchanged before a restart, so that every istiod injects what it says.
const SETTLE_PERIOD: Duration = Duration::from_secs(10);

/// What a pass has found before it comes to the restarts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Installed<'a> {
    /// The mesh config of each revision.
    pub(super) assessments: &'a [Assessment],
    /// The backup of mesh config.
    pub(super) backup: Option<&'a Backup>,
    /// Whether the collector takes entries.
    pub(super) collector: ConditionStatus,
    /// Whether this pass writes nothing of mesh config.
    pub(super) is_written: bool,
}

/// What a pass decides about the restarts of workloads.
#[derive(Debug, Default)]
pub(super) struct RestartPlan {
    /// The restarts that are due.
    pub(super) steps: Vec<Step>,
    /// The part of the status about restarts.
    pub(super) status: Option<RestartsStatus>,
    /// What `ProxiesUpToDate` says of the restarts.
    pub(super) note: Option<RestartNote>,
}

impl Reconciliation<'_> {
    /// Decides about the restarts of workloads. Only a managed resource with `restart: Rollout` has any. `proxies` is absent while the
    /// mesh is not wired or they are not known.
    pub(super) fn plan_restarts(
        &self,
        proxies: Option<&ProxiesReport>,
        installed: &Installed<'_>,
    ) -> RestartPlan {
        let Some(proxies) = proxies.filter(|_| self.may_restart()) else {
            return RestartPlan {
                status: self.previous_restarts(),
                ..RestartPlan::default()
            };
        };
        let closed = self.closed(installed);
        let restarts = match self.decide_restarts(proxies, installed.backup, closed.is_none()) {
            Ok(restarts) => restarts,
            Err(error) => {
                return RestartPlan {
                    steps: Vec::new(),
                    status: self.previous_restarts(),
                    note: Some(RestartNote {
                        reason: "RestartNeeded",
                        message: format!(
                            "The operator restarts no workload: {error}; the chart's value mesh.restartWorkloads gives it the rights"
                        ),
                    }),
                };
            }
        };
        let mut note = restarts.note(closed.as_deref());
        if let Some(failure) = self.failure.filter(|failure| failure.is_of_restart()) {
            note.reason = match failure {
                WriteFailure::Forbidden { .. } => "Forbidden",
                WriteFailure::Failed { .. } => "RestartFailed",
            };
            note.message = format!("{}. {failure}", note.message);
        }
        RestartPlan {
            steps: restarts.next.into_iter().map(Step::Restart).collect(),
            status: Some(restarts.status),
            note: Some(note),
        }
    }

    /// Every restart that the mesh needs, with those of later passes, for people; and the proxies that need them.
    pub fn restarts(&self) -> Result<(ProxiesReport, Restarts), Refusal> {
        let backup = self.backup()?;
        let wanted = DesiredWiring {
            mesh: &self.resource.spec.mesh,
            address: &self.collector_address(),
            previous_address: self.previous_address(backup),
            backup,
        };
        let assessments = wiring::assess_all(self.world, self.settings, &wanted)?;
        let proxies = self.proxies_report(&assessments)?;
        let restarts = self.decide_restarts(&proxies, backup, true)?;
        Ok((proxies, restarts))
    }

    fn decide_restarts(
        &self,
        report: &ProxiesReport,
        backup: Option<&Backup>,
        is_open: bool,
    ) -> ReadResult<Restarts> {
        let mut previous = self.previous_restarts();
        if let Some(previous) = &mut previous
            && self.failure.is_some_and(WriteFailure::is_of_restart)
        {
            // It did not begin, or the workload tells.
            previous.last_began = None;
        }
        let proxies = self.world.proxies.as_ref().map_err(Clone::clone)?;
        let workloads = self.world.workloads.as_ref().map_err(Clone::clone)?;
        Ok(Restarts::decide(&RestartWorld {
            pending: &report.pending,
            proxies,
            workloads,
            mark: &self.restart_mark(backup),
            budget: &self.resource.spec.mesh.restart_budget,
            is_open,
            previous: previous.as_ref(),
            now: self.now,
        }))
    }

    /// What an earlier pass said of the restarts, for a resource that has any.
    fn previous_restarts(&self) -> Option<RestartsStatus> {
        let previous = self.resource.status.as_ref()?.restarts.clone();
        previous.filter(|_| self.may_restart())
    }

    fn may_restart(&self) -> bool {
        let spec = &self.resource.spec;
        spec.management_state == ManagementState::Managed && spec.mesh.restart == Restart::Rollout
    }

    /// What a restart is for: the address, and this wiring of the mesh, because pods of an earlier one have lost the address since.
    fn restart_mark(&self, backup: Option<&Backup>) -> String {
        let wiring = backup.and_then(|backup| backup.config_map_uid.as_deref());
        format!(
            "{} {}",
            self.collector_address(),
            wiring.unwrap_or(self.resource.uid())
        )
    }

    /// Why no restart may begin; `None` if restarts may.
    fn closed(&self, installed: &Installed<'_>) -> Option<String> {
        if installed.collector != ConditionStatus::True {
            return Some("the collector is not available".to_owned());
        }
        if !installed.is_written {
            return Some("mesh config is being written".to_owned());
        }
        let texts = installed
            .assessments
            .iter()
            .flat_map(|one| [Some(&one.target.primary), one.target.shared.as_ref()])
            .flatten();
        let mut texts = texts.filter_map(|name| config_map(self.world, name).ok().flatten());
        let changed = texts.find(|text| text.unchanged_for < SETTLE_PERIOD)?;
        Some(format!("{} has changed a moment ago", changed.name))
    }
}
