//! The loop: gather → plan → report → apply, whenever something changed and whenever a plan asked for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::core::error_boundary::InvalidObject;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::admin::{self, Metrics};
use crate::api::{MeshObservability, MeshObservabilitySpec, MeshObservabilityStatus};
use crate::apply::{StepError, Writer};
use crate::clock::Clock;
use crate::gather::Gather;
use crate::gather::intake::Intakes;
use crate::lease::Candidate;
use crate::lease::leadership::Leadership;
use crate::plan;
use crate::plan::refusal::WriteFailure;
use crate::plan::resets;
use crate::plan::settings::Settings;
use crate::plan::step::Step;
use crate::report::{self, Report};
use crate::world::{ObjectName, World};

/// Changes within this time are one pass.
const TOGETHER: Duration = Duration::from_millis(200);
/// When to look again at what should not stay so.
const SOON: Duration = Duration::from_secs(5);
/// How often a status is written of which only counts have changed: in a rollout they do so several times a second.
const COUNTS_EVERY: Duration = Duration::from_secs(5);
/// When to look again after a write of this operator's was overtaken.
const AFTER_CONFLICT: Duration = Duration::from_millis(500);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(5);

/// What an operator runs with.
#[derive(Debug)]
pub struct Options {
    /// What it decides by.
    pub settings: Settings,
    /// Who it is in the leader election.
    pub candidate: Candidate,
    /// What it takes the time from.
    pub clock: Clock,
    /// Whom it asks what was received.
    pub intakes: Intakes,
    /// Its admin port, bound; without one nothing is served.
    pub admin: Option<TcpListener>,
}

/// What could not be written for a resource, and when it is tried again.
#[derive(Debug)]
struct Failure {
    what: WriteFailure,
    attempts: u32,
    retry_at: Instant,
}

/// When a resource's status may be written again.
#[derive(Debug)]
struct Told {
    not_before: Instant,
    /// How often in a row it could not be written.
    failures: u32,
}

/// Why an operator ended that was not asked to.
#[derive(Debug, thiserror::Error)]
#[error(
    "the operator ends, so that it is started again, because a part of it has ended: {0}; the log has more"
)]
pub struct PartEnded(String);

#[derive(Debug)]
struct Operator {
    settings: Settings,
    gather: Gather,
    writer: Writer,
    report: Report,
    leadership: Leadership,
    stop: CancellationToken,
    intakes: Intakes,
    /// Whom to ask what was received.
    replicas: watch::Sender<Vec<String>>,
    clock: Clock,
    metrics: Metrics,
    failures: HashMap<String, Failure>,
    told: HashMap<String, Told>,
    written_over: BTreeMap<ObjectName, String>,
    /// Uid and version of the resources that can't be read and have an event that says so.
    told_unread: BTreeSet<(Option<String>, Option<String>)>,
}

/// Runs until `stop`, or until a part of it ends by itself: what that said last would stand for ever.
pub async fn run(client: Client, options: Options, stop: CancellationToken) -> Result<(), PartEnded> {
    let Options {
        settings,
        candidate,
        clock,
        intakes,
        admin,
    } = options;
    let changed = Arc::new(Notify::new());
    let metrics = Metrics::default();
    let identity = candidate.identity.clone();
    let (leads, until) = watch::channel(None);
    let leadership = Leadership::new(until);
    // What the work needs until its end ends after it: the Lease above all.
    let ending = CancellationToken::new();
    let mut tasks = JoinSet::new();
    if let Some(admin) = admin {
        tasks.spawn(named(
            "the admin port",
            admin::serve(admin, metrics.clone(), ending.clone()),
        ));
    }
    let election = candidate.run(client.clone(), leads, ending.clone());
    tasks.spawn(named("the leader election", election));
    let (replicas, asked) = watch::channel(Vec::new());
    let asking = intakes.clone().keep(asked, ending.clone());
    tasks.spawn(named("what asks the collectors", asking));
    let writing = leadership.guard(&client);
    let operator = Operator {
        gather: Gather::start(&client, &settings.namespace, changed.clone(), ending.clone()),
        writer: Writer::new(writing.clone(), &settings.namespace),
        report: Report::new(writing, &identity),
        leadership,
        stop,
        intakes,
        replicas,
        clock,
        metrics,
        failures: HashMap::new(),
        told: HashMap::new(),
        written_over: BTreeMap::new(),
        told_unread: BTreeSet::new(),
        settings,
    };
    let ended = tokio::select! {
        biased;
        ended = operator.work(&changed) => ended,
        what = ended(&mut tasks) => Err(PartEnded(what)),
    };
    info!("stopping");
    ending.cancel();
    while let Some(task) = tasks.join_next().await {
        if let Err(error) = task {
            warn!(%error, "a part of the operator did not end in order");
        }
    }
    ended
}

/// A task that says in the end which it was.
async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// Returns when a task ends, with what is known of it.
async fn ended(tasks: &mut JoinSet<&'static str>) -> String {
    match tasks.join_next().await {
        Some(Ok(name)) => name.to_owned(),
        Some(Err(error)) => error.to_string(),
        None => pending().await,
    }
}

