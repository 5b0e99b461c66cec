//! The operator restarts the workloads of a mesh that runs: each once, one after the other, over a death of the operator, and none that
//! a disruption budget keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_e2e::baseline::{self, Baseline};
use alscope_e2e::bookinfo::deploy;
use alscope_e2e::cluster::{Namespace, kubectl, until};
use alscope_e2e::operator::{self, NAMESPACE, RESOURCE, apply, explain, reaches};
use alscope_e2e::wired::restart_operator;
use anyhow::ensure;
use serde_json::{Value, json};

const TEST: &str = "rollouts";
const PAUSE: &str = "1s";
/// Ten workloads, each with a new pod that must become ready.
const RESTARTED: Duration = Duration::from_mins(6);

#[test]
fn the_operator_restarts_each_workload_once_and_honours_a_budget() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    operator::install_in(NAMESPACE, &["mesh.restartWorkloads=true"])?;
    let namespace = deploy(TEST)?;
    let baseline = Baseline {
        objects: baseline::objects()?,
        ..baseline
    };
    let result = restarted(&namespace);
    if result.is_err() {
        namespace.dump();
        explain();
    }
    result?;
    operator::delete_all()?;
    baseline.check()?;
    namespace.delete()?;
    operator::remove()
}

fn restarted(namespace: &Namespace) -> anyhow::Result<()> {
    namespace.apply_text(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: details}\nspec: {minAvailable: 1, selector: \
         {matchLabels: {app: details}}}\n",
    )?;
    let before = generations()?;
    let place = operator::place()?;
    let spec = json!({"mesh": {"restart": "Rollout", "restartBudget": {"pause": PAUSE}}});
    apply(RESOURCE, &spec)?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_mins(1))?;
    until("two restarts", Duration::from_mins(2), || {
        Ok((restarts()?["restarted"].as_i64() >= Some(2)).then_some(()))
    })?;
    restart_operator()?;

    until("all restarts but one", RESTARTED, || {
        let restarts = restarts()?;
        ensure!(restarts["stopped"].is_null(), "{restarts}");
        let under_way = restarts["underWay"].as_array().map_or(0, Vec::len);
        ensure!(under_way <= 1, "{restarts}");
        Ok((restarts["outstanding"] == 0 && under_way == 0 && restarts["waiting"] == 1).then_some(()))
    })?;
    let waiting = reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("False", "RestartWaiting"),
        Duration::from_secs(20),
    )?;
    let words =
        "rollouts/details-v1 (Deployment) waits: PodDisruptionBudget details allows no disruption now";
    ensure!(waiting.message.contains(words), "{}", waiting.message);

    namespace.kubectl(&["delete", "poddisruptionbudget/details"])?;
    reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("True", "UpToDate"),
        Duration::from_mins(2),
    )?;
    each_was_restarted_once(&before, place)
}

/// By the API server's own record: each workload was written once, namespace after namespace but for the one that waited.
fn each_was_restarted_once(before: &BTreeMap<String, i64>, place: usize) -> anyhow::Result<()> {
    let writes = operator::writes_since(place)?.into_iter().filter(|write| {
        let is_workload = ["deployments", "statefulsets", "daemonsets"].contains(&write.resource.as_str());
        is_workload && write.namespace != NAMESPACE && write.code == 200
    });
    let restarts: Vec<String> = writes
        .map(|write| format!("{}/{}", write.namespace, write.name))
        .collect();
    let mut wanted: Vec<String> = before
        .keys()
        .filter(|name| name.as_str() != "rollouts/details-v1")
        .cloned()
        .collect();
    wanted.push("rollouts/details-v1".to_owned());
    println!("  restarted: {}", restarts.join(", "));
    ensure!(restarts == wanted, "restarted {restarts:?}, wanted {wanted:?}");
    let after = generations()?;
    for (name, generation) in before {
        ensure!(
            after.get(name) == Some(&(generation + 1)),
            "{name} had generation {generation}, and has {:?}",
            after.get(name)
        );
    }
    Ok(())
}

fn restarts() -> anyhow::Result<Value> {
    Ok(operator::resource(RESOURCE)?["status"]["restarts"].clone())
}

/// The generation of each Deployment with a proxy.
fn generations() -> anyhow::Result<BTreeMap<String, i64>> {
    let mut found = BTreeMap::new();
    for namespace in ["istio-ingress", TEST] {
        let listed = kubectl(&["get", "deployments", "--namespace", namespace, "--output=json"])?;
        let listed: Value = serde_json::from_str(&listed)?;
        for object in listed["items"].as_array().into_iter().flatten() {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            found.insert(
                format!("{namespace}/{name}"),
                metadata["generation"].as_i64().unwrap_or_default(),
            );
        }
    }
    ensure!(found.len() > 5, "only {found:?}");
    Ok(found)
}
