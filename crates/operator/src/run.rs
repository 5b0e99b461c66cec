//! The loop of the operator: gather → plan → report → apply, after each change and when a plan asks for it.

mod operator;
mod pass;
mod retry;
mod status;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use alscope_plan::plan::settings::OperatorSettings;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::{self, Metrics};
use crate::apply::StepWriter;
use crate::clock::Clock;
use crate::gather::ClusterReader;
use crate::gather::replica_status::ReplicaPoller;
use crate::lease::Candidate;
use crate::lease::leadership::Leadership;
use crate::report::StatusReporter;

use operator::Operator;
use retry::POLL_INTERVAL;

/// How long the operator collects changes before it starts a pass.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// The options of an operator.
#[derive(Debug)]
pub struct Options {
    /// The settings that the plan depends on.
    pub settings: OperatorSettings,
    /// The operator in the leader election.
    pub candidate: Candidate,
    /// The source of the time.
    pub clock: Clock,
    /// Asks the collectors what they have received.
    pub replica_poller: ReplicaPoller,
    /// The bound admin port; without one, nothing is served.
    pub admin: Option<TcpListener>,
}

/// An operator ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the operator ends, so that it is started again, because a part of it has ended: {0}; the log has more"
)]
pub struct TaskEnded(String);

/// Runs until `stop`, or until a task ends by itself, because its last result would then stay valid for ever.
pub async fn run(client: Client, options: Options, stop: CancellationToken) -> Result<(), TaskEnded> {
    let Options {
        settings,
        candidate,
        clock,
        replica_poller,
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
        tasks.spawn(with_name(
            "the admin port",
            admin::serve(admin, metrics.clone(), ending.clone()),
        ));
    }
    let election = candidate.run(client.clone(), leads, ending.clone());
    tasks.spawn(with_name("the leader election", election));
    let (replicas, asked) = watch::channel(Vec::new());
    let asking = replica_poller.clone().keep(asked, ending.clone());
    tasks.spawn(with_name("what asks the collectors", asking));
    let writing = leadership.guarded_client(&client);
    let operator = Operator {
        gather: ClusterReader::start(&client, &settings.namespace, changed.clone(), ending.clone()),
        writer: StepWriter::new(writing.clone(), &settings.namespace),
        report: StatusReporter::new(writing, &identity),
        leadership,
        stop,
        replica_poller,
        replicas,
        clock,
        metrics,
        failures: HashMap::new(),
        statuses: HashMap::new(),
        overwritten_versions: BTreeMap::new(),
        reported_orphans: HashMap::new(),
        settings,
    };
    let ended = tokio::select! {
        biased;
        // On the heap: a pass holds whole statuses.
        ended = Box::pin(operator.run_loop(&changed)) => ended,
        what = next_ended(&mut tasks) => Err(TaskEnded(what)),
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

/// Runs a task and returns its name.
async fn with_name(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// Returns when a task ends, with its name or its panic.
async fn next_ended(tasks: &mut JoinSet<&'static str>) -> String {
    match tasks.join_next().await {
        Some(Ok(name)) => name.to_owned(),
        Some(Err(error)) => error.to_string(),
        None => pending().await,
    }
}

impl Operator {
    async fn run_loop(mut self, changed: &Notify) -> Result<(), TaskEnded> {
        let mut again_at = Instant::now();
        loop {
            let led = self.leadership.holds();
            tokio::select! {
                // In this order, so that a run can be repeated.
                biased;
                () = self.stop.cancelled() => return Ok(()),
                what = self.gather.ended() => return Err(TaskEnded(what)),
                () = changed.notified() => {}
                () = self.leadership.changed_from(led) => {}
                () = tokio::time::sleep_until(again_at) => {}
            }
            tokio::time::sleep(DEBOUNCE).await;
            let leads = self.leadership.holds();
            self.metrics.set_leader(leads);
            let requeue_after = if leads {
                self.set_replicas(self.gather.collector_addresses());
                self.pass().await
            } else {
                self.set_replicas(Vec::new());
                POLL_INTERVAL
            };
            again_at = Instant::now() + requeue_after;
        }
    }

    /// Tells the poller the addresses of the replicas.
    fn set_replicas(&self, addresses: Vec<String>) {
        self.replicas.send_if_modified(|known| {
            let is_other = *known != addresses;
            *known = addresses;
            is_other
        });
    }
}

#[cfg(test)]
mod tests;
