//! Each right to restart workloads is needed: without it nothing is restarted that needs it, the condition names it, and the operator
//! goes on when it has the right again.

use std::time::Duration;

use alscope_operator::rbac::Installation;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::rig::{Run, WORKLOADS};

/// The cluster-wide rules of the operator, without one verb of one resource.
fn role_without(resource: &str, verb: &str) -> Value {
    let installation = Installation {
        restart_workloads: true,
        ..Installation::default()
    };
    let objects = installation.operator().into_iter();
    let mut granted = objects.map(|object| serde_json::to_value(&object).unwrap());
    let mut role = granted.find(|object| object["kind"] == "ClusterRole").unwrap();
    let rights = role["rules"].as_array().unwrap().clone();
    let mut left = Vec::new();
    let mut removed = 0;
    for right in rights {
        for name in right["resources"].as_array().unwrap() {
            let mut one = right.clone();
            one["resources"] = json!([name]);
            if name == resource {
                let verbs = one["verbs"].as_array_mut().unwrap();
                let before = verbs.len();
                verbs.retain(|granted| granted != verb);
                removed += before - verbs.len();
            }
            left.push(one);
        }
    }
    assert_eq!(removed, 1, "one rule gives this right");
    role["rules"] = json!(left);
    role
}

fn proxies_up_to_date(run: &Run) -> (String, String) {
    let conditions = run.status()["conditions"].clone();
    let mut all = conditions.as_array().unwrap().iter();
    let found = all.find(|one| one["type"] == "ProxiesUpToDate").unwrap();
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("reason"), text("message"))
}

#[rstest]
#[case("statefulsets", "list", "RestartNeeded", "may not list statefulsets.apps;")]
#[case("statefulsets", "watch", "RestartNeeded", "may not watch statefulsets.apps;")]
#[case(
    "statefulsets",
    "patch",
    "Forbidden",
    "may not patch statefulsets.apps shop/db;"
)]
#[case("daemonsets", "list", "RestartNeeded", "may not list daemonsets.apps;")]
#[case("daemonsets", "watch", "RestartNeeded", "may not watch daemonsets.apps;")]
#[case(
    "daemonsets",
    "patch",
    "Forbidden",
    "may not patch daemonsets.apps bank/agent;"
)]
#[case(
    "deployments",
    "patch",
    "Forbidden",
    "may not patch deployments.apps bank/ledger;"
)]
#[case(
    "poddisruptionbudgets",
    "list",
    "RestartNeeded",
    "may not list poddisruptionbudgets.policy;"
)]
#[case(
    "poddisruptionbudgets",
    "watch",
    "RestartNeeded",
    "may not watch poddisruptionbudgets.policy;"
)]
#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_and_what_needs_it_is_not_restarted(
    #[case] resource: &str,
    #[case] verb: &str,
    #[case] reason: &str,
    #[case] words: &str,
) {
    fastrand::seed(7);
    let mut run = Run::new().await;
    let whole = run.cluster.server.list("clusterroles.rbac.authorization.k8s.io");
    let whole = whole
        .iter()
        .find(|role| role["metadata"]["name"] == "alscope-operator-alscope-system");
    let whole = Value::clone(whole.unwrap());
    run.cluster.server.put(role_without(resource, verb));
    let early = timeout(Duration::from_mins(3), run.settle()).await;
    assert!(early.is_err(), "it ends without the right");
    let (found, message) = proxies_up_to_date(&run);
    assert_eq!(found, reason, "{message}");
    assert!(message.contains(words), "{message}");
    assert!(message.contains("mesh.restartWorkloads"), "{message}");
    assert_eq!(run.status()["state"], "Ready");
    let needs = WORKLOADS
        .iter()
        .filter(|(_, kind, ..)| verb != "patch" || kind.starts_with(resource));
    let kept: Vec<String> = needs
        .map(|(_, _, namespace, name)| format!("{namespace}/{name}"))
        .collect();
    assert!(run.restarts().iter().all(|(name, _)| !kept.contains(name)));

    run.cluster.server.put(whole);
    run.settle().await;
    run.check();
}
