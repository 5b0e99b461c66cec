//! Which proxies have the address of the collector, the commands that restart the others, and the proxies that do not report
//! because of a Telemetry.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::{
    MeshSpec, ProxiesStatus, SilencedServiceStatus, SilencedStatus, SkippedStatus, WorkloadStatus,
};
use crate::world::{CallDirection, ObjectName, PodOwner, Proxy, Telemetry};

use super::conditions::ConditionState;
use super::telemetry_precedence::{AttachedService, Telemetries, TelemetryDecision};
use super::wiring::Assessment;

/// The namespace of istiod for a proxy whose configuration names none (Istio's default `discoveryAddress`).
const DEFAULT_MESH_NAMESPACE: &str = "istio-system";
const MAX_WORKLOADS_LISTED: usize = 10;
const MAX_PODS_LISTED: usize = 5;

/// The proxies of a mesh, judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxiesReport {
    /// What the status says of them.
    pub status: ProxiesStatus,
    /// Every workload whose pods must restart, by namespace.
    pub pending: Vec<PendingWorkload>,
}

/// A workload whose pods must restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PendingWorkload {
    /// What the status says of it.
    pub workload: WorkloadStatus,
    /// When the newest of these pods was created.
    pub newest_pod: Option<Timestamp>,
}

impl PendingWorkload {
    fn of(namespace: &str, owner: &PodOwner, pods: &[&Proxy]) -> Self {
        Self {
            workload: workload_status(namespace, owner, pods),
            newest_pod: pods.iter().filter_map(|proxy| proxy.created_at).max(),
        }
    }
}

/// What else says why proxies are not up to date: the restarts by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartNote {
    /// The reason of the condition.
    pub reason: &'static str,
    /// How far the restarts are.
    pub message: String,
}

/// Judges the proxies of a mesh.
pub fn report(
    proxies: &[Proxy],
    telemetries: &[Telemetry],
    mesh: &MeshSpec,
    assessments: &[Assessment],
    address: &str,
) -> ProxiesReport {
    let mut up_to_date = 0;
    let mut pending: BTreeMap<(&str, &PodOwner), Vec<&Proxy>> = BTreeMap::new();
    let mut skipped: BTreeMap<&'static str, Vec<&Proxy>> = BTreeMap::new();
    let mut silenced: BTreeMap<TelemetryDecision, Vec<&Proxy>> = BTreeMap::new();
    let mut services: BTreeSet<(AttachedService, Vec<ObjectName>)> = BTreeSet::new();
    let living = proxies.iter().filter(|proxy| !proxy.is_ending);
    for (proxy, assessment) in
        living.filter_map(|proxy| Some((proxy, assessment_of(proxy, mesh, assessments)?)))
    {
        let has_address = proxy.address.as_deref() == Some(address);
        if let Some(reason) = skip_reason(proxy, assessment).filter(|_| !has_address) {
            skipped.entry(reason).or_default().push(proxy);
            continue;
        }
        let telemetries = Telemetries {
            all: telemetries,
            mesh: assessment.mesh.as_ref(),
            version: assessment.target.version,
        };
        if let Some(decision) = telemetries.decision(proxy) {
            silenced.entry(decision).or_default().push(proxy);
            continue;
        }
        services.extend(telemetries.silenced_services(proxy));
        if has_address {
            up_to_date += 1;
        } else {
            let workload = (proxy.pod.namespace.as_str(), &proxy.owner);
            pending.entry(workload).or_default().push(proxy);
        }
    }
    let waiting: i64 = pending.values().map(|pods| count(pods)).sum();
    let silent: i64 = silenced.values().map(|pods| count(pods)).sum();
    let total = up_to_date + waiting + silent;
    let pending: Vec<PendingWorkload> = pending
        .into_iter()
        .map(|((namespace, owner), pods)| PendingWorkload::of(namespace, owner, &pods))
        .collect();
    let workloads = pending.iter().map(|one| one.workload.clone()).collect();
    let silenced = silenced
        .into_iter()
        .map(|(decision, pods)| silenced_status(&decision, &pods))
        .collect();
    let status = ProxiesStatus {
        summary: format!("{up_to_date}/{total}"),
        total,
        up_to_date,
        pending_restart: waiting,
        silent,
        workloads: most_affected(workloads, |one: &WorkloadStatus| one.pending),
        silenced: most_affected(silenced, |one: &SilencedStatus| one.count),
        silenced_services: silenced_services_status(services),
        skipped: skipped
            .into_iter()
            .map(|(reason, pods)| skipped_status(reason, &pods))
            .collect(),
    };
    ProxiesReport { status, pending }
}

