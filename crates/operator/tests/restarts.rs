//! Restarts by the whole operator on an API server in this process: every write fails in every way, and the operator dies before and
//! after each; every workload restarts once, one after the other, and every proxy has the address in the end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "simulation/cluster.rs"]
mod cluster;
#[path = "../../plan/tests/plan/mesh.rs"]
#[expect(dead_code, reason = "the plan's tests use all of it")]
mod mesh;

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::rbac::Installation;
use alscope_operator::restart::{self, Outcome, RestartOptions};
use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::{ApiServer, Effect, Fault, START_TIME, Verb};
use jiff::Timestamp;
use parking_lot::Mutex;
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use cluster::Cluster;

const OPERATOR: &str = "operator-a";
/// The workloads in the order of their restarts: kind, resource, namespace, name.
const WORKLOADS: [(&str, &str, &str, &str); 4] = [
    ("Deployment", "deployments.apps", "bank", "ledger"),
    ("DaemonSet", "daemonsets.apps", "bank", "agent"),
    ("Deployment", "deployments.apps", "shop", "web"),
    ("StatefulSet", "statefulsets.apps", "shop", "db"),
];
/// How long a rollout takes, and the pause of the budget.
const ROLLOUT: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_secs(7);
/// A write that failed is tried again within five minutes.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(20);
const RESTART_DELAY: Duration = Duration::from_secs(4);

/// When each rollout ended, by the API server's clock.
type Ends = Arc<Mutex<Vec<Timestamp>>>;

/// The object of a workload of one pod that has rolled out.
fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "serviceName": name,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}},
    });
    object["status"] = rolled_out(1);
    object
}

fn rolled_out(generation: u64) -> Value {
    json!({
        "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
        "currentRevision": "a", "updateRevision": "a", "currentNumberScheduled": 1, "numberMisscheduled": 0,
        "numberReady": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
    })
}

