//! One pass over all resources, and over all meshes whose resource is gone.

use std::time::Duration;

use alscope_plan::api::{MeshObservability, MeshObservabilitySpec};
use alscope_plan::plan::events::ResourceEvent;
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::reverts;
use alscope_plan::plan::step::Step;
use alscope_plan::plan::uninstall::{Progress, restore_orphan};
use alscope_plan::plan::{self, Reconciliation};
use alscope_plan::world::{Backup, World};
use kube::core::error_boundary::InvalidObject;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::apply::StepError;

use super::operator::{FailedWrite, Operator};
use super::retry::{CONFLICT_RETRY_DELAY, MAX_RETRY_DELAY, POLL_INTERVAL, retry_delay};

impl Operator {
    /// Runs one pass. Returns when the next one is due.
    pub(super) async fn pass(&mut self) -> Duration {
        let now = self.clock.now();
        let world = World {
            overwritten_versions: self.overwritten_versions.clone(),
            ..self.gather.world(&self.replica_poller, now)
        };
        if !self.gather.is_settled() {
            debug!("waiting for the first lists");
            return POLL_INTERVAL;
        }
        self.metrics.count_pass(&world);
        self.metrics.set_unreadable(&self.gather.undecodable());
        let Ok(resources) = &world.resources else {
            // The watch has told why, and tells when they are known again.
            return MAX_RETRY_DELAY;
        };
        let known: Vec<String> = resources.iter().map(|one| one.uid().to_owned()).collect();
        self.failures.retain(|uid, _| known.contains(uid));
        self.statuses.retain(|uid, _| known.contains(uid));
        self.report_undecodable_resources(&world.undecodable_resources)
            .await;
        let mut requeue_after = self.restore_orphans(&world).await;
        for resource in resources {
            if !self.may_write() {
                break;
            }
            requeue_after = requeue_after.min(self.reconcile(&world, resource).await);
        }
        requeue_after
    }

    /// Publishes an event for each resource that can't be decoded.
    async fn report_undecodable_resources(&mut self, unread: &[InvalidObject]) {
        for one in unread {
            if !self.leadership.holds() {
                return;
            }
            let resource = MeshObservability {
                metadata: one.metadata.clone(),
                ..resource_named("")
            };
            let note = ResourceEvent {
                is_warning: true,
                reason: "NotUnderstood".to_owned(),
                message: format!(
                    "this version of the operator can't read the resource and leaves its mesh and collector as they are: {}; upgrade \
                     the operator, or correct the resource",
                    one.error
                ),
            };
            self.report.publish_once(&resource, &note).await;
        }
    }

    async fn reconcile(&mut self, world: &World, resource: &MeshObservability) -> Duration {
        let uid = resource.uid();
        let failure = self.failures.get(uid);
        let plan = plan::plan(&Reconciliation {
            world,
            settings: &self.settings,
            resource,
            failure: failure.map(|failure| &failure.what),
            now: self.clock.now(),
        });
        let (newest, counts_in) = match self.report_status(resource, &plan.status).await {
            Ok(schedule) => schedule,
            Err(requeue_after) => return requeue_after,
        };
        reverts::forget_observed(&mut self.overwritten_versions, world, &plan.status);
        for event in plan.events.iter().filter(|_| self.leadership.holds()) {
            self.report.publish_once(&newest, event).await;
        }
        let requeue_after = plan.requeue_after.min(counts_in);
        // A restart that fails holds up nothing but restarts.
        let is_restart = plan.steps.iter().all(|step| matches!(step, Step::Restart(_)));
        let failure = self.failures.get(uid);
        let failure = failure.filter(|failure| is_restart || !failure.what.is_of_restart());
        let wait = failure.map_or(Duration::ZERO, |failure| {
            failure.retry_at.saturating_duration_since(Instant::now())
        });
        if wait > Duration::ZERO && !plan.steps.is_empty() {
            return wait.min(requeue_after);
        }
        self.apply(uid, newest, &plan.steps)
            .await
            .unwrap_or(requeue_after)
    }

