//! Which proxies send to the collector, the commands that restart the others, and the proxies that a Telemetry or a Sidecar keeps from
//! it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::{
    HidingSidecarStatus, MeshSpec, ProxiesStatus, SilencedServiceStatus, SilencedStatus, SkippedStatus,
    WorkloadStatus,
};
use crate::world::{CallDirection, ObjectName, PodOwner, Proxy, ReadResult, Sidecar, Telemetry, World};

use super::original::host_and_port;
use super::settings::OperatorSettings;
use super::sidecar_scope::{CollectorService, hiding_sidecar};
use super::telemetry_precedence::{AttachedService, Telemetries, TelemetryDecision, root_namespace};
use super::wiring::Assessment;

/// The namespace of istiod for a proxy whose configuration names none (Istio's default `discoveryAddress`).
const DEFAULT_MESH_NAMESPACE: &str = "istio-system";
const PROXYLESS: &str = "gRPC without a proxy has no access logs";

/// How many items the lists of a `ProxiesStatus` have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLengths {
    /// Workloads, Telemetries and services.
    pub workloads: usize,
    /// Pods of each.
    pub pods: usize,
}

impl ListLengths {
    /// Those of the status of a resource.
    pub const STATUS: Self = Self {
        workloads: 10,
        pods: 5,
    };
    /// All there are.
    pub const ALL: Self = Self {
        workloads: usize::MAX,
        pods: usize::MAX,
    };
}

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
    fn of(namespace: &str, owner: &PodOwner, pods: &[&Proxy], length: usize) -> Self {
        Self {
            workload: workload_status(namespace, owner, pods, length),
            newest_pod: pods.iter().filter_map(|proxy| proxy.created_at).max(),
        }
    }
}

/// The proxies of a mesh, by what they do.
#[derive(Default)]
struct Groups<'a> {
    up_to_date: i64,
    pending: BTreeMap<(&'a str, &'a PodOwner), Vec<&'a Proxy>>,
    skipped: BTreeMap<&'static str, Vec<&'a Proxy>>,
    silenced: BTreeMap<TelemetryDecision, Vec<&'a Proxy>>,
    hidden: BTreeMap<&'a ObjectName, Vec<&'a Proxy>>,
    services: BTreeSet<(AttachedService, Vec<ObjectName>)>,
}

/// What decides whether the proxies of a mesh send to the collector.
#[derive(Clone, Copy, Debug)]
struct ProxyContext<'a> {
    address: &'a str,
    /// The namespace of the collector's Service.
    namespace: &'a str,
    telemetries: &'a [Telemetry],
    sidecars: &'a [Sidecar],
    lengths: ListLengths,
}

/// Judges the proxies of a mesh, and lists some or all of them. Sidecars decide nothing where the switch of mesh config wires it.
pub fn report(
    world: &World,
    settings: &OperatorSettings,
    mesh: &MeshSpec,
    assessments: &[Assessment],
    address: &str,
    lengths: ListLengths,
) -> ReadResult<ProxiesReport> {
    let proxies = world.proxies.as_ref().map_err(Clone::clone)?;
    let is_by_provider = assessments.iter().any(|one| one.provider.is_some());
    let sidecars = match &world.sidecars {
        Err(error) if is_by_provider => return Err(error.clone()),
        Err(_) => &[],
        Ok(sidecars) => sidecars.as_slice(),
    };
    let context = ProxyContext {
        address,
        namespace: &settings.namespace,
        telemetries: world.telemetries.as_ref().map_err(Clone::clone)?,
        sidecars,
        lengths,
    };
    let mut groups = Groups::default();
    for proxy in proxies.iter().filter(|proxy| !proxy.is_ending) {
        if let Some(assessment) = assessment_of(proxy, mesh, assessments) {
            groups.add(proxy, assessment, &context);
        }
    }
    Ok(groups.report(&context))
}

impl<'a> Groups<'a> {
    fn add(&mut self, proxy: &'a Proxy, assessment: &Assessment, context: &ProxyContext<'a>) {
        // A provider reaches each proxy at once.
        let has_address = assessment.provider.is_some() || proxy.address.as_deref() == Some(context.address);
        let reason = if proxy.proxyless {
            Some(PROXYLESS)
        } else {
            skip_reason(proxy, assessment).filter(|_| !has_address)
        };
        if let Some(reason) = reason {
            self.skipped.entry(reason).or_default().push(proxy);
            return;
        }
        let telemetries = Telemetries {
            all: context.telemetries,
            mesh: assessment.mesh.as_ref(),
            version: assessment.target.version,
            provider: assessment.provider.as_deref(),
        };
        if let Some(decision) = telemetries.decision(proxy) {
            self.silenced.entry(decision).or_default().push(proxy);
            return;
        }
        if let Some(sidecar) = hiding(proxy, assessment, context) {
            self.hidden.entry(&sidecar.name).or_default().push(proxy);
            return;
        }
        self.services.extend(telemetries.silenced_services(proxy));
        if has_address {
            self.up_to_date += 1;
        } else {
            let workload = (proxy.pod.namespace.as_str(), &proxy.owner);
            self.pending.entry(workload).or_default().push(proxy);
        }
    }

