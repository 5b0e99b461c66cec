//! One apply observes the real mesh, and the deletion of the resource takes everything back.

use std::collections::BTreeSet;
use std::time::Duration;

use alscope_e2e::baseline::{self, Baseline};
use alscope_e2e::bookinfo::{check_topology, deploy, load};
use alscope_e2e::cluster::{Namespace, kubectl, now, until};
use alscope_e2e::collector::Collector;
use alscope_e2e::operator::{self, RESOURCE, explain, reaches};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

#[test]
fn one_apply_observes_the_mesh_and_its_deletion_takes_everything_back() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    let namespace = deploy("story")?;
    let baseline = Baseline {
        objects: baseline::objects()?,
        ..baseline
    };
    let result = story(&namespace);
    if result.is_err() {
        namespace.dump();
        explain();
    }
    result?;
    let begin = now();
    operator::delete_all()?;
    println!("  deleted after {:.1} s", begin.elapsed().as_secs_f64());
    ensure!(
        begin.elapsed() < Duration::from_mins(2),
        "the deletion took {:?}",
        begin.elapsed()
    );
    baseline.check()?;
    namespace.delete()
}

fn story(namespace: &Namespace) -> anyhow::Result<()> {
    let before = proxies_of(&["story", "istio-ingress"])?;
    let begin = now();
    operator::apply(RESOURCE, &json!({}))?;
    let order = conditions_in_order(Duration::from_secs(20))?;
    println!(
        "  ready after {:.1} s: {}",
        begin.elapsed().as_secs_f64(),
        order.join(", ")
    );
    ensure!(
        begin.elapsed() < Duration::from_secs(20),
        "Ready took {:?}",
        begin.elapsed()
    );
    ensure!(
        order == ["Accepted", "CollectorAvailable", "MeshConfigured", "Ready"],
        "the conditions turned true in the order {order:?}"
    );
    kubectl(&[
        "wait",
        "meshobs",
        RESOURCE,
        "--for=condition=Ready",
        "--timeout=1s",
    ])?;

    restart_what_is_named(&before)?;
    the_table_tells_the_story(namespace)?;
    the_topology_is_the_mesh(&namespace.name)?;
    nothing_is_written_in_a_quiet_minute()
}

/// What changes nothing, writes nothing: by the API server's own record, looked at each second.
fn nothing_is_written_in_a_quiet_minute() -> anyhow::Result<()> {
    let place = operator::place()?;
    let begin = now();
    let mut written = Vec::new();
    until("a quiet minute to pass", Duration::from_secs(90), || {
        written = operator::writes_since(place)?;
        let is_over = begin.elapsed() >= Duration::from_mins(1) || !written.is_empty();
        Ok(is_over.then_some(()))
    })?;
    ensure!(written.is_empty(), "the operator wrote {written:?}");
    Ok(())
}

fn restart_what_is_named(before: &BTreeSet<String>) -> anyhow::Result<()> {
    reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("False", "RestartNeeded"),
        Duration::from_secs(10),
    )?;
    let status = operator::resource(RESOURCE)?["status"].clone();
    let pending = pending(&status)?;
    ensure!(
        pending == *before,
        "to restart: {pending:?}, started before: {before:?}"
    );
    restart(&status)?;
    reaches(
        RESOURCE,
        "ProxiesUpToDate",
        ("True", "UpToDate"),
        Duration::from_mins(1),
    )
    .map(drop)
}

fn the_table_tells_the_story(namespace: &Namespace) -> anyhow::Result<()> {
    load(namespace)?;
    reaches(
        RESOURCE,
        "DataFlowing",
        ("True", "EntriesReceived"),
        Duration::from_secs(30),
    )?;
    namespace.kubectl(&["delete", "job/load", "--wait", "--timeout=60s"])?;
    let line = kubectl(&["get", "meshobs", RESOURCE, "--no-headers"])?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let total = proxies_of(&["story", "istio-ingress"])?.len();
    let proxies = format!("{total}/{total}");
    ensure!(
        words.get(..5) == Some(&[RESOURCE, "Ready", "Wired", &proxies, "True"]),
        "kubectl get meshobs says {line}"
    );
    Ok(())
}

/// The conditions that turn true, in the order in which they do.
fn conditions_in_order(deadline: Duration) -> anyhow::Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    until("Ready", deadline, || {
        let resource = operator::resource(RESOURCE)?;
        let mut found: Vec<(String, String)> = resource["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|condition| condition["status"] == "True" && condition["type"] != "ProxiesUpToDate")
            .map(|condition| {
                let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
                (text("lastTransitionTime"), text("type"))
            })
            .collect();
        // In one look, the earlier transition comes first; within one second, the resource's own order is kept.
        found.sort_by(|left, right| left.0.cmp(&right.0));
        for (_, type_) in found {
            if !order.contains(&type_) {
                order.push(type_);
            }
        }
        Ok(order.iter().any(|type_| type_ == "Ready").then_some(()))
    })?;
    Ok(order)
}

/// Pods with a sidecar or a gateway's proxy, as `namespace/name`.
fn proxies_of(namespaces: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for namespace in namespaces {
        let pods = kubectl(&["get", "pods", "--namespace", namespace, "--output=json"])?;
        let pods: Value = serde_json::from_str(&pods)?;
        for pod in pods["items"].as_array().into_iter().flatten() {
            let spec = &pod["spec"];
            let all = [&spec["containers"], &spec["initContainers"]];
            let mut containers = all.iter().filter_map(|list| list.as_array()).flatten();
            if containers.any(|container| container["name"] == "istio-proxy") {
                let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
                found.insert(format!("{namespace}/{name}"));
            }
        }
    }
    Ok(found)
}

fn pending(status: &Value) -> anyhow::Result<BTreeSet<String>> {
    let workloads = status["proxies"]["workloads"]
        .as_array()
        .context("no workloads")?;
    let mut found = BTreeSet::new();
    for workload in workloads {
        let namespace = workload["namespace"].as_str().context("no namespace")?;
        for pod in workload["pods"].as_array().into_iter().flatten() {
            found.insert(format!("{namespace}/{}", pod.as_str().context("no name")?));
        }
    }
    Ok(found)
}

/// Runs the commands that the status shows, as a user would.
fn restart(status: &Value) -> anyhow::Result<()> {
    let workloads = status["proxies"]["workloads"]
        .as_array()
        .context("no workloads")?;
    for workload in workloads {
        let command = workload["command"].as_str().context("no command")?;
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        kubectl(&words)?;
    }
    for workload in workloads {
        let (namespace, name) = (&workload["namespace"], &workload["name"]);
        let name = format!("deployment/{}", name.as_str().context("no name")?);
        let namespace = namespace.as_str().context("no namespace")?;
        kubectl(&[
            "rollout",
            "status",
            &name,
            "--namespace",
            namespace,
            "--timeout=90s",
        ])?;
    }
    Ok(())
}

fn the_topology_is_the_mesh(namespace: &str) -> anyhow::Result<()> {
    let collector = Collector::observed()?;
    until("the topology of the mesh", Duration::from_secs(20), || {
        check_topology(&collector, namespace).map(Some)
    })
}
