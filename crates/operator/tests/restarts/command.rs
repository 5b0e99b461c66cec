//! The command that restarts workloads from a machine with a kubeconfig.

use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::restart::{self, Outcome, RestartOptions};
use alscope_operator::run;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_test_api_server::START_TIME;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::rig::{OPERATOR, Run};

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
    let client = run.cluster.server.client_of(OPERATOR);
    // A laptop does not know what the chart has set.
    let settings = OperatorSettings {
        collector_image: "another:1".to_owned(),
        collector_service_account: "another".to_owned(),
        ..OperatorSettings::default()
    };
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

#[tokio::test(start_paused = true)]
async fn the_command_lists_nothing_before_the_mesh_is_wired() {
    let run = Run::new().await;
    let client = run.cluster.server.client_of(OPERATOR);
    let mut told = Vec::new();
    let mut tell = |text: &str| told.push(text.to_owned());
    let settings = OperatorSettings::default();
    let listed = restart::list(&client, &settings, &options(&run), &mut tell)
        .await
        .unwrap();
    assert_eq!(listed, Outcome::Left);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("no restart helps before mesh config is wired: "),
        "{told:?}"
    );
}
