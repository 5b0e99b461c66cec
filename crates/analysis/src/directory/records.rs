//! The watched objects, reduced to what identity needs. Every source of the directory makes these.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::cidr_block::CidrBlock;
use super::parties::Port;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;

/// A Pod, or a `WorkloadEntry`: a party as a pod is, whose address and ports the object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`: a pod that comes back under its old name is another pod.
    pub uid: String,
    /// `metadata.labels`: selectors may ask for any. A `WorkloadEntry`'s count before those in its `spec`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, only what naming rules read.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is a `WorkloadEntry`.
    pub is_workload_entry: bool,
    /// Istio's network: label `topology.istio.io/network`, `spec.network` of a `WorkloadEntry`; empty where it is not told.
    pub network: String,
    /// `spec.ports` of a `WorkloadEntry`: where it listens for the ports of these names.
    pub named_ports: BTreeMap<String, u16>,
    /// `metadata.ownerReferences` with `controller: true`.
    pub controller: Option<Controller>,
    /// Whether `metadata.generateName` is set: a controller made the pod by a template.
    pub is_generated: bool,
    /// `status.podIPs`; `spec.address` of a `WorkloadEntry`, if it is an IP address.
    pub addresses: Vec<IpAddr>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `ports[].containerPort` over TCP of containers and native sidecars, only of host-network pods.
    pub ports: Vec<u16>,
    /// `status.startTime`; `metadata.creationTimestamp` of a `WorkloadEntry`.
    pub started: Option<Moment>,
    /// From when on it certainly had its addresses; `None` where nothing says so.
    pub addressed: Option<Moment>,
    /// `metadata.deletionTimestamp`: when it is to be gone, its grace included.
    pub leaves: Option<Moment>,
    /// The last container's `finishedAt` when none will run again: `status.phase` is terminal, or the pod is being deleted.
    pub finished: Option<Moment>,
}

/// The workloads that an object selects by their labels, and where they listen for its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// `spec.selector` of a Service, `spec.workloadSelector.labels` of a `ServiceEntry`; never empty.
    pub labels: BTreeMap<String, String>,
    /// `spec.ports`.
    pub ports: Vec<SelectedPort>,
}

/// A port for which selected workloads listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedPort {
    /// The name under which a workload may say where.
    pub name: String,
    /// Where those that do not say it listen, if they do at all.
    pub target: Option<u16>,
    /// What the port speaks.
    pub protocol: PortProtocol,
}

/// The controller that owns a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// `kind`.
    pub kind: String,
    /// `name`.
    pub name: String,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.labels`, only what naming rules read.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, only [`EXPORT_TO`](super::scope::EXPORT_TO) and what naming rules read.
    pub annotations: BTreeMap<String, String>,
    /// `spec.selector`, which selects `WorkloadEntries`, too; pods behind it are in its slices.
    pub selector: Option<Selector>,
    /// `spec.clusterIPs`, `spec.externalIPs` and `status.loadBalancer.ingress[].ip`.
    pub addresses: Vec<IpAddr>,
    /// `spec.ports`: those that callers use.
    pub ports: Vec<Port>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// An `EndpointSlice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSliceRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, which is the Service's too.
    pub namespace: String,
    /// Label `kubernetes.io/service-name`.
    pub service: String,
    /// `ports`: those that the endpoints listen on.
    pub ports: Vec<Port>,
    /// `endpoints` with a Pod, ready or not.
    pub pods: Vec<PodEndpoint>,
    /// `endpoints[].addresses` of endpoints without a Pod.
    pub addresses: Vec<IpAddr>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// An endpoint that a Pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEndpoint {
    /// `targetRef.uid`; where that is not told, namespace and name.
    pub target: String,
    /// One of `addresses`; `None` if the slice does not tell an IP address.
    pub address: Option<IpAddr>,
}

impl From<&str> for PodEndpoint {
    /// The Pod with this uid, at whatever address.
    fn from(uid: &str) -> Self {
        PodEndpoint {
            target: uid.to_owned(),
            address: None,
        }
    }
}

