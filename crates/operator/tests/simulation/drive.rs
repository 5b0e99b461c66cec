//! One run: operators, the cluster, and what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::gather::intake::Intakes;
use alscope_operator::lease::Candidate;
use alscope_operator::run::{self, Options};
use alscope_plan::api::{FINALIZER, MeshObservability};
use alscope_plan::plan::settings::Settings;
use alscope_test_api_server::{ApiServer, BEGIN, FaultId};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, OWN};
use crate::scenario::{Act, OPERATORS, Scenario};
use crate::{end, history, mesh};

/// How long a request may take on its way.
const LATENCY: Duration = Duration::from_millis(30);
const RESTART_AFTER: Duration = Duration::from_secs(4);
/// Kept failures are tried again after up to five minutes.
const PATIENCE: Duration = Duration::from_mins(20);
/// How long nothing may be written at rest.
const REST: Duration = Duration::from_secs(90);

/// The texts that a chart's upgrades set.
const TEXTS: [&str; 3] = [
    mesh::CHART,
    "# an upgrade\ndefaultConfig:\n  concurrency: 2\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: x\n",
    mesh::FOREIGN,
];

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

struct Run {
    cluster: Cluster,
    began: Instant,
    tasks: JoinSet<()>,
    operators: BTreeMap<&'static str, Running>,
    /// What mesh config would be without the operator.
    foreign: String,
    /// What is due: an operator's start, a fault's end.
    due: Vec<(Instant, Due)>,
    edits: usize,
}

