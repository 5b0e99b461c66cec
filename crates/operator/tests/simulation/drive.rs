//! One run: operators, the cluster, and what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_operator::run;
use alscope_plan::api::FINALIZER;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::{ApiServer, FaultId};
use serde_json::Value;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::scenario::{OPERATORS, Scenario};
use crate::{end, history, mesh};

/// How long a request may take on its way.
const LATENCY: Duration = Duration::from_millis(30);
const RESTART_DELAY: Duration = Duration::from_secs(4);
/// What a watch has lost comes with a list within twelve minutes, and a write that failed is tried again within five.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(17);
/// How long nothing may be written at rest.
const QUIET_PERIOD: Duration = Duration::from_secs(90);

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), String>,
    pub(crate) trace: Vec<String>,
}

/// An operator that runs.
struct Running {
    task: AbortHandle,
    stop: CancellationToken,
}

pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    began: Instant,
    tasks: JoinSet<()>,
    operators: BTreeMap<&'static str, Running>,
    /// What the operators are started with.
    pub(crate) settings: OperatorSettings,
    /// What mesh config would be without the operator.
    pub(crate) foreign: String,
    pub(crate) due: Vec<(Instant, Due)>,
    pub(crate) edits: usize,
    /// The resource's `conflictPolicy` before it became one of a newer version.
    pub(crate) known_policy: Option<Value>,
}

/// What is due at a time.
pub(crate) enum Due {
    /// An operator is started; its last life ends by then.
    Start(&'static str, AbortHandle),
    /// A fault ends.
    Lift(FaultId),
    /// A rollback ends.
    Upgrade,
}

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario) -> Outcome {
    // The random parts of the pauses between attempts, and of the times of lists.
    fastrand::seed(scenario.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (server, deaths) = ApiServer::new();
        let cluster = Cluster::new(server.clone(), &OPERATORS).await;
        server.delay_requests(scenario.seed, LATENCY);
        let mut run = Run {
            cluster,
            began: Instant::now(),
            tasks: JoinSet::new(),
            operators: BTreeMap::new(),
            settings: OperatorSettings::default(),
            foreign: mesh::CHART.to_owned(),
            due: Vec::new(),
            edits: 0,
            known_policy: None,
        };
        let result = run.play(scenario, deaths).await;
        run.tasks.shutdown().await;
        let result = result.and_then(|()| history::judge(&server.writes()));
        Outcome {
            result,
            trace: server
                .trace()
                .iter()
                .map(|line| without_event_name(line))
                .collect(),
        }
    })
}

/// The client names events by the wall clock.
fn without_event_name(line: &str) -> String {
    match line.split_once(" events default/") {
        Some((before, after)) => {
            let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{before} events default/* {rest}")
        }
        None => line.to_owned(),
    }
}

impl Run {
    async fn play(
        &mut self,
        scenario: &Scenario,
        mut deaths: tokio::sync::mpsc::Receiver<String>,
    ) -> Result<(), String> {
        self.tasks.spawn(self.cluster.clone().live());
        for name in OPERATORS {
            self.start(name);
        }
        let mut acts = scenario.acts.iter().peekable();
        let calm_at = self.began + scenario.calm_at;
        loop {
            let next_act = acts.peek().map_or(calm_at, |(at, _)| self.began + *at);
            let next_due = self.due.iter().map(|(at, _)| *at).min().unwrap_or(calm_at);
            tokio::select! {
                biased;
                Some(name) = deaths.recv() => self.die(&name),
                () = sleep_until(next_act.min(next_due).min(calm_at)) => {}
            }
            self.do_due().await;
            if Instant::now() >= calm_at {
                break;
            }
            while let Some((_, act)) = acts.next_if(|(at, _)| self.began + *at <= Instant::now()) {
                self.cluster.server.note(&format!("{act:?}"));
                self.act(act).await;
            }
        }
        self.cluster.server.clear_faults();
        if self.due.iter().any(|(_, due)| matches!(due, Due::Upgrade)) {
            self.upgrade().await;
        }
        for (_, due) in std::mem::take(&mut self.due) {
            if let Due::Start(name, previous) = due {
                previous.abort();
                self.start(name);
            }
        }
        self.rest().await
    }

    /// Waits until the end is one of those that are expected, and stays so while nothing more is written.
    async fn rest(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            let judged = end::judge(&self.cluster, &self.settings, &self.foreign);
            let writes = end::writes(&self.cluster);
            tokio::time::sleep(QUIET_PERIOD).await;
            let is_quiet = end::writes(&self.cluster) == writes;
            match (judged, is_quiet) {
                (Ok(()), true) => return end::judge(&self.cluster, &self.settings, &self.foreign),
                (Err(why), _) if Instant::now() > deadline => return Err(why),
                (Ok(()), false) if Instant::now() > deadline => {
                    return Err("it does not come to rest".to_owned());
                }
                _ => {}
            }
        }
    }

    fn start(&mut self, name: &'static str) {
        self.cluster.server.note(&format!("{name} starts"));
        let stop = CancellationToken::new();
        let options = self.cluster.options(name, self.settings.clone(), self.began);
        let client = self.cluster.server.retrying_client_of(name);
        let (running, server) = (stop.clone(), self.cluster.server.clone());
        let task = self.tasks.spawn(async move {
            if let Err(error) = run::run(client, options, running).await {
                server.note(&format!("{name} ends: {error}"));
            }
        });
        self.operators.insert(name, Running { task, stop });
    }

    pub(crate) fn die(&mut self, name: &str) {
        let Some(name) = OPERATORS.into_iter().find(|one| *one == name) else {
            return;
        };
        if let Some(running) = self.operators.remove(name) {
            self.cluster.server.note(&format!("{name} dies"));
            running.task.abort();
            self.start_again(name, running);
        }
    }

    /// Asks an operator to end, which is started again a while later.
    pub(crate) fn stop(&mut self, name: &'static str) {
        if let Some(running) = self.operators.remove(name) {
            running.stop.cancel();
            self.start_again(name, running);
        }
    }

    pub(crate) fn stop_all(&mut self) {
        for name in OPERATORS {
            self.stop(name);
        }
    }

    fn start_again(&mut self, name: &'static str, previous: Running) {
        let at = Instant::now() + RESTART_DELAY;
        self.due.push((at, Due::Start(name, previous.task)));
    }

    async fn do_due(&mut self) {
        let now = Instant::now();
        while let Some(place) = self.due.iter().position(|(at, _)| *at <= now) {
            match self.due.remove(place).1 {
                Due::Start(name, previous) => {
                    previous.abort();
                    self.start(name);
                }
                Due::Lift(id) => self.cluster.server.clear_fault(id),
                Due::Upgrade => self.upgrade().await,
            }
        }
    }
}

/// Whether a resource has the operator's finalizer.
pub(crate) fn has_finalizer(resource: &Value) -> bool {
    let finalizers = resource["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.iter().any(|one| one == FINALIZER))
}