    fn report(self, context: &ProxyContext<'_>) -> ProxiesReport {
        let lengths = context.lengths;
        let waiting: i64 = self.pending.values().map(|pods| count(pods)).sum();
        let silent: i64 = self
            .silenced
            .values()
            .chain(self.hidden.values())
            .map(|pods| count(pods))
            .sum();
        let total = self.up_to_date + waiting + silent;
        let pending = self.pending.into_iter();
        let pending = pending
            .map(|((namespace, owner), pods)| PendingWorkload::of(namespace, owner, &pods, lengths.pods));
        let pending: Vec<PendingWorkload> = pending.collect();
        let workloads = pending.iter().map(|one| one.workload.clone());
        let silenced = self.silenced.into_iter();
        let silenced = silenced.map(|(decision, pods)| silenced_status(&decision, &pods, lengths.pods));
        let hidden = self.hidden.into_iter();
        let hidden = hidden.map(|(sidecar, pods)| hiding_sidecar_status(sidecar, &pods, context));
        let services = self.services.into_iter().take(lengths.workloads);
        let skipped = self.skipped.into_iter();
        let status = ProxiesStatus {
            summary: format!("{}/{total}", self.up_to_date),
            total,
            up_to_date: self.up_to_date,
            pending_restart: waiting,
            silent,
            workloads: most_affected(workloads.collect(), lengths, |one| one.pending),
            silenced: most_affected(silenced.collect(), lengths, |one| one.count),
            hiding_sidecars: most_affected(hidden.collect(), lengths, |one| one.count),
            silenced_services: services
                .map(|(service, telemetries)| silenced_service_status(service, &telemetries))
                .collect(),
            skipped: skipped
                .map(|(reason, pods)| skipped_status(reason, &pods))
                .collect(),
        };
        ProxiesReport { status, pending }
    }
}

/// The Sidecar that keeps a proxy from the collector. An address that the proxy was started with needs none of istiod's services.
fn hiding<'a>(proxy: &Proxy, assessment: &Assessment, context: &ProxyContext<'a>) -> Option<&'a Sidecar> {
    assessment.provider.as_ref()?;
    let (host, port) = host_and_port(context.address);
    let service = CollectorService {
        host,
        namespace: context.namespace,
        port,
    };
    let root_namespace = root_namespace(assessment.mesh.as_ref());
    hiding_sidecar(context.sidecars, root_namespace, proxy, service)
}

/// The items with the most pods, largest first, and no more than are to be listed.
fn most_affected<T>(mut list: Vec<T>, lengths: ListLengths, count: impl Fn(&T) -> i64) -> Vec<T> {
    list.sort_by_key(|one| std::cmp::Reverse(count(one)));
    list.truncate(lengths.workloads);
    list
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

fn workload_status(namespace: &str, owner: &PodOwner, pods: &[&Proxy], length: usize) -> WorkloadStatus {
    let mut names: Vec<String> = pods.iter().map(|proxy| proxy.pod.name.clone()).collect();
    names.sort();
    names.truncate(length);
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

fn silenced_status(decision: &TelemetryDecision, pods: &[&Proxy], length: usize) -> SilencedStatus {
    SilencedStatus {
        telemetries: decision.telemetries.iter().map(ToString::to_string).collect(),
        calls: match decision.calls {
            None => String::new(),
            Some(CallDirection::Incoming) => "incoming".to_owned(),
            Some(CallDirection::Outgoing) => "outgoing".to_owned(),
        },
        count: count(pods),
        pods: some_pods(pods, length),
    }
}

fn hiding_sidecar_status(
    sidecar: &ObjectName,
    pods: &[&Proxy],
    context: &ProxyContext<'_>,
) -> HidingSidecarStatus {
    HidingSidecarStatus {
        sidecar: sidecar.to_string(),
        host: format!("{}/*", context.namespace),
        count: count(pods),
        pods: some_pods(pods, context.lengths.pods),
    }
}

/// The names of some of the pods, sorted.
fn some_pods(pods: &[&Proxy], length: usize) -> Vec<String> {
    let mut names: Vec<String> = pods.iter().map(|proxy| proxy.pod.to_string()).collect();
    names.sort();
    names.truncate(length);
    names
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