enum Due {
    Start(&'static str),
    Lift(FaultId),
}

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario) -> Outcome {
    // Of kube's watchers: the pauses between their attempts.
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
            foreign: mesh::CHART.to_owned(),
            due: Vec::new(),
            edits: 0,
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
            self.do_due();
            if Instant::now() >= calm_at {
                break;
            }
            while let Some((_, act)) = acts.next_if(|(at, _)| self.began + *at <= Instant::now()) {
                self.cluster.server.note(&format!("{act:?}"));
                self.act(act).await;
            }
        }
        self.cluster.server.lift_all();
        self.cluster.server.end_watches();
        for name in OPERATORS {
            if !self.operators.contains_key(name) {
                self.start(name);
            }
        }
        self.rest().await
    }

    /// Waits until the end is one of those that are expected, and stays so while nothing more is written.
    async fn rest(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let judged = end::judge(&self.cluster, &self.foreign);
            let writes = end::writes(&self.cluster);
            tokio::time::sleep(REST).await;
            let is_quiet = end::writes(&self.cluster) == writes;
            match (judged, is_quiet) {
                (Ok(()), true) => return end::judge(&self.cluster, &self.foreign),
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
        let clock = Clock::Counted {
            from: BEGIN,
            since: self.began,
        };
        let settings = Settings::default();
        let options = Options {
            candidate: Candidate {
                namespace: settings.namespace.clone(),
                identity: name.to_owned(),
                duration: Duration::from_secs(15),
                clock,
            },
            settings,
            clock,
            intakes: Intakes::known(self.cluster.answers.clone()),
            admin: None,
        };
        let client = self.cluster.server.retrying_client_of(name);
        let (running, server) = (stop.clone(), self.cluster.server.clone());
        let task = self.tasks.spawn(async move {
            if let Err(error) = run::run(client, options, running).await {
                server.note(&format!("{name} ends: {error}"));
            }
        });
        self.operators.insert(name, Running { task, stop });
    }

    fn die(&mut self, name: &str) {
        let Some(name) = OPERATORS.into_iter().find(|one| *one == name) else {
            return;
        };
        if let Some(running) = self.operators.remove(name) {
            self.cluster.server.note(&format!("{name} dies"));
            running.task.abort();
            self.due.push((Instant::now() + RESTART_AFTER, Due::Start(name)));
        }
    }

    fn do_due(&mut self) {
        let now = Instant::now();
        while let Some(place) = self.due.iter().position(|(at, _)| *at <= now) {
            match self.due.remove(place).1 {
                Due::Start(name) => self.start(name),
                Due::Lift(id) => self.cluster.server.lift(id),
            }
        }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Create(spec) => self.create(spec).await,
            Act::Spec(spec) => drop(self.patch_resource(json!({"spec": spec})).await),
            Act::Delete => drop(self.resources().delete("alscope", &DeleteParams::default()).await),
            Act::ForceDelete => {
                drop(self.resources().delete("alscope", &DeleteParams::default()).await);
                let none = json!({"metadata": {"finalizers": null}});
                drop(self.patch_resource(none).await);
            }
            Act::Reset(text) => {
                let text = TEXTS[*text].to_owned();
                self.foreign.clone_from(&text);
                self.write_mesh("helm", move |_| text.clone()).await;
            }
            Act::Edit => {
                self.edits += 1;
                let line = format!("# by hand {}\n", self.edits);
                self.foreign.insert_str(0, &line);
                self.write_mesh("kubectl-edit", move |text| format!("{line}{text}"))
                    .await;
            }
            Act::DeleteChild(place) => self.delete_child(*place),
            Act::Scale => {
                let patch = Patch::Merge(json!({"spec": {"replicas": 5}}));
                let api: Api<k8s_openapi::api::apps::v1::Deployment> =
                    Api::namespaced(self.cluster.admin.clone(), OWN);
                drop(
                    api.patch("alscope-collector", &PatchParams::default(), &patch)
                        .await,
                );
            }
            Act::RestartPods => self.cluster.restart_pods(),
            Act::Kill(place) => self.die(OPERATORS[*place]),
            Act::Stop(place) => {
                let name = OPERATORS[*place];
                if let Some(running) = self.operators.remove(name) {
                    running.stop.cancel();
                    self.due.push((Instant::now() + RESTART_AFTER, Due::Start(name)));
                }
            }
            Act::Fault(fault, lasts) => {
                let id = self.cluster.server.inject(fault.clone());
                self.due.push((Instant::now() + *lasts, Due::Lift(id)));
            }
            Act::EndWatches => self.cluster.server.end_watches(),
            Act::Compact => self.cluster.server.compact(),
        }
    }

    fn resources(&self) -> Api<MeshObservability> {
        Api::all(self.cluster.admin.clone())
    }

    async fn create(&self, spec: &Value) {
        let resource = json!({
            "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
            "metadata": {"name": "alscope"}, "spec": spec,
        });
        let resource = serde_json::from_value(resource).unwrap();
        // One that is still ending stays in the way.
        drop(self.resources().create(&PostParams::default(), &resource).await);
    }

    async fn patch_resource(&self, patch: Value) -> Result<MeshObservability, kube::Error> {
        let parameters = PatchParams::default();
        self.resources()
            .patch("alscope", &parameters, &Patch::Merge(patch))
            .await
    }

    /// Changes mesh config as it is, whoever writes at the same time.
    async fn write_mesh(&self, manager: &str, change: impl Fn(&str) -> String) {
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.admin.clone(), mesh::MESH);
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        loop {
            let Some(found) = self.cluster.server.get("configmaps", mesh::MESH, "istio") else {
                return;
            };
            let text = change(found["data"]["mesh"].as_str().unwrap_or_default());
            let patch = json!({
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "data": {"mesh": text},
            });
            if api
                .patch("istio", &parameters, &Patch::Merge(patch))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    fn delete_child(&self, place: usize) {
        let children = end::children(&self.cluster);
        if let Some((resource, name)) = children.get(place) {
            self.cluster
                .server
                .note(&format!("{resource} {name} is deleted by hand"));
            self.cluster.server.take_out(resource, OWN, name);
        }
    }
}

/// Whether a resource has the operator's finalizer.
pub(crate) fn has_finalizer(resource: &Value) -> bool {
    let finalizers = resource["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.iter().any(|one| one == FINALIZER))
}