/// A Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// `metadata.name`.
    pub name: String,
    /// `status.addresses` that are IP addresses.
    pub addresses: Vec<IpAddr>,
}

/// Istio's `ServiceEntry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEntryRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.labels`, only what naming rules read.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, only what naming rules read.
    pub annotations: BTreeMap<String, String>,
    /// `spec.workloadSelector`.
    pub selector: Option<Selector>,
    /// `spec.hosts`, in the entry's order.
    pub hosts: Vec<String>,
    /// `spec.addresses` and `spec.endpoints[].address` that are IP addresses or CIDR blocks; none where `spec.resolution` asks
    /// DNS, because then the addresses are made up or anybody's.
    pub addresses: Vec<CidrBlock>,
    /// `spec.exportTo`: namespaces, `.` for its own, `*` for all, `~` for none; blank is all.
    pub export_to: Vec<String>,
    /// `spec.ports`.
    pub ports: Vec<Port>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// One object of any watched kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A Pod.
    Pod(PodRecord),
    /// A Service.
    Service(ServiceRecord),
    /// An `EndpointSlice`.
    EndpointSlice(EndpointSliceRecord),
    /// A Node.
    Node(NodeRecord),
    /// A `ServiceEntry`.
    ServiceEntry(ServiceEntryRecord),
    /// A `WorkloadEntry`.
    WorkloadEntry(PodRecord),
}

/// The watched kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Pods.
    Pod,
    /// Services.
    Service,
    /// `EndpointSlices`.
    EndpointSlice,
    /// Nodes.
    Node,
    /// Istio's `ServiceEntries`.
    ServiceEntry,
    /// Istio's `WorkloadEntries`.
    WorkloadEntry,
}

impl ObjectKind {
    /// Every kind; a source lists all of them before its directory is complete.
    pub const ALL: [ObjectKind; 6] = [
        ObjectKind::Pod,
        ObjectKind::Service,
        ObjectKind::EndpointSlice,
        ObjectKind::Node,
        ObjectKind::ServiceEntry,
        ObjectKind::WorkloadEntry,
    ];

    /// The kind's name in Kubernetes.
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Pod => "Pod",
            ObjectKind::Service => "Service",
            ObjectKind::EndpointSlice => "EndpointSlice",
            ObjectKind::Node => "Node",
            ObjectKind::ServiceEntry => "ServiceEntry",
            ObjectKind::WorkloadEntry => "WorkloadEntry",
        }
    }
}

/// What tells two objects apart: the uid of a Pod or a `WorkloadEntry`, the others' namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: ObjectKind,
    /// The identity within the kind.
    pub id: String,
}

impl Record {
    /// The object's key.
    pub fn key(&self) -> ObjectKey {
        match self {
            Record::Pod(pod) => ObjectKey {
                kind: ObjectKind::Pod,
                id: pod.uid.clone(),
            },
            Record::Service(service) => ObjectKey {
                kind: ObjectKind::Service,
                id: namespaced_name(&service.namespace, &service.name),
            },
            Record::EndpointSlice(slice) => ObjectKey {
                kind: ObjectKind::EndpointSlice,
                id: namespaced_name(&slice.namespace, &slice.name),
            },
            Record::Node(node) => ObjectKey {
                kind: ObjectKind::Node,
                id: node.name.clone(),
            },
            Record::ServiceEntry(entry) => ObjectKey {
                kind: ObjectKind::ServiceEntry,
                id: namespaced_name(&entry.namespace, &entry.name),
            },
            Record::WorkloadEntry(entry) => ObjectKey {
                kind: ObjectKind::WorkloadEntry,
                id: entry.uid.clone(),
            },
        }
    }
}

impl SelectedPort {
    /// Where a workload that says this of its ports listens (istio `serviceentry` conversion, kube `serviceTargetPort`).
    pub fn of(&self, named_ports: &BTreeMap<String, u16>) -> Option<u16> {
        named_ports.get(&self.name).copied().or(self.target)
    }
}

/// Namespace and name as one string, as Kubernetes writes it.
pub(crate) fn namespaced_name(namespace: &str, name: &str) -> String {
    [namespace, "/", name].concat()
}
