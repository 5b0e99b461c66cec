//! Restarts by the whole operator on an API server in this process: every write fails in every way, and the operator dies before and
//! after each; every workload restarts once, one after the other, and every proxy has the address in the end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../simulation/cluster.rs"]
mod cluster;
mod command;
#[path = "../../../plan/tests/plan/mesh.rs"]
#[expect(dead_code, reason = "the plan's tests use all of it")]
mod mesh;
mod rig;
mod rights;

use std::time::Duration;

use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::{Effect, Fault, Verb};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use rig::{OPERATOR, PAUSE, Run, fault, paused_runtime, run_with};

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
    paused_runtime().block_on(async {
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