/// The items with the most pods, largest first, and no more than the status lists.
fn most_affected<T>(mut list: Vec<T>, count: impl Fn(&T) -> i64) -> Vec<T> {
    list.sort_by_key(|one| std::cmp::Reverse(count(one)));
    list.truncate(MAX_WORKLOADS_LISTED);
    list
}

/// The state of `ProxiesUpToDate`, for a wired mesh. The note is that of the operator's own restarts, if it makes them.
pub fn condition(report: &ProxiesStatus, restarts: Option<RestartNote>) -> ConditionState {
    let (reason, restarts) = match restarts {
        Some(note) => (
            note.reason,
            format!("{}. {}", pending_message(report), note.message),
        ),
        None => ("RestartNeeded", restart_message(report)),
    };
    let messages = [
        (report.pending_restart > 0).then_some(restarts),
        (report.silent > 0).then(|| silenced_message(report)),
        (!report.silenced_services.is_empty()).then(|| services_message(report)),
    ];
    let messages: Vec<String> = messages.into_iter().flatten().collect();
    match (report.pending_restart, messages.is_empty()) {
        (_, true) => ConditionState::met(
            "UpToDate",
            format!("all {} proxies know the collector's address", report.total),
        ),
        (0, false) => ConditionState::unmet("SilencedByTelemetry", messages.join(". ")),
        (_, false) => ConditionState::unmet(reason, messages.join(". ")),
    }
}

fn restart_message(report: &ProxiesStatus) -> String {
    let commands: Vec<&str> = report
        .workloads
        .iter()
        .map(|workload| workload.command.as_str())
        .collect();
    format!("{}: {}", pending_message(report), commands.join("; "))
}

fn pending_message(report: &ProxiesStatus) -> String {
    let pods: Vec<String> = report
        .workloads
        .iter()
        .flat_map(|workload| {
            workload
                .pods
                .iter()
                .map(|pod| format!("{}/{pod}", workload.namespace))
        })
        .take(MAX_PODS_LISTED)
        .collect();
    format!(
        "{} of {} proxies started before the mesh was wired and learn the collector's address when their pods restart ({})",
        report.pending_restart,
        report.total,
        listed(&pods, report.pending_restart),
    )
}

fn silenced_message(report: &ProxiesStatus) -> String {
    let telemetries: Vec<String> = report
        .silenced
        .iter()
        .map(|one| {
            let calls = match one.calls.as_str() {
                "" => String::new(),
                calls => format!("about {calls} calls "),
            };
            format!(
                "remove accessLogging from {}, which decides {calls}for {}",
                one.telemetries.join(" and "),
                listed(&one.pods, one.count)
            )
        })
        .collect();
    format!(
        "{} of {} proxies do not report, because Telemetries decide about their access logs and not mesh config: {}",
        report.silent,
        report.total,
        telemetries.join("; ")
    )
}

fn services_message(report: &ProxiesStatus) -> String {
    let services = report.silenced_services.iter().map(|one| {
        format!(
            "remove accessLogging from {}, which decides about the calls of {} {}/{}",
            one.telemetries.join(" and "),
            one.kind,
            one.namespace,
            one.name
        )
    });
    let services: Vec<String> = services.collect();
    format!(
        "Waypoints do not report the calls of some services, because Telemetries decide about them and not mesh config: {}",
        services.join("; ")
    )
}

/// The names of some of `count` pods.
fn listed(pods: &[String], count: i64) -> String {
    let has_more = usize::try_from(count).is_ok_and(|count| count > pods.len());
    format!("{}{}", pods.join(", "), if has_more { ", …" } else { "" })
}

/// The revision of the mesh that a proxy belongs to, by the namespace and revision of its istiod.
fn assessment_of<'a>(
    proxy: &Proxy,
    mesh: &MeshSpec,
    assessments: &'a [Assessment],
) -> Option<&'a Assessment> {
    let namespace = proxy.mesh_namespace.as_deref().unwrap_or(DEFAULT_MESH_NAMESPACE);
    let mut assessments = assessments.iter().filter(|_| namespace == mesh.namespace);
    assessments.find(|one| one.target.revision == proxy.revision)
}