/// The pod of a workload, new, with what mesh config says now.
fn put_pod(cluster: &Cluster, kind: &str, namespace: &str, name: &str) {
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
async fn roll_out(cluster: Cluster, ends: Ends) {
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
struct Run {
    cluster: Cluster,
    deaths: mpsc::Receiver<String>,
    tasks: JoinSet<()>,
    began: Instant,
    ends: Ends,
}

impl Run {
    async fn new() -> Self {
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

    fn status(&self) -> Value {
        let resource = self
            .cluster
            .server
            .get("meshobservabilities.alscope.dev", "", "alscope");
        resource.unwrap()["status"].clone()
    }

    /// Runs the operator, again after each death, until the status says that every proxy has the address and no restart is under way.
    async fn settle(&mut self) {
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
    fn restarts(&self) -> Vec<(String, Timestamp)> {
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

    fn check(&self) {
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

fn run_with(faults: Vec<Fault>) -> Run {
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = Run::new().await;
        for fault in faults {
            run.cluster.server.inject(fault);
        }
        run.settle().await;
        run.tasks.shutdown().await;
        run
    })
}

fn fault(verb: Verb, resource: &str, skip: u32, times: u32, effect: Effect) -> Fault {
    Fault {
        user: OPERATOR.to_owned(),
        verb: Some(verb),
        resource: resource.to_owned(),
        skip,
        times,
        effect,
    }
}

#[test]
fn each_workload_restarts_once_and_as_kubectl_does_it() {
    let run = run_with(Vec::new());
    run.check();
    let object = run.cluster.server.get("statefulsets.apps", "shop", "db").unwrap();
    let at = &object["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    assert_eq!(at, &object["metadata"]["annotations"]["alscope.dev/restarted-at"]);
    assert!(at.as_str().unwrap().parse::<Timestamp>().is_ok(), "{at}");
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"][0]["image"],
        "app:1"
    );
    let mark = object["metadata"]["annotations"]["alscope.dev/restarted-for"]
        .as_str()
        .unwrap();
    let backups = run.cluster.server.list("configmaps");
    let backup = backups.iter().find(|one| {
        one["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("alscope-backup-")
    });
    let uid = backup.unwrap()["metadata"]["uid"].as_str().unwrap();
    assert_eq!(mark, format!("{} {uid}", mesh::ADDRESS));
}

#[rstest]
fn a_restart_that_fails_in_any_way_is_made_once(
    #[values(
        Effect::Refuse(403),
        Effect::Refuse(409),
        Effect::Refuse(500),
        Effect::RefuseAfter(500),
        Effect::Hang,
        Effect::HangAfter,
        Effect::Break,
        Effect::CrashBefore,
        Effect::CrashAfter
    )]
    effect: Effect,
    #[values("deployments", "statefulsets", "daemonsets")] resource: &str,
) {
    // The collector's own Deployment is applied before.
    let skip = u32::from(resource == "deployments");
    run_with(vec![fault(Verb::Patch, resource, skip, 1, effect)]).check();
}

#[rstest]
fn a_crash_at_any_write_of_the_status_makes_no_restart_twice(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8)] place: u32,
    #[values(Effect::CrashBefore, Effect::CrashAfter)] effect: Effect,
) {
    run_with(vec![fault(Verb::Patch, "meshobservabilities", place, 1, effect)]).check();
}

#[rstest]
fn an_operator_that_dies_at_every_restart_goes_on(
    #[values(Effect::CrashBefore, Effect::CrashAfter)] effect: Effect,
) {
    let faults =
        ["deployments", "statefulsets", "daemonsets"].map(|one| fault(Verb::Patch, one, 0, 2, effect));
    run_with(faults.into()).check();
}

#[rstest]
#[case::old_workloads("deployments")]
#[case::old_stateful_sets("statefulsets")]
#[case::old_pods("pods")]
fn reads_that_lag_behind_make_no_restart_twice(#[case] resource: &str) {
    let stale = Effect::Stale(Duration::from_secs(6));
    let run = run_with(vec![Fault {
        verb: None,
        ..fault(Verb::List, resource, 0, u32::MAX, stale)
    }]);
    let restarts = run.restarts();
    let names: Vec<&str> = restarts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["bank/ledger", "bank/agent", "shop/web", "shop/db"]);
    for (earlier, later) in restarts.iter().zip(restarts.iter().skip(1)) {
        assert!(
            later.1.duration_since(earlier.1).unsigned_abs() >= PAUSE,
            "{restarts:?}"
        );
    }
}

#[rstest]
#[case::undecodable("daemonsets", Effect::Undecodable)]
#[case::forbidden("daemonsets", Effect::Refuse(403))]
#[case::failing("statefulsets", Effect::Refuse(500))]
fn what_can_not_be_read_restarts_nothing_until_it_can(#[case] resource: &str, #[case] effect: Effect) {
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = Run::new().await;
        let lists = run
            .cluster
            .server
            .inject(fault(Verb::List, resource, 0, u32::MAX, effect));
        let early = timeout(Duration::from_mins(2), run.settle()).await;
        assert!(early.is_err());
        assert_eq!(run.restarts(), []);
        let conditions = run.status()["conditions"].clone();
        let reason = |type_: &str| {
            let all = conditions.as_array().unwrap();
            all.iter().find(|one| one["type"] == type_).unwrap()["reason"].clone()
        };
        assert_eq!(
            (reason("Ready"), reason("ProxiesUpToDate")),
            (json!("Ready"), json!("RestartNeeded"))
        );
        run.cluster.server.clear_fault(lists);
        run.settle().await;
        run.check();
    });
}

/// The watches of workloads begin with the first resource that wants restarts, and not before.
#[tokio::test(start_paused = true)]
async fn workloads_are_not_watched_for_a_resource_that_only_reports() {
    let run = Run::new().await;
    let resource = run
        .cluster
        .server
        .get("meshobservabilities.alscope.dev", "", "alscope")
        .unwrap();
    let mut reporting = resource.clone();
    reporting["spec"]["mesh"]["restart"] = json!("Report");
    run.cluster.server.put(reporting);
    let options = run
        .cluster
        .options(OPERATOR, OperatorSettings::default(), run.began);
    let client = run.cluster.server.client_of(OPERATOR);
    let mut operator = JoinSet::new();
    operator.spawn(run::run(client, options, CancellationToken::new()));
    sleep(Duration::from_mins(1)).await;
    let asks = |resource: &str| {
        let all = run.cluster.server.requests();
        all.keys()
            .any(|asked| asked.user == OPERATOR && asked.resource == resource)
    };
    assert!(asks("pods") && !asks("statefulsets.apps"));
    assert_eq!(run.status()["state"], "Ready");
    run.cluster.server.put(resource);
    sleep(Duration::from_secs(20)).await;
    assert!(asks("statefulsets.apps") && asks("poddisruptionbudgets.policy"));
}

