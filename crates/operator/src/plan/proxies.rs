//! Which proxies know the collector's address, and the commands that restart the others.

use std::collections::BTreeMap;

use crate::api::{MeshSpec, ProxiesStatus, SkippedStatus, WorkloadStatus};
use crate::world::{Owner, Proxy};

use super::conditions::Answer;
use super::targets::Target;

/// The namespace that a proxy's istiod runs in when its configuration names none (Istio's default `discoveryAddress`).
const DEFAULT_MESH_NAMESPACE: &str = "istio-system";
const WORKLOADS_SHOWN: usize = 10;
const PODS_SHOWN: usize = 5;

/// The proxies of a mesh, counted.
pub fn report(proxies: &[Proxy], mesh: &MeshSpec, targets: &[Target], address: &str) -> ProxiesStatus {
    let mut up_to_date = 0;
    let mut pending: BTreeMap<(&str, &Owner), Vec<&Proxy>> = BTreeMap::new();
    let mut skipped: BTreeMap<&'static str, Vec<&Proxy>> = BTreeMap::new();
    let living = proxies.iter().filter(|proxy| !proxy.is_ending);
    for proxy in living.filter(|proxy| is_of(proxy, mesh, targets)) {
        match skip(proxy) {
            _ if proxy.address.as_deref() == Some(address) => up_to_date += 1,
            Some(reason) => skipped.entry(reason).or_default().push(proxy),
            None => pending
                .entry((&proxy.pod.namespace, &proxy.owner))
                .or_default()
                .push(proxy),
        }
    }
    let waiting: i64 = pending.values().map(|pods| count(pods)).sum();
    let total = up_to_date + waiting;
    let mut workloads: Vec<WorkloadStatus> = pending
        .into_iter()
        .map(|((namespace, owner), pods)| workload(namespace, owner, &pods))
        .collect();
    workloads.sort_by_key(|workload| std::cmp::Reverse(workload.pending));
    workloads.truncate(WORKLOADS_SHOWN);
    ProxiesStatus {
        summary: format!("{up_to_date}/{total}"),
        total,
        up_to_date,
        pending_restart: waiting,
        workloads,
        skipped: skipped
            .into_iter()
            .map(|(reason, pods)| skipped_status(reason, &pods))
            .collect(),
    }
}

/// `ProxiesUpToDate` of a wired mesh.
pub fn answer(report: &ProxiesStatus) -> Answer {
    if report.pending_restart == 0 {
        return Answer::yes(
            "UpToDate",
            format!("all {} proxies know the collector's address", report.total),
        );
    }
    let commands: Vec<&str> = report
        .workloads
        .iter()
        .map(|workload| workload.command.as_str())
        .collect();
    let pods: Vec<String> = report
        .workloads
        .iter()
        .flat_map(|workload| {
            workload
                .pods
                .iter()
                .map(|pod| format!("{}/{pod}", workload.namespace))
        })
        .take(PODS_SHOWN)
        .collect();
    Answer::no(
        "RestartNeeded",
        format!(
            "{} of {} proxies started before the mesh was wired and learn the collector's address when their pods restart \
             ({}{}): {}",
            report.pending_restart,
            report.total,
            pods.join(", "),
            if usize::try_from(report.pending_restart).is_ok_and(|pending| pending > pods.len()) {
                ", …"
            } else {
                ""
            },
            commands.join("; "),
        ),
    )
}

/// Whether a proxy belongs to the mesh, by its istiod's namespace and revision.
fn is_of(proxy: &Proxy, mesh: &MeshSpec, targets: &[Target]) -> bool {
    let namespace = proxy.mesh_namespace.as_deref().unwrap_or(DEFAULT_MESH_NAMESPACE);
    namespace == mesh.namespace && targets.iter().any(|target| target.revision == proxy.revision)
}

/// Why a proxy without the address is left out.
fn skip(proxy: &Proxy) -> Option<&'static str> {
    if proxy.overridden {
        return Some(
            "the pod's annotation proxy.istio.io/config sets envoyAccessLogService itself; remove it there",
        );
    }
    if proxy.proxyless {
        return Some("gRPC without a proxy has no access logs");
    }
    if proxy.unreadable {
        return Some(
            "the proxy has no PROXY_CONFIG, so its address is not known; restart it once after the wiring",
        );
    }
    match proxy.owner {
        Owner::Job(_) => Some("the Job's pods end by themselves"),
        Owner::ManagedGateway(_) => Some("istiod rolls the gateways that it manages by itself"),
        Owner::Deployment(_)
        | Owner::StatefulSet(_)
        | Owner::DaemonSet(_)
        | Owner::Other(..)
        | Owner::Nobody => None,
    }
}

fn workload(namespace: &str, owner: &Owner, pods: &[&Proxy]) -> WorkloadStatus {
    let mut names: Vec<String> = pods.iter().map(|proxy| proxy.pod.name.clone()).collect();
    names.sort();
    names.truncate(PODS_SHOWN);
    let first = names.first().cloned().unwrap_or_default();
    let restart =
        |resource: &str, name: &str| format!("kubectl -n {namespace} rollout restart {resource}/{name}");
    let (kind, name, command) = match owner {
        Owner::Deployment(name) | Owner::ManagedGateway(name) => {
            ("Deployment", name.clone(), restart("deployment", name))
        }
        Owner::StatefulSet(name) => ("StatefulSet", name.clone(), restart("statefulset", name)),
        Owner::DaemonSet(name) => ("DaemonSet", name.clone(), restart("daemonset", name)),
        Owner::Job(name) => ("Job", name.clone(), delete(namespace, &names)),
        Owner::Other(kind, name) => (kind.as_str(), name.clone(), delete(namespace, &names)),
        Owner::Nobody => (
            "Pod",
            first,
            format!(
                "create the pods of namespace {namespace} that nothing owns anew: {}",
                names.join(", ")
            ),
        ),
    };
    WorkloadStatus {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name,
        pending: count(pods),
        pods: names,
        command,
    }
}

/// An owner without a rollout makes new pods for deleted ones.
fn delete(namespace: &str, pods: &[String]) -> String {
    format!("kubectl -n {namespace} delete pod {}", pods.join(" "))
}

fn skipped_status(reason: &str, pods: &[&Proxy]) -> SkippedStatus {
    let example = pods.iter().map(|proxy| &proxy.pod).min();
    SkippedStatus {
        reason: reason.to_owned(),
        count: count(pods),
        example: example.map(ToString::to_string).unwrap_or_default(),
    }
}

fn count(pods: &[&Proxy]) -> i64 {
    i64::try_from(pods.len()).unwrap_or(i64::MAX)
}
