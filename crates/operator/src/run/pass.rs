//! One pass: what is due for each resource, and for each mesh whose resource is gone.

use std::time::Duration;

use alscope_plan::api::{MeshObservability, MeshObservabilitySpec};
use alscope_plan::plan;
use alscope_plan::plan::events::Note;
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::reverts;
use alscope_plan::plan::step::Step;
use alscope_plan::plan::uninstall::Progress;
use alscope_plan::world::{Backup, World};
use kube::core::error_boundary::InvalidObject;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::apply::StepError;

use super::{Failure, Operator, SOON};

/// When to look again after a write of this operator's was overtaken.
pub(super) const AFTER_CONFLICT: Duration = Duration::from_millis(500);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(5);

impl Operator {
    /// One pass over every resource. Returns when the next is due.
    pub(super) async fn pass(&mut self) -> Duration {
        let now = self.clock.now();
        let world = World {
            written_over: self.written_over.clone(),
            ..self.gather.world(&self.intakes, now)
        };
        if !self.gather.is_settled() {
            debug!("waiting for the first lists");
            return SOON;
        }
        self.metrics.pass(&world);
        self.metrics.unreadable(&self.gather.undecodable());
        let Ok(resources) = &world.resources else {
            // The watch has told why, and tells when they are known again.
            return LAST_RETRY;
        };
        let known: Vec<String> = resources.iter().map(|one| one.uid().to_owned()).collect();
        self.failures.retain(|uid, _| known.contains(uid));
        self.statuses.retain(|uid, _| known.contains(uid));
        self.tell_unread(&world.unread).await;
        let mut again_in = self.orphans(&world).await;
        for resource in resources {
            if !self.may_go_on() {
                break;
            }
            again_in = again_in.min(self.resource(&world, resource).await);
        }
        again_in
    }

    /// Says of each resource that can't be read what follows.
    async fn tell_unread(&mut self, unread: &[InvalidObject]) {
        for one in unread {
            if !self.leadership.holds() {
                return;
            }
            let resource = MeshObservability {
                metadata: one.metadata.clone(),
                ..nobody("")
            };
            let note = Note {
                is_warning: true,
                reason: "NotUnderstood".to_owned(),
                message: format!(
                    "this version of the operator can't read the resource and leaves its mesh and collector as they are: {}; upgrade \
                     the operator, or correct the resource",
                    one.error
                ),
            };
            self.report.note(&resource, &note).await;
        }
    }

    async fn resource(&mut self, world: &World, resource: &MeshObservability) -> Duration {
        let uid = resource.uid();
        let failure = self.failures.get(uid);
        let plan = plan::plan(
            world,
            &self.settings,
            resource,
            failure.map(|failure| &failure.what),
            self.clock.now(),
        );
        let (newest, counts_in) = match self.report_status(resource, &plan.status).await {
            Ok(told) => told,
            Err(again_in) => return again_in,
        };
        reverts::noted(&mut self.written_over, world, &plan.status);
        for note in plan.notes.iter().filter(|_| self.leadership.holds()) {
            self.report.note(&newest, note).await;
        }
        let again_in = plan.again_in.min(counts_in);
        let failure = self.failures.get(uid);
        let wait = failure.map_or(Duration::ZERO, |failure| {
            failure.retry_at.saturating_duration_since(Instant::now())
        });
        if wait > Duration::ZERO && !plan.steps.is_empty() {
            return wait.min(again_in);
        }
        self.apply(uid, newest, &plan.steps).await.unwrap_or(again_in)
    }

    /// Does the steps. Returns when to look again, if that is sooner than planned.
    async fn apply(&mut self, uid: &str, mut newest: MeshObservability, steps: &[Step]) -> Option<Duration> {
        for step in steps {
            if !self.may_go_on() {
                return Some(SOON);
            }
            match self.writer.step(step, newest).await {
                Ok(next) => {
                    self.metrics.wrote();
                    reverts::wrote(&mut self.written_over, step);
                    newest = next;
                }
                Err(StepError::Conflict) => return Some(AFTER_CONFLICT),
                Err(StepError::Failed(_)) if !self.leadership.holds() => return Some(SOON),
                Err(StepError::Failed(what)) => return Some(self.failed(uid, what)),
            }
        }
        self.failures.remove(uid);
        None
    }

    /// Writes a failure down, for the status. Returns at once for the first, so that people see it.
    fn failed(&mut self, uid: &str, what: WriteFailure) -> Duration {
        let attempts = self.failures.get(uid).map_or(0, |failure| failure.attempts);
        if attempts == 0 {
            warn!("{what}");
        }
        self.metrics.failed();
        let pause = retry_after(attempts);
        let failure = Failure {
            what,
            attempts: attempts + 1,
            retry_at: Instant::now() + pause,
        };
        self.failures.insert(uid.to_owned(), failure);
        if attempts == 0 { Duration::ZERO } else { pause }
    }

    /// Says once what keeps a mesh from being restored whose resource, and so its conditions, are gone.
    fn tell(&mut self, backup: &Backup, progress: &Progress) {
        let is_stuck = progress.steps.is_empty() || progress.is_wired;
        let what = progress
            .incomplete
            .iter()
            .chain([&progress.message])
            .next()
            .filter(|_| is_stuck);
        if self.told.get(&backup.uid) != what {
            if let Some(what) = what {
                warn!(
                    "the mesh of {}, which is gone, is not restored: {what}",
                    backup.resource
                );
            }
            match what {
                Some(what) => self.told.insert(backup.uid.clone(), what.clone()),
                None => self.told.remove(&backup.uid),
            };
        }
    }

    /// Restores meshes whose resource went without its finalizer.
    async fn orphans(&mut self, world: &World) -> Duration {
        let mut again_in = LAST_RETRY;
        let planned = world.orphans.iter().map(|backup| {
            let progress = plan::orphan(world, &self.settings, backup, self.clock.now());
            (backup, progress)
        });
        let planned: Vec<(&Backup, Progress)> = planned.collect();
        for (backup, progress) in &planned {
            self.tell(backup, progress);
        }
        if planned.iter().all(|(_, progress)| progress.steps.is_empty()) {
            return again_in;
        }
        // Another operator may have written the backup for a resource that this one's watch has not shown yet.
        let known = match self.gather.uids().await {
            Ok(known) => known,
            Err(error) => {
                warn!(%error, "whether the resource of a backup is gone is not known");
                return SOON;
            }
        };
        for (backup, progress) in planned {
            if known.contains(&backup.uid) {
                again_in = again_in.min(SOON);
                continue;
            }
            for step in &progress.steps {
                if !self.may_go_on() {
                    return SOON;
                }
                match self.writer.step(step, nobody(&backup.resource)).await {
                    Ok(_) => self.metrics.wrote(),
                    Err(StepError::Conflict) => {
                        again_in = AFTER_CONFLICT;
                        break;
                    }
                    Err(StepError::Failed(what)) => {
                        warn!(
                            "the mesh of {}, which is gone, is not restored yet: {what}",
                            backup.resource
                        );
                        again_in = SOON;
                        break;
                    }
                }
            }
        }
        again_in
    }
}

/// The pause after so many failures and one.
pub(super) fn retry_after(failures: u32) -> Duration {
    (FIRST_RETRY * 2_u32.saturating_pow(failures.min(16))).min(LAST_RETRY)
}

/// A resource of which nothing but its name is known.
fn nobody(name: &str) -> MeshObservability {
    MeshObservability::new(name, MeshObservabilitySpec::default())
}
