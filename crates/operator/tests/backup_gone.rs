//! A backup that somebody deletes while the operator's watch still shows it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "simulation/cluster.rs"]
mod cluster;
#[path = "../../plan/tests/plan/mesh.rs"]
#[expect(dead_code, reason = "the plan's tests use all of it")]
mod mesh;

use std::time::Duration;

use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::{ApiServer, Effect, Fault, Verb};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use cluster::{Cluster, OWN};

const OPERATOR: &str = "operator-a";

async fn wired(tasks: &mut JoinSet<()>) -> Cluster {
    let (server, _deaths) = ApiServer::new();
    let cluster = Cluster::new(server, &[OPERATOR]).await;
    cluster.server.put(json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": "alscope", "generation": 1}, "spec": {"managementState": "Managed"},
    }));
    tasks.spawn(cluster.clone().live());
    let options = cluster.options(OPERATOR, OperatorSettings::default(), Instant::now());
    let client = cluster.server.client_of(OPERATOR);
    tasks.spawn(async move { run::run(client, options, CancellationToken::new()).await.unwrap() });
    sleep(Duration::from_mins(1)).await;
    cluster
}

/// The ConfigMaps that the operator has written after so many writes, in order, and whether each was there before.
fn written(server: &ApiServer, after: usize) -> Vec<(String, bool)> {
    let all = server.writes();
    let theirs = all
        .iter()
        .skip(after)
        .filter(|write| write.user == OPERATOR && write.resource == "configmaps");
    theirs
        .map(|write| (write.name.clone(), write.before.is_some()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn mesh_config_is_not_wired_again_before_there_is_a_backup_again() {
    let mut tasks = JoinSet::new();
    let cluster = wired(&mut tasks).await;
    let server = &cluster.server;
    let wired = cluster.mesh_text().unwrap();
    assert_ne!(wired, mesh::CHART);
    let resource = server
        .get("meshobservabilities.alscope.dev", "", "alscope")
        .unwrap();
    let backup = format!("alscope-backup-{}", resource["metadata"]["uid"].as_str().unwrap());
    assert!(server.get("configmaps", OWN, &backup).is_some());

    server.inject(Fault {
        user: OPERATOR.to_owned(),
        verb: Some(Verb::Watch),
        resource: "configmaps".to_owned(),
        skip: 0,
        times: 1,
        effect: Effect::DropEvent,
    });
    server.remove_object("configmaps", OWN, &backup);
    sleep(Duration::from_secs(1)).await;
    let before = server.writes().len();
    server.put(mesh::config_map("istio", Some(mesh::CHART)));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(written(server, before), []);
    assert_eq!(cluster.mesh_text().as_deref(), Some(mesh::CHART));

    server.end_watches();
    sleep(Duration::from_mins(1)).await;
    let writes = written(server, before);
    assert_eq!(writes[..2], [(backup.clone(), false), ("istio".to_owned(), true)]);
    assert_eq!(cluster.mesh_text(), Some(wired));
    assert!(server.get("configmaps", OWN, &backup).is_some());
}
