//! A cluster with four workloads whose proxies lack the address, and an operator that restarts them, again after each death.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alscope_operator::rbac::Installation;
use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::{ApiServer, Effect, Fault, Verb};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::cluster::{self, Cluster};
use crate::mesh;

pub(crate) const OPERATOR: &str = "operator-a";
/// The workloads in the order of their restarts: kind, resource, namespace, name.
pub(crate) const WORKLOADS: [(&str, &str, &str, &str); 4] = [
    ("Deployment", "deployments.apps", "bank", "ledger"),
    ("DaemonSet", "daemonsets.apps", "bank", "agent"),
    ("Deployment", "deployments.apps", "shop", "web"),
    ("StatefulSet", "statefulsets.apps", "shop", "db"),
];
/// How long a rollout takes, and the pause of the budget.
pub(crate) const ROLLOUT: Duration = Duration::from_secs(4);
pub(crate) const PAUSE: Duration = Duration::from_secs(7);
/// A write that failed is tried again within five minutes.
pub(crate) const SETTLE_TIMEOUT: Duration = Duration::from_mins(20);
pub(crate) const RESTART_DELAY: Duration = Duration::from_secs(4);

/// When each rollout ended, by the API server's clock.
pub(crate) type Ends = Arc<Mutex<Vec<Timestamp>>>;

/// The object of a workload of one pod that has rolled out.
pub(crate) fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "serviceName": name,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}},
    });
    object["status"] = rolled_out(1);
    object
}

pub(crate) fn rolled_out(generation: u64) -> Value {
    json!({
        "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
        "currentRevision": "a", "updateRevision": "a", "currentNumberScheduled": 1, "numberMisscheduled": 0,
        "numberReady": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
    })
}

/// The pod of a workload, new, with what mesh config says now.
pub(crate) fn put_pod(cluster: &Cluster, kind: &str, namespace: &str, name: &str) {
    let text = cluster.mesh_text().unwrap_or_default();
    let config = if text.contains(mesh::ADDRESS) {
        mesh::knows_the_address()
    } else {
        json!({})
    };
    let mut pod = mesh::pod(name, &config);
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["creationTimestamp"] = json!(cluster.server.now().to_string());
    let (owner, owner_kind) = match kind {
        "Deployment" => (format!("{name}-5d8f"), "ReplicaSet"),
        kind => (name.to_owned(), kind),
    };
    let uid = if kind == "Deployment" {
        format!("uid-{owner}")
    } else {
        format!("uid-{name}")
    };
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": owner_kind, "name": owner, "uid": uid, "controller": true}]);
    cluster
        .server
        .remove_object("pods", namespace, &format!("{name}-5d8f-x"));
    cluster.server.put(pod);
}

/// Ends every rollout a while after its begin, as controllers and nodes do.
pub(crate) async fn roll_out(cluster: Cluster, ends: Ends) {
    let mut since: BTreeMap<(String, u64), Instant> = BTreeMap::new();
    loop {
        sleep(Duration::from_millis(500)).await;
        for (kind, resource, namespace, name) in WORKLOADS {
            let mut object = cluster.server.get(resource, namespace, name).unwrap();
            let generation = object["metadata"]["generation"].as_u64().unwrap();
            if object["status"]["observedGeneration"] == generation {
                continue;
            }
            let began = *since
                .entry((name.to_owned(), generation))
                .or_insert_with(Instant::now);
            if began.elapsed() >= ROLLOUT {
                put_pod(&cluster, kind, namespace, name);
                object["status"] = rolled_out(generation);
                cluster.server.put(object);
                ends.lock().push(cluster.server.now());
            }
        }
    }
}

/// One run: what the API server does wrong, and what came of it.
pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    pub(crate) deaths: mpsc::Receiver<String>,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) began: Instant,
    pub(crate) ends: Ends,
}