/// A mesh that an operator has wired which restarts nothing, and has ended.
async fn only_wired() -> Run {
    let run = Run::new().await;
    let mut resource = run
        .cluster
        .server
        .get("meshobservabilities.alscope.dev", "", "alscope")
        .unwrap();
    resource["spec"]["mesh"]["restart"] = json!("Report");
    run.cluster.server.put(resource);
    let options = run
        .cluster
        .options(OPERATOR, OperatorSettings::default(), run.began);
    let client = run.cluster.server.client_of(OPERATOR);
    let mut operator = JoinSet::new();
    operator.spawn(run::run(client, options, CancellationToken::new()));
    sleep(Duration::from_mins(1)).await;
    operator.shutdown().await;
    assert_eq!(run.status()["proxies"]["summary"], "0/4");
    run
}

fn options(run: &Run) -> RestartOptions {
    RestartOptions {
        name: None,
        workloads: None,
        pause: None,
        patience: Duration::from_mins(1),
        clock: Clock::Counted {
            from: START_TIME,
            since: run.began,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn the_command_lists_all_and_restarts_them_as_the_operator_does() {
    fastrand::seed(7);
    let run = only_wired().await;
    let (client, settings) = (
        run.cluster.server.client_of(OPERATOR),
        OperatorSettings::default(),
    );
    let mut told = Vec::new();
    let mut tell = |text: &str| told.push(text.to_owned());
    let listed = restart::list(&client, &settings, &options(&run), &mut tell)
        .await
        .unwrap();
    assert_eq!((listed, run.restarts()), (Outcome::Left, Vec::new()));
    insta::assert_snapshot!(told.join("\n"), @r"
    4 of 4 proxies learn the collector's address when their pods restart

    to restart in this order, 1 at once and one in each namespace, with a pause of 7s
     workload                  pods  restart it with
     bank/ledger (Deployment)  1     kubectl -n bank rollout restart deployment/ledger
     bank/agent (DaemonSet)    1     kubectl -n bank rollout restart daemonset/agent
     shop/web (Deployment)     1     kubectl -n shop rollout restart deployment/web
     shop/db (StatefulSet)     1     kubectl -n shop rollout restart statefulset/db
    ");
    told.clear();

    let mut tell = |text: &str| told.push(text.to_owned());
    let outcome = restart::run(&client, &settings, &options(&run), &mut tell)
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Done);
    run.check();
    insta::assert_snapshot!(told.join("\n"), @r"
    bank/ledger (Deployment) restarts
    bank/ledger (Deployment) has restarted, 1 of 4 workloads
    bank/agent (DaemonSet) restarts
    bank/agent (DaemonSet) has restarted, 2 of 4 workloads
    shop/web (Deployment) restarts
    shop/web (Deployment) has restarted, 3 of 4 workloads
    shop/db (StatefulSet) restarts
    shop/db (StatefulSet) has restarted, 4 of 4 workloads
    every proxy has the collector's address
    ");
    told.clear();

    let mut tell = |text: &str| told.push(text.to_owned());
    let listed = restart::list(&client, &settings, &options(&run), &mut tell)
        .await
        .unwrap();
    assert_eq!(listed, Outcome::Done);
    assert_eq!(
        told,
        ["0 of 4 proxies learn the collector's address when their pods restart"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_command_leaves_what_it_may_not_restart_and_says_why() {
    fastrand::seed(7);
    let run = only_wired().await;
    let mut agent = run
        .cluster
        .server
        .get("daemonsets.apps", "bank", "agent")
        .unwrap();
    agent["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    run.cluster.server.put(agent);
    let (client, settings) = (
        run.cluster.server.client_of(OPERATOR),
        OperatorSettings::default(),
    );
    let mut told = Vec::new();
    let mut tell = |text: &str| told.push(text.to_owned());
    let began = Instant::now();
    let outcome = restart::run(&client, &settings, &options(&run), &mut tell)
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Left);
    assert!(began.elapsed() >= Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!(run.restarts().len(), 3);
    let last = told.last().unwrap();
    assert!(
        last.contains("bank/agent (DaemonSet) waits: its update strategy is OnDelete"),
        "{last}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_command_needs_a_resource_of_its_installation() {
    let run = only_wired().await;
    let (client, settings) = (
        run.cluster.server.client_of(OPERATOR),
        OperatorSettings::default(),
    );
    let named = RestartOptions {
        name: Some("other".to_owned()),
        ..options(&run)
    };
    let error = restart::list(&client, &settings, &named, &mut |_| {})
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "name one of the MeshObservabilities of the cluster: alscope"
    );
    let elsewhere = OperatorSettings {
        namespace: "elsewhere".to_owned(),
        ..OperatorSettings::default()
    };
    let admin = run.cluster.server.client();
    let error = restart::run(&admin, &elsewhere, &options(&run), &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("; give its namespace with --namespace"),
        "{error}"
    );
    assert_eq!(run.restarts(), []);
}
