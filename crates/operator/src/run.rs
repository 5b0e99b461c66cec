//! The loop: gather → plan → report → apply, whenever something changed and whenever a plan asked for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::admin::{self, Metrics};
use crate::api::MeshObservability;
use crate::apply::{StepError, Writer};
use crate::clock::now;
use crate::gather::Gather;
use crate::gather::intake::Intakes;
use crate::lease::Candidate;
use crate::plan;
use crate::plan::refusal::WriteFailure;
use crate::plan::removal::Progress;
use crate::plan::resets;
use crate::plan::settings::Settings;
use crate::plan::step::Step;
use crate::report::Report;
use crate::world::{Backup, ObjectName, World};

/// Changes within this time are one pass.
const TOGETHER: Duration = Duration::from_millis(200);
/// How often replicas are asked what they received.
const ASK_EVERY: Duration = Duration::from_secs(5);
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
    /// Its admin port, bound.
    pub admin: TcpListener,
}

/// What could not be written for a resource, and when it is tried again.
#[derive(Debug)]
struct Failure {
    what: WriteFailure,
    attempts: u32,
    retry_at: Instant,
}

#[derive(Debug)]
struct Operator {
    settings: Settings,
    gather: Gather,
    writer: Writer,
    report: Report,
    intakes: Intakes,
    metrics: Metrics,
    failures: HashMap<String, Failure>,
    written_over: BTreeMap<ObjectName, String>,
    /// What was said of a mesh whose resource is gone, by the uid.
    told: HashMap<String, String>,
}

/// Runs until `stop`.
pub async fn run(client: Client, options: Options, stop: CancellationToken) {
    let Options {
        settings,
        candidate,
        admin,
    } = options;
    let changed = Arc::new(Notify::new());
    let metrics = Metrics::default();
    let identity = candidate.identity.clone();
    let (leads, is_leader) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(admin::serve(admin, metrics.clone(), stop.clone()));
    tasks.spawn(candidate.run(client.clone(), leads, stop.clone()));
    let operator = Operator {
        gather: Gather::start(&client, &settings.namespace, changed.clone(), stop.clone()),
        writer: Writer::new(client.clone(), &settings.namespace),
        report: Report::new(client, &identity),
        intakes: Intakes::default(),
        metrics,
        failures: HashMap::new(),
        written_over: BTreeMap::new(),
        told: HashMap::new(),
        settings,
    };
    operator.work(&changed, is_leader, &stop).await;
    info!("stopping");
    tasks.join_all().await;
}

impl Operator {
    async fn work(
        mut self,
        changed: &Notify,
        mut is_leader: watch::Receiver<bool>,
        stop: &CancellationToken,
    ) {
        let mut again_at = Instant::now();
        let mut ask_at = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed.notified() => {}
                _ = is_leader.changed() => {}
                () = tokio::time::sleep_until(again_at.min(ask_at)) => {}
            }
            tokio::time::sleep(TOGETHER).await;
            if !*is_leader.borrow_and_update() {
                self.metrics.leads(false);
                again_at = Instant::now() + ASK_EVERY;
                ask_at = again_at;
                continue;
            }
            self.metrics.leads(true);
            if ask_at <= Instant::now() {
                self.intakes.refresh(self.gather.collector_addresses()).await;
                ask_at = Instant::now() + ASK_EVERY;
            }
            again_at = Instant::now() + self.pass().await;
        }
    }

    /// One pass over every resource. Returns when the next is due.
    async fn pass(&mut self) -> Duration {
        let now = now();
        let world = World {
            written_over: self.written_over.clone(),
            ..self.gather.world(&self.intakes, now)
        };
        if !self.gather.is_settled() {
            debug!("waiting for the first lists");
            return ASK_EVERY;
        }
        self.metrics.pass(&world);
        let known: Vec<String> = world.resources.iter().map(|one| one.uid().to_owned()).collect();
        self.failures.retain(|uid, _| known.contains(uid));
        let mut again_in = self.orphans(&world).await;
        for resource in &world.resources {
            again_in = again_in.min(self.resource(&world, resource).await);
        }
        again_in
    }

    async fn resource(&mut self, world: &World, resource: &MeshObservability) -> Duration {
        let uid = resource.uid();
        let failure = self.failures.get(uid);
        let plan = plan::plan(
            world,
            &self.settings,
            resource,
            failure.map(|failure| &failure.what),
            now(),
        );
        let newest = match self.report.status(resource.clone(), &plan.status).await {
            Ok(newest) => newest,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return AFTER_CONFLICT,
            Err(error) => {
                warn!(%error, resource = %resource.name(), "the status can't be written; check the right to patch meshobservabilities/status");
                return FIRST_RETRY;
            }
        };
        resets::noted(&mut self.written_over, world, &plan.status);
        for note in &plan.notes {
            self.report.note(&newest, note).await;
        }
        let wait = failure.map_or(Duration::ZERO, |failure| {
            failure.retry_at.saturating_duration_since(Instant::now())
        });
        if wait > Duration::ZERO && !plan.steps.is_empty() {
            return wait.min(plan.again_in);
        }
        self.apply(uid, newest, &plan.steps)
            .await
            .unwrap_or(plan.again_in)
    }

    /// Does the steps. Returns when to look again, if that is sooner than planned.
    async fn apply(&mut self, uid: &str, mut newest: MeshObservability, steps: &[Step]) -> Option<Duration> {
        for step in steps {
            match self.writer.step(step, newest).await {
                Ok(next) => {
                    self.metrics.wrote();
                    resets::wrote(&mut self.written_over, step);
                    newest = next;
                }
                Err(StepError::Conflict) => return Some(AFTER_CONFLICT),
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
        let pause = (FIRST_RETRY * 2_u32.saturating_pow(attempts.min(16))).min(LAST_RETRY);
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
        for backup in &world.orphans {
            let progress = plan::orphan(world, &self.settings, backup, now());
            self.tell(backup, &progress);
            for step in &progress.steps {
                let nobody =
                    MeshObservability::new(&backup.resource, crate::api::MeshObservabilitySpec::default());
                match self.writer.step(step, nobody).await {
                    Ok(_) => self.metrics.wrote(),
                    Err(StepError::Conflict) => again_in = AFTER_CONFLICT,
                    Err(StepError::Failed(what)) => {
                        warn!(
                            "the mesh of {}, which is gone, is not restored yet: {what}",
                            backup.resource
                        );
                        again_in = ASK_EVERY;
                        break;
                    }
                }
            }
        }
        again_in
    }
}