    /// Writes the steps. Returns when to look again, if that is sooner than planned.
    async fn apply(&mut self, uid: &str, mut newest: MeshObservability, steps: &[Step]) -> Option<Duration> {
        for step in steps {
            if !self.may_write() {
                return Some(POLL_INTERVAL);
            }
            match self.writer.step(step, newest).await {
                Ok(next) => {
                    self.metrics.count_write();
                    reverts::record_overwrite(&mut self.overwritten_versions, step);
                    newest = next;
                }
                Err(StepError::Conflict) => return Some(CONFLICT_RETRY_DELAY),
                Err(StepError::Failed(_)) if !self.leadership.holds() => return Some(POLL_INTERVAL),
                Err(StepError::Failed(what)) => return Some(self.record_failure(uid, what)),
            }
        }
        self.failures.remove(uid);
        None
    }

    /// Records a failed write, for the status. The pause after the first failure is zero, so that the status shows it at once.
    fn record_failure(&mut self, uid: &str, what: WriteFailure) -> Duration {
        let attempts = self.failures.get(uid).map_or(0, |failure| failure.attempts);
        if attempts == 0 {
            warn!("{what}");
        }
        self.metrics.count_failed_write();
        let pause = retry_delay(attempts);
        let failure = FailedWrite {
            what,
            attempts: attempts + 1,
            retry_at: Instant::now() + pause,
        };
        self.failures.insert(uid.to_owned(), failure);
        if attempts == 0 { Duration::ZERO } else { pause }
    }

    /// Logs once why a mesh can't be restored whose resource, and so its conditions, are gone.
    fn log_stuck_orphan(&mut self, backup: &Backup, progress: &Progress) {
        let is_stuck = progress.steps.is_empty() || progress.is_wired;
        let what = progress
            .incomplete
            .iter()
            .chain([&progress.message])
            .next()
            .filter(|_| is_stuck);
        if self.reported_orphans.get(&backup.uid) != what {
            if let Some(what) = what {
                warn!(
                    "the mesh of {}, which is gone, is not restored: {what}",
                    backup.resource
                );
            }
            match what {
                Some(what) => self.reported_orphans.insert(backup.uid.clone(), what.clone()),
                None => self.reported_orphans.remove(&backup.uid),
            };
        }
    }

    /// Restores the meshes whose resource was deleted without its finalizer.
    async fn restore_orphans(&mut self, world: &World) -> Duration {
        let mut requeue_after = MAX_RETRY_DELAY;
        let planned = world.orphaned_backups.iter().map(|backup| {
            let progress = restore_orphan(world, &self.settings, backup, self.clock.now());
            (backup, progress)
        });
        let planned: Vec<(&Backup, Progress)> = planned.collect();
        for (backup, progress) in &planned {
            self.log_stuck_orphan(backup, progress);
        }
        if planned.iter().all(|(_, progress)| progress.steps.is_empty()) {
            return requeue_after;
        }
        // Another operator may have written the backup for a resource that this one's watch has not shown yet.
        let known = match self.gather.fetch_resource_uids().await {
            Ok(known) => known,
            Err(error) => {
                warn!(%error, "whether the resource of a backup is gone is not known");
                return POLL_INTERVAL;
            }
        };
        for (backup, progress) in planned {
            if known.contains(&backup.uid) {
                requeue_after = requeue_after.min(POLL_INTERVAL);
                continue;
            }
            for step in &progress.steps {
                if !self.may_write() {
                    return POLL_INTERVAL;
                }
                match self.writer.step(step, resource_named(&backup.resource)).await {
                    Ok(_) => self.metrics.count_write(),
                    Err(StepError::Conflict) => {
                        requeue_after = CONFLICT_RETRY_DELAY;
                        break;
                    }
                    Err(StepError::Failed(what)) => {
                        warn!(
                            "the mesh of {}, which is gone, is not restored yet: {what}",
                            backup.resource
                        );
                        requeue_after = POLL_INTERVAL;
                        break;
                    }
                }
            }
        }
        requeue_after
    }
}

/// A resource with nothing but its name.
fn resource_named(name: &str) -> MeshObservability {
    MeshObservability::new(name, MeshObservabilitySpec::default())
}
