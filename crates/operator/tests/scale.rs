//! Ten thousand pods: what the operator holds in memory, what a pass costs, and that it writes nothing at rest.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what was measured"
)]

#[path = "simulation/cluster.rs"]
mod cluster;
#[path = "../../plan/tests/plan/mesh.rs"]
#[expect(dead_code, reason = "the plan's tests use all of it")]
mod mesh;

use std::time::Duration;

use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::ApiServer;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use cluster::Cluster;

const PODS: usize = 10_000;
const OPERATOR: &str = "operator-a";
/// What the operator may hold: its pod's limit is 128 MiB, of which its program needs some.
const MAX_BYTES: i64 = 64 << 20;
const MAX_CPU_TIME: Duration = Duration::from_millis(200);
/// How long the operator rests while its passes are measured, and how often it makes one then.
const QUIET_PERIOD: Duration = Duration::from_mins(2);
const PASS_INTERVAL: Duration = Duration::from_millis(5_200);

/// A pod of a usual size, with a proxy.
fn pod(place: usize) -> Value {
    let mut pod = mesh::pod(&format!("web-{}", place / 10), &mesh::knows_the_address());
    pod["metadata"]["name"] = json!(format!("web-{}-5d8f-{place}", place / 10));
    pod["metadata"]["annotations"]["sidecar.istio.io/status"] = json!("x".repeat(1_000));
    let variables: Vec<Value> = (0..30)
        .map(|place| json!({"name": format!("VARIABLE_{place}"), "value": "some value of a usual length"}))
        .collect();
    pod["spec"]["containers"][0]["env"] = json!(variables);
    pod["status"] = json!({"phase": "Running", "podIP": "10.1.2.3", "conditions": [
        {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
    ]});
    pod
}

async fn started(server: &ApiServer, tasks: &mut JoinSet<()>) -> Cluster {
    let cluster = Cluster::new(server.clone(), &[OPERATOR]).await;
    for place in 0..PODS {
        server.put(pod(place));
    }
    server.put(json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": "alscope", "generation": 1}, "spec": {"managementState": "Managed"},
    }));
    tasks.spawn(cluster.clone().live());
    cluster
}

/// Starts the operator, and waits until the mesh is wired and everything has come to rest.
async fn wired(cluster: &Cluster, tasks: &mut JoinSet<()>) {
    let options = cluster.options(OPERATOR, OperatorSettings::default(), Instant::now());
    let client = cluster.server.client_of(OPERATOR);
    tasks.spawn(async move { run::run(client, options, CancellationToken::new()).await.unwrap() });
    sleep(Duration::from_mins(1)).await;
    let resource = cluster
        .server
        .get("meshobservabilities.alscope.dev", "", "alscope")
        .unwrap();
    assert_eq!(resource["status"]["state"], "Ready", "{resource}");
    assert_eq!(
        resource["status"]["proxies"]["summary"],
        format!("{PODS}/{}", PODS + 3),
        "{resource}"
    );
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// How many writes the operator asked for, also such that changed nothing.
fn writes(server: &ApiServer) -> usize {
    let all = server.requests();
    let of_operator = all.iter().filter(|(asked, _)| {
        asked.user == OPERATOR && !asked.verb.reads() && asked.resource != "leases.coordination.k8s.io"
    });
    of_operator.map(|(_, count)| count).sum()
}

#[test]
fn ten_thousand_pods_fit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut tasks = JoinSet::new();
    let (server, _deaths) = runtime.block_on(async { ApiServer::new() });
    let cluster = runtime.block_on(started(&server, &mut tasks));
    let held = allocation_counter::measure(|| runtime.block_on(wired(&cluster, &mut tasks)));

    let (before, began) = (writes(&server), cpu());
    runtime.block_on(async { sleep(QUIET_PERIOD).await });
    let passes = QUIET_PERIOD.as_secs_f64() / PASS_INTERVAL.as_secs_f64();
    let of_a_pass = cpu().saturating_sub(began).div_f64(passes);
    let written = writes(&server) - before;

    println!(
        "with {PODS} pods the operator holds {:.1} MiB, a pass takes {of_a_pass:.0?} of CPU, and at rest it wrote {written} times in {QUIET_PERIOD:?}",
        held.bytes_current as f64 / f64::from(1 << 20),
    );
    assert!(held.bytes_current < MAX_BYTES, "{held:?}");
    assert_eq!(written, 0);
    if !cfg!(debug_assertions) {
        assert!(of_a_pass < MAX_CPU_TIME, "{of_a_pass:?}");
    }
}