impl Run {
    pub(crate) async fn new() -> Self {
        let (server, deaths) = ApiServer::new();
        let began = Instant::now();
        let cluster = Cluster::new(server.clone(), &[OPERATOR]).await;
        for place in 0..3 {
            server.remove_object("pods", "shop", &format!("web-5d8f-{place}"));
        }
        server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bank"}}));
        let installation = Installation {
            restart_workloads: true,
            ..Installation::default()
        };
        for object in installation.operator() {
            let object = serde_json::to_value(&object).unwrap();
            if object["kind"] == "ClusterRole" {
                server.put(object);
            }
        }
        for (kind, _, namespace, name) in WORKLOADS {
            server.put(object(kind, namespace, name));
            if kind == "Deployment" {
                server.put(json!({
                    "apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": {"namespace": namespace, "name": format!("{name}-5d8f"), "uid": format!("uid-{name}-5d8f")},
                }));
            }
            put_pod(&cluster, kind, namespace, name);
        }
        server.put(json!({
            "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
            "metadata": {"name": "alscope", "generation": 1},
            "spec": {"mesh": {"restart": "Rollout", "restartBudget": {"pause": format!("{}s", PAUSE.as_secs())}}},
        }));
        let ends = Ends::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(cluster.clone().live());
        tasks.spawn(roll_out(cluster.clone(), ends.clone()));
        Self {
            cluster,
            deaths,
            tasks,
            began,
            ends,
        }
    }

    pub(crate) fn status(&self) -> Value {
        let resource = self
            .cluster
            .server
            .get("meshobservabilities.alscope.dev", "", "alscope");
        resource.unwrap()["status"].clone()
    }

    /// Runs the operator, again after each death, until the status says that every proxy has the address and no restart is under way.
    pub(crate) async fn settle(&mut self) {
        let done = async {
            loop {
                let options = self
                    .cluster
                    .options(OPERATOR, OperatorSettings::default(), self.began);
                let client = self.cluster.server.client_of(OPERATOR);
                let mut operator = JoinSet::new();
                operator.spawn(run::run(client, options, CancellationToken::new()));
                loop {
                    tokio::select! {
                        biased;
                        _ = self.deaths.recv() => break,
                        () = sleep(Duration::from_secs(1)) => {}
                    }
                    let status = self.status();
                    let is_done = status["proxies"]["summary"] == "4/4"
                        && status["restarts"]["restarted"] == 4
                        && status["restarts"]["outstanding"] == 0;
                    if is_done {
                        return;
                    }
                }
                operator.shutdown().await;
                sleep(RESTART_DELAY).await;
            }
        };
        let result = timeout(SETTLE_TIMEOUT, done).await;
        assert!(
            result.is_ok(),
            "{:#?}\n{:#}",
            self.cluster.server.trace(),
            self.status()
        );
    }

    /// The workloads that were restarted, in order, and when.
    pub(crate) fn restarts(&self) -> Vec<(String, Timestamp)> {
        let writes = self.cluster.server.writes().into_iter();
        let of_operator = writes.filter(|write| {
            let is_workload = WORKLOADS
                .iter()
                .any(|(_, resource, ..)| *resource == write.resource);
            write.user == OPERATOR && is_workload && write.namespace != cluster::OWN
        });
        of_operator
            .map(|write| {
                let (before, after) = (write.before.unwrap(), write.after.unwrap());
                assert_eq!(write.verb, Verb::Patch);
                assert_ne!(
                    before["spec"]["template"], after["spec"]["template"],
                    "only restarts are written"
                );
                (format!("{}/{}", write.namespace, write.name), write.at)
            })
            .collect()
    }

    pub(crate) fn check(&self) {
        let restarts = self.restarts();
        let names: Vec<&str> = restarts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["bank/ledger", "bank/agent", "shop/web", "shop/db"]);
        let ends = self.ends.lock();
        for ((name, at), end) in restarts.iter().skip(1).zip(ends.iter()) {
            let rested = at.duration_since(*end).unsigned_abs();
            assert!(
                *at > *end && rested >= PAUSE,
                "{name} {rested:?} after the end of the one before"
            );
        }
    }
}

/// A runtime whose clock goes on when everything waits, with the same random parts of pauses each time.
pub(crate) fn paused_runtime() -> Runtime {
    fastrand::seed(7);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

pub(crate) fn run_with(faults: Vec<Fault>) -> Run {
    paused_runtime().block_on(async {
        let mut run = Run::new().await;
        for fault in faults {
            run.cluster.server.inject(fault);
        }
        run.settle().await;
        run.tasks.shutdown().await;
        run
    })
}

pub(crate) fn fault(verb: Verb, resource: &str, skip: u32, times: u32, effect: Effect) -> Fault {
    Fault {
        user: OPERATOR.to_owned(),
        verb: Some(verb),
        resource: resource.to_owned(),
        skip,
        times,
        effect,
    }
}
