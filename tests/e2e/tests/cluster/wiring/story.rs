//! One apply, on the real mesh: these tests wire it, so they run one after the other, each from the baseline back to it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alscope_collector::topology::Topology;
use alscope_e2e::bookinfo::{THOUSAND, deploy, manifest};
use alscope_e2e::cluster::{Namespace, kubectl, run, until};
use alscope_e2e::collector::{Collector, load_images};
use alscope_e2e::operator::{self, ADDRESS, Condition, RESOURCE, until_condition};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

const MESH: (&str, &str) = ("istio-system", "istio");
const MANAGER: &str = "alscope-operator";

/// What the mesh was before, to compare with in the end.
struct Baseline {
    mesh: String,
    objects: BTreeSet<String>,
}

impl Baseline {
    fn installed() -> anyhow::Result<Self> {
        load_images()?;
        operator::remove()?;
        gateway_forgets()?;
        operator::install()?;
        let mesh = operator::mesh(MESH.0, MESH.1)?;
        ensure!(
            !mesh.contains("envoyAccessLogService"),
            "the mesh is wired before the test: {mesh}"
        );
        Ok(Self {
            mesh,
            objects: operator::objects()?,
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        let mesh = operator::mesh(MESH.0, MESH.1)?;
        ensure!(
            mesh == self.mesh,
            "mesh config was\n{}\nand is\n{mesh}",
            self.mesh
        );
        let managers = operator::managers(MESH.0, MESH.1)?;
        ensure!(
            !managers.iter().any(|manager| manager == MANAGER),
            "{managers:?} own parts of mesh config"
        );
        // The controllers' own objects of a Service follow it a moment later.
        until(
            "the objects from before, no more and no fewer",
            Duration::from_secs(20),
            || {
                let mut objects = operator::objects()?;
                // An upgrade of istiod leaves helm's own history.
                objects.retain(|object| !object.contains("sh.helm.release.v1.istiod."));
                let more: Vec<&String> = objects.difference(&self.objects).collect();
                let mut fewer: Vec<&String> = self.objects.difference(&objects).collect();
                fewer.retain(|object| !object.contains("sh.helm.release.v1.istiod."));
                ensure!(
                    more.is_empty() && fewer.is_empty(),
                    "more: {more:?}, fewer: {fewer:?}"
                );
                Ok(Some(()))
            },
        )
    }
}

#[test]
fn one_apply_observes_the_mesh_and_its_deletion_takes_everything_back() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    let namespace = deploy("story")?;
    let baseline = Baseline {
        objects: operator::objects()?,
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
    reaches("ProxiesUpToDate", ("False", "RestartNeeded"), 10)?;
    let status = operator::resource(RESOURCE)?["status"].clone();
    let pending = pending(&status)?;
    ensure!(
        pending == *before,
        "to restart: {pending:?}, started before: {before:?}"
    );
    restart(&status)?;
    reaches("ProxiesUpToDate", ("True", "UpToDate"), 60).map(drop)
}

fn the_table_tells_the_story(namespace: &Namespace) -> anyhow::Result<()> {
    namespace.apply(&manifest("load.yaml"))?;
    namespace.kubectl(&["wait", "job/load", "--for=condition=Complete", "--timeout=120s"])?;
    reaches("DataFlowing", ("True", "EntriesReceived"), 30)?;
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

/// Waits for a condition of the resource; explains when it does not come.
fn reaches(type_: &str, state: (&str, &str), seconds: u64) -> anyhow::Result<Condition> {
    until_condition(RESOURCE, type_, state, Duration::from_secs(seconds)).inspect_err(|_| explain())
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

/// A gateway that an earlier test restarted in a wired mesh still knows the address.
fn gateway_forgets() -> anyhow::Result<()> {
    let gateway = ["--namespace", "istio-ingress"];
    let pods = kubectl(&[&["get", "pods", "--output=json"], &gateway[..]].concat())?;
    if pods.contains("envoyAccessLogService") {
        let name = "deployment/istio-ingressgateway";
        kubectl(&[&["rollout", "restart", name], &gateway[..]].concat())?;
        kubectl(&[&["rollout", "status", name, "--timeout=60s"], &gateway[..]].concat())?;
        until("the old gateway to end", Duration::from_mins(1), || {
            let pods = kubectl(&[&["get", "pods", "--output=json"], &gateway[..]].concat())?;
            Ok((!pods.contains("envoyAccessLogService")).then_some(()))
        })?;
    }
    Ok(())
}

/// Pods with a side-car or a gateway's proxy, as `namespace/name`.
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
    let id = |workload: &str| format!("{namespace}/{workload}");
    let mut expected: Vec<(String, String)> = THOUSAND
        .iter()
        .map(|hop| (id(hop.source), id(hop.destination)))
        .collect();
    expected.sort();
    until("the topology of the mesh", Duration::from_secs(20), || {
        let topology: Topology = serde_json::from_str(&collector.web("/api/v1/topology?window=5m")?)?;
        let of_mesh = topology
            .edges
            .iter()
            .filter(|edge| edge.destination.starts_with(&id("")));
        let mut edges: Vec<(String, String)> = of_mesh
            .map(|edge| (edge.source.clone(), edge.destination.clone()))
            .collect();
        edges.sort();
        ensure!(
            edges == expected,
            "the topology has {edges:?}, the mesh {expected:?}"
        );
        Ok(Some(()))
    })
}

#[test]
fn helm_uninstall_first_leaves_nothing_behind() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    operator::apply(RESOURCE, &json!({}))?;
    reaches("Ready", ("True", "Ready"), 30)?;
    let begin = now();
    run(
        "helm",
        &[
            "uninstall",
            "alscope",
            "--namespace",
            operator::NAMESPACE,
            "--wait",
            "--timeout=3m",
        ],
    )
    .inspect_err(|_| explain())?;
    println!("  uninstalled after {:.1} s", begin.elapsed().as_secs_f64());
    let mesh = operator::mesh(MESH.0, MESH.1)?;
    ensure!(
        mesh == baseline.mesh,
        "mesh config was\n{}\nand is\n{mesh}",
        baseline.mesh
    );
    operator::delete_all()?;
    let left = kubectl(&["get", "meshobs", "--output=name"])?;
    ensure!(left.trim().is_empty(), "left: {left}");
    operator::remove()
}

#[test]
fn an_upgrade_of_istiod_passes_and_is_wired_again_once() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    operator::apply(RESOURCE, &json!({}))?;
    reaches("Ready", ("True", "Ready"), 30)?;
    until(
        "the operator's mark to go from managedFields",
        Duration::from_secs(10),
        || {
            let managers = operator::managers(MESH.0, MESH.1)?;
            Ok((!managers.iter().any(|manager| manager == MANAGER)).then_some(()))
        },
    )?;
    let charts = run("helm", &["--charts"])?;
    let istiod = format!("{}/istiod", charts.trim());
    for _ in 1..3 {
        upgrade(&istiod)?;
        is_wired_again()?;
    }
    let place = operator::place()?;
    upgrade(&istiod)?;
    let fight = reaches("MeshConfigured", ("False", "MeshConfigContended"), 20)?;
    ensure!(
        fight.message.contains("helm"),
        "the condition names nobody: {}",
        fight.message
    );
    let written = operator::writes_since(place)?;
    ensure!(
        written.iter().all(|write| write.name != "istio"),
        "mesh config was written during a fight: {written:?}"
    );
    // A changed spec ends it.
    operator::apply(
        RESOURCE,
        &json!({"collector": {"replicas": 1}, "mesh": {"conflictPolicy": "Overwrite"}}),
    )?;
    reaches("MeshConfigured", ("True", "Wired"), 20)?;
    operator::delete_all()?;
    baseline.check()
}

fn is_wired_again() -> anyhow::Result<()> {
    let begin = now();
    until("mesh config to be wired again", Duration::from_secs(10), || {
        Ok(operator::mesh(MESH.0, MESH.1)?.contains(ADDRESS).then_some(()))
    })
    .inspect_err(|_| explain())?;
    println!(
        "  wired again {:.1} s after the upgrade",
        begin.elapsed().as_secs_f64()
    );
    reaches("MeshConfigured", ("True", "Wired"), 10).map(drop)
}

/// What changes in the chart's text is left to the chart: the same values again.
fn upgrade(chart: &str) -> anyhow::Result<()> {
    let arguments = [
        "upgrade",
        "istiod",
        chart,
        "--namespace",
        MESH.0,
        "--reuse-values",
        "--wait",
        "--timeout=90s",
    ];
    run("helm", &arguments).map(drop)
}

/// Prints what a reader needs to see why a test failed.
fn explain() {
    for what in [
        &["get", "meshobs", "--output=yaml"][..],
        &["get", "pods", "--namespace", operator::NAMESPACE, "--output=wide"],
        &[
            "logs",
            "deployment/alscope-operator",
            "--namespace",
            operator::NAMESPACE,
            "--tail=60",
        ],
        &[
            "get",
            "configmap",
            "istio",
            "--namespace",
            "istio-system",
            "--output=yaml",
            "--show-managed-fields",
        ],
    ] {
        match kubectl(what) {
            Ok(text) => println!("{text}"),
            Err(error) => println!("{error}"),
        }
    }
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the deadlines that users are promised are of the wall clock"
    )]
    Instant::now()
}
