//! The operator's `ClusterRole` is removed while a mesh is wired: it writes nothing on a guess, says what it lacks, and goes on when
//! it has its rights again.

use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::cluster::{kubectl, now, until};
use alscope_e2e::operator::{self, RESOURCE, Write, apply, apply_object, reaches, until_disowned};
use alscope_e2e::wired::{Wired, logs, operator_metrics, ready_again, restart_operator};
use anyhow::ensure;
use serde_json::{Value, json};

const ROLE: &str = "alscope-operator-alscope-system";
/// A watch that is refused is tried again after at most 30 s.
const NOTICED: Duration = Duration::from_secs(45);

#[test]
fn without_its_cluster_role_the_operator_leaves_a_wired_mesh_to_the_byte() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    apply(RESOURCE, &json!({}))?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    until_disowned(Duration::from_secs(10))?;
    let wired = Wired::now()?;
    let role: Value = serde_json::from_str(&kubectl(&["get", "clusterrole", ROLE, "--output=json"])?)?;

    let place = operator::place()?;
    kubectl(&["delete", "clusterrole", ROLE])?;
    // A watch that stands already is not ended by a right that is gone: the operator sees this, and may not say anything of it.
    apply(RESOURCE, &json!({"collector": {"replicas": 2}}))?;
    logs(
        &["the right to patch meshobservabilities/status"],
        Duration::from_secs(20),
    )?;
    restart_operator()?;
    for resource in ["meshobservabilities.alscope.dev", "pods", "deployments.apps"] {
        let words = [&format!("the operator may not list {resource};")[..]];
        logs(&words, Duration::from_secs(20))?;
    }
    operator_metrics(
        "the next operator to lead a pass",
        Duration::from_secs(20),
        |all| {
            all.sum("alscope_operator_leader", &[]) == 1 && all.sum("alscope_operator_passes_total", &[]) > 0
        },
    )?;
    nothing_is_written_for_a_while(place)?;
    wired.check()?;

    // With a part of its rights, the resource itself says what the operator lacks.
    give(&role, |rule| rule["resources"] != json!(["pods"]))?;
    let proxies = reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("Unknown", "ProxyCheckFailed"),
        NOTICED,
    )?;
    ensure!(
        proxies.message.contains("may not list pods"),
        "{}",
        proxies.message
    );
    ready_again(RESOURCE, NOTICED)?;
    wired.check()?;

    let begin = now();
    give(&role, |_| true)?;
    // The gateway started before the wiring.
    reaches(RESOURCE, "ProxiesUpToDate", ("False", "RestartNeeded"), NOTICED)?;
    println!("  noticed after {:.1} s", begin.elapsed().as_secs_f64());
    ready_again(RESOURCE, Duration::from_secs(10))?;
    wired.check()?;
    operator::delete_all()?;
    baseline.check()?;
    operator::remove()
}

/// Gives the operator its `ClusterRole`, with the rules that are wanted.
fn give(role: &Value, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let rules: Vec<&Value> = role["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| wanted(rule))
        .collect();
    apply_object(&json!({
        "apiVersion": role["apiVersion"],
        "kind": role["kind"],
        // helm takes for its own what has its annotations.
        "metadata": {"name": ROLE, "labels": role["metadata"]["labels"], "annotations": role["metadata"]["annotations"]},
        "rules": rules,
    }))
}

/// By the API server's record, each write since is refused, and none comes within five seconds more.
fn nothing_is_written_for_a_while(place: usize) -> anyhow::Result<()> {
    let begin = now();
    let mut done: Vec<Write> = Vec::new();
    until("five seconds without a write", Duration::from_secs(20), || {
        done = operator::writes_since(place)?;
        done.retain(|write| write.code != 403);
        Ok((begin.elapsed() > Duration::from_secs(5) || !done.is_empty()).then_some(()))
    })?;
    ensure!(done.is_empty(), "the operator wrote {done:?}");
    Ok(())
}
