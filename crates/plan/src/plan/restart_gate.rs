//! When the operator may restart workloads, and what a pass makes of it.

use std::time::Duration;

use crate::api::{ManagementState, Restart, RestartsStatus};
use crate::world::Backup;

use super::conditions::ConditionStatus;
use super::proxies::{ProxiesReport, RestartNote};
use super::reconciliation::Reconciliation;
use super::refusal::WriteFailure;
use super::restarts::{RestartWorld, Restarts};
use super::step::Step;
use super::targets::config_map;
use super::wiring::Assessment;

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
    /// Whether this pass writes neither the collector nor mesh config.
    pub(super) is_complete: bool,
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
    /// Decides about the restarts of the workloads of a mesh that is wired. Only a managed resource with `restart: Rollout` has any.
    pub(super) fn plan_restarts(&self, proxies: &ProxiesReport, installed: &Installed<'_>) -> RestartPlan {
        if !self.may_restart() {
            return RestartPlan::default();
        }
        let previous = self.previous_restarts();
        let (all, workloads) = match (&self.world.proxies, &self.world.workloads) {
            (Ok(proxies), Ok(workloads)) => (proxies, workloads),
            (Err(error), _) | (_, Err(error)) => {
                return RestartPlan {
                    steps: Vec::new(),
                    status: previous,
                    note: Some(RestartNote {
                        reason: "RestartNeeded",
                        message: format!(
                            "The operator restarts no workload: {error}; the chart's value mesh.restartWorkloads gives it the rights"
                        ),
                    }),
                };
            }
        };
        let restarts = Restarts::decide(&RestartWorld {
            pending: &proxies.pending,
            proxies: all,
            workloads,
            mark: &self.restart_mark(installed.backup),
            budget: &self.resource.spec.mesh.restart_budget,
            previous: previous.as_ref(),
            now: self.now,
        });
        let closed = self.closed(installed);
        let mut note = restarts.note(closed.as_deref());
        if let Some(failure) = self.failure.filter(|failure| failure.is_of_restart()) {
            note.reason = match failure {
                WriteFailure::Forbidden { .. } => "Forbidden",
                WriteFailure::Failed { .. } => "RestartFailed",
            };
            note.message = format!("{}. {failure}", note.message);
        }
        let steps = if closed.is_none() {
            restarts.next
        } else {
            Vec::new()
        };
        RestartPlan {
            steps: steps.into_iter().map(Step::Restart).collect(),
            status: Some(restarts.status),
            note: Some(note),
        }
    }

    /// What an earlier pass said of the restarts, for a resource that has any.
    pub(super) fn previous_restarts(&self) -> Option<RestartsStatus> {
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
        if !installed.is_complete {
            return Some("the collector or mesh config is being written".to_owned());
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