/// Why a proxy without the address is not counted; `None` for one that is.
fn skip_reason(proxy: &Proxy, assessment: &Assessment) -> Option<&'static str> {
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
        PodOwner::Job(_) => Some("the Job's pods end by themselves"),
        PodOwner::ManagedGateway(_) if assessment.target.rolls_gateways() == Some(true) => {
            Some("istiod rolls the gateways that it manages by itself")
        }
        PodOwner::ManagedGateway(_)
        | PodOwner::Deployment(_)
        | PodOwner::StatefulSet(_)
        | PodOwner::DaemonSet(_)
        | PodOwner::Other(..)
        | PodOwner::Unowned => None,
    }
}

fn workload_status(namespace: &str, owner: &PodOwner, pods: &[&Proxy]) -> WorkloadStatus {
    let mut names: Vec<String> = pods.iter().map(|proxy| proxy.pod.name.clone()).collect();
    names.sort();
    names.truncate(MAX_PODS_LISTED);
    let first = names.first().cloned().unwrap_or_default();
    let restart =
        |resource: &str, name: &str| format!("kubectl -n {namespace} rollout restart {resource}/{name}");
    let (kind, name, command) = match owner {
        PodOwner::Deployment(name) => ("Deployment", name.clone(), restart("deployment", name)),
        PodOwner::ManagedGateway(name) => {
            let gateway = pods.iter().find_map(|proxy| proxy.gateway()).unwrap_or(name);
            (
                "Gateway",
                gateway.to_owned(),
                rerender_command(namespace, gateway),
            )
        }
        PodOwner::StatefulSet(name) => ("StatefulSet", name.clone(), restart("statefulset", name)),
        PodOwner::DaemonSet(name) => ("DaemonSet", name.clone(), restart("daemonset", name)),
        PodOwner::Job(name) => ("Job", name.clone(), delete_command(namespace, &names)),
        PodOwner::Other(kind, name) => (kind.as_str(), name.clone(), delete_command(namespace, &names)),
        PodOwner::Unowned => (
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

/// The command that makes istiod render the Deployment of a Gateway again: any change of the Gateway does. A restart alone would start
/// the pods as they are.
fn rerender_command(namespace: &str, gateway: &str) -> String {
    format!(
        "kubectl -n {namespace} annotate gateways.gateway.networking.k8s.io {gateway} --overwrite \
         alscope.dev/rendered-at=\"$(date +%s)\""
    )
}

/// The command for an owner without a rollout, which replaces deleted pods.
fn delete_command(namespace: &str, pods: &[String]) -> String {
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

fn silenced_status(decision: &TelemetryDecision, pods: &[&Proxy]) -> SilencedStatus {
    let mut names: Vec<String> = pods.iter().map(|proxy| proxy.pod.to_string()).collect();
    names.sort();
    names.truncate(MAX_PODS_LISTED);
    SilencedStatus {
        telemetries: decision.telemetries.iter().map(ToString::to_string).collect(),
        calls: match decision.calls {
            None => String::new(),
            Some(CallDirection::Incoming) => "incoming".to_owned(),
            Some(CallDirection::Outgoing) => "outgoing".to_owned(),
        },
        count: count(pods),
        pods: names,
    }
}

fn silenced_services_status(
    services: BTreeSet<(AttachedService, Vec<ObjectName>)>,
) -> Vec<SilencedServiceStatus> {
    services
        .into_iter()
        .take(MAX_WORKLOADS_LISTED)
        .map(|(service, telemetries)| silenced_service_status(service, &telemetries))
        .collect()
}

fn silenced_service_status(service: AttachedService, telemetries: &[ObjectName]) -> SilencedServiceStatus {
    SilencedServiceStatus {
        kind: service.kind.to_owned(),
        namespace: service.name.namespace,
        name: service.name.name,
        telemetries: telemetries.iter().map(ToString::to_string).collect(),
    }
}

fn count(pods: &[&Proxy]) -> i64 {
    i64::try_from(pods.len()).unwrap_or(i64::MAX)
}