impl Operator {
    async fn work(mut self, changed: &Notify) -> Result<(), PartEnded> {
        let mut again_at = Instant::now();
        loop {
            let led = self.leadership.holds();
            tokio::select! {
                // In this order, so that a run can be repeated.
                biased;
                () = self.stop.cancelled() => return Ok(()),
                what = self.gather.ended() => return Err(PartEnded(what)),
                () = changed.notified() => {}
                () = self.leadership.turns(led) => {}
                () = tokio::time::sleep_until(again_at) => {}
            }
            tokio::time::sleep(TOGETHER).await;
            let leads = self.leadership.holds();
            self.metrics.leads(leads);
            let again_in = if leads {
                self.ask(self.gather.collector_addresses());
                self.pass().await
            } else {
                self.ask(Vec::new());
                SOON
            };
            again_at = Instant::now() + again_in;
        }
    }

    /// Says whom to ask what was received.
    fn ask(&self, addresses: Vec<String>) {
        self.replicas.send_if_modified(|known| {
            let is_other = *known != addresses;
            *known = addresses;
            is_other
        });
    }

    /// Whether a pass may go on to its next write.
    fn may_go_on(&self) -> bool {
        self.leadership.holds() && !self.stop.is_cancelled()
    }

    /// One pass over every resource. Returns when the next is due.
    async fn pass(&mut self) -> Duration {
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
        self.told.retain(|uid, _| known.contains(uid));
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

    /// Says of each resource that can't be read what follows, once for each version of it.
    async fn tell_unread(&mut self, unread: &[InvalidObject]) {
        let versions = unread.iter().map(|one| {
            let metadata = one.metadata.clone();
            (metadata.uid, metadata.resource_version)
        });
        let told = std::mem::replace(&mut self.told_unread, versions.collect());
        for one in unread {
            let metadata = one.metadata.clone();
            if told.contains(&(metadata.uid.clone(), metadata.resource_version.clone())) {
                continue;
            }
            let resource = MeshObservability {
                metadata,
                ..nobody("")
            };
            let message = format!(
                "this version of the operator can't read the resource and leaves its mesh and collector as they are: {}; upgrade the \
                 operator, or correct the resource",
                one.error
            );
            self.report
                .event(&resource, true, "NotUnderstood", &message)
                .await;
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
        let (newest, counts_in) = match self.tell(resource, &plan.status).await {
            Ok(told) => told,
            Err(again_in) => return again_in,
        };
        resets::noted(&mut self.written_over, world, &plan.status);
        for note in plan.notes.iter().filter(|_| self.may_go_on()) {
            self.report.event(&newest, true, "RestoreIncomplete", note).await;
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

    /// Writes the status if it is due. Returns the newest version of the resource and when counts are due that are not written
    /// yet, or, when it could not be written, when to look again.
    async fn tell(
        &mut self,
        resource: &MeshObservability,
        status: &MeshObservabilityStatus,
    ) -> Result<(MeshObservability, Duration), Duration> {
        let (uid, now) = (resource.uid(), Instant::now());
        let wait = self.told.get(uid).map_or(Duration::ZERO, |told| {
            told.not_before.saturating_duration_since(now)
        });
        let failures = self.told.get(uid).map_or(0, |told| told.failures);
        let previous = resource.status.clone().unwrap_or_default();
        if previous == *status {
            return Ok((resource.clone(), Duration::MAX));
        }
        if wait > Duration::ZERO && failures > 0 {
            return Err(wait);
        }
        if wait > Duration::ZERO && !report::is_news(&previous, status) {
            return Ok((resource.clone(), wait));
        }
        match self.report.status(resource.clone(), status).await {
            Ok(newest) => {
                self.wait_with_status(uid, COUNTS_EVERY, 0);
                Ok((newest, Duration::MAX))
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(AFTER_CONFLICT),
            Err(_) if !self.leadership.holds() => Err(SOON),
            Err(error) => {
                let pause = retry_after(failures);
                warn!(%error, resource = %resource.name(), again_in = ?pause, "the status can't be written; check the right to patch meshobservabilities/status");
                self.wait_with_status(uid, pause, failures + 1);
                Err(pause)
            }
        }
    }

    fn wait_with_status(&mut self, uid: &str, pause: Duration, failures: u32) {
        let told = Told {
            not_before: Instant::now() + pause,
            failures,
        };
        self.told.insert(uid.to_owned(), told);
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
                    resets::wrote(&mut self.written_over, step);
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

    /// Restores meshes whose resource went without its finalizer.
    async fn orphans(&mut self, world: &World) -> Duration {
        let mut again_in = LAST_RETRY;
        let planned = world.orphans.iter().map(|backup| {
            let steps = plan::orphan(world, &self.settings, backup, self.clock.now());
            (backup, steps)
        });
        let planned: Vec<_> = planned.filter(|(_, steps)| !steps.is_empty()).collect();
        if planned.is_empty() {
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
        for (backup, steps) in planned {
            if known.contains(&backup.uid) {
                again_in = again_in.min(SOON);
                continue;
            }
            for step in &steps {
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
fn retry_after(failures: u32) -> Duration {
    (FIRST_RETRY * 2_u32.saturating_pow(failures.min(16))).min(LAST_RETRY)
}

/// A resource of which nothing but its name is known.
fn nobody(name: &str) -> MeshObservability {
    MeshObservability::new(name, MeshObservabilitySpec::default())
}

#[cfg(test)]
mod tests;
