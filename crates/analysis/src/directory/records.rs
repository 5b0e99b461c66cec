//! The watched objects, reduced to what the directory needs. Every source of the directory makes these records.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::cidr_block::CidrBlock;
use super::parties::Port;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;

/// A Pod or a `WorkloadEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`: a pod that comes back under its old name is another pod.
    pub uid: String,
    /// `metadata.labels`, all of them, because selectors may ask for any. Labels of a `WorkloadEntry` count before those in its
    /// `spec`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`, only what naming rules read.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is a `WorkloadEntry`.
    pub is_workload_entry: bool,
    /// Istio's network: label `topology.istio.io/network`, or `spec.network` of a `WorkloadEntry`; empty if it is not known.
    pub network: String,
    /// `spec.ports` of a `WorkloadEntry`: the ports that it listens on, by name.
    pub named_ports: BTreeMap<String, u16>,
    /// `metadata.ownerReferences` with `controller: true`.
    pub controller: Option<Controller>,
    /// Whether `metadata.generateName` is set, so that a controller made the pod by a template.
    pub is_generated: bool,
    /// `status.podIPs`; `spec.address` of a `WorkloadEntry`, if it is an IP address.
    pub addresses: Vec<IpAddr>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `ports[].containerPort` over TCP of containers and native sidecars, only of host-network pods.
    pub ports: Vec<u16>,
    /// `status.startTime`; `metadata.creationTimestamp` of a `WorkloadEntry`.
    pub started: Option<Moment>,
    /// When it certainly had its addresses; `None` if nothing says so.
    pub addressed: Option<Moment>,
    /// `metadata.deletionTimestamp`: when it is to be gone, including its grace period.
    pub leaves: Option<Moment>,
    /// The last container's `finishedAt` when none will run again: `status.phase` is terminal, or the pod is being deleted.
    pub finished: Option<Moment>,
}

/// A selector of workloads by their labels, and the ports that it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// `spec.selector` of a Service, `spec.workloadSelector.labels` of a `ServiceEntry`; never empty.
    pub labels: BTreeMap<String, String>,
    /// `spec.ports`.
    pub ports: Vec<SelectedPort>,
}

/// A port of a selecting object, for which the selected workloads listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedPort {
    /// The name by which a workload may set its own port.
    pub name: String,
    /// The port of the workloads that set none; `None` if those do not listen.
    pub target: Option<u16>,
    /// The protocol of the port.
    pub protocol: PortProtocol,
}

/// The controller that owns a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The `kind` of the controller, such as `ReplicaSet`.
    pub kind: String,
    /// The `name` of the controller.
    pub name: String,
}

/// A Kubernetes Service.
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
    /// `spec.selector`. It selects `WorkloadEntries`; the pods are in the Service's slices.
    pub selector: Option<Selector>,
    /// `spec.clusterIPs`, `spec.externalIPs` and `status.loadBalancer.ingress[].ip`.
    pub addresses: Vec<IpAddr>,
    /// `spec.ports`, which callers use.
    pub ports: Vec<Port>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// An `EndpointSlice` of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSliceRecord {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, also the namespace of the Service.
    pub namespace: String,
    /// Label `kubernetes.io/service-name`: the name of the Service.
    pub service: String,
    /// `ports`, on which the endpoints listen.
    pub ports: Vec<Port>,
    /// `endpoints` with a Pod, ready or not.
    pub pods: Vec<PodEndpoint>,
    /// `endpoints[].addresses` of endpoints without a Pod.
    pub addresses: Vec<IpAddr>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// An endpoint of a slice that is a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEndpoint {
    /// `targetRef.uid`; without one, `namespace/name`.
    pub target: String,
    /// One of `addresses`; `None` if the slice has no IP address.
    pub address: Option<IpAddr>,
}

impl From<&str> for PodEndpoint {
    /// The Pod with this uid, without an address.
    fn from(uid: &str) -> Self {
        PodEndpoint {
            target: uid.to_owned(),
            address: None,
        }
    }
}

/// A Kubernetes Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// `metadata.name`.
    pub name: String,
    /// `status.addresses` that are IP addresses.
    pub addresses: Vec<IpAddr>,
}

/// A `ServiceEntry` of Istio.
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
    /// `spec.addresses` and `spec.endpoints[].address` that are IP addresses or CIDR blocks. Empty where `spec.resolution` asks
    /// DNS, because then the addresses are made up or belong to anybody.
    pub addresses: Vec<CidrBlock>,
    /// `spec.exportTo`: namespaces, `.` for its own, `*` for all, `~` for none; empty means all.
    pub export_to: Vec<String>,
    /// `spec.ports`.
    pub ports: Vec<Port>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
}

/// One object of any watched kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A Pod, with what its labels and owners say.
    Pod(PodRecord),
    /// A Kubernetes Service.
    Service(ServiceRecord),
    /// An `EndpointSlice` of a Service.
    EndpointSlice(EndpointSliceRecord),
    /// A Kubernetes Node.
    Node(NodeRecord),
    /// A `ServiceEntry`.
    ServiceEntry(ServiceEntryRecord),
    /// A `WorkloadEntry`.
    WorkloadEntry(PodRecord),
}

/// The kinds of objects that a source watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Pods of all namespaces.
    Pod,
    /// Services of all namespaces.
    Service,
    /// `EndpointSlices`.
    EndpointSlice,
    /// Nodes of the cluster.
    Node,
    /// Istio's `ServiceEntries`.
    ServiceEntry,
    /// Istio's `WorkloadEntries`.
    WorkloadEntry,
}

impl ObjectKind {
    /// Every kind. A source lists all of them before its directory is complete.
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

/// The identity of an object: the uid of a Pod or a `WorkloadEntry`, else namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The uid, or `namespace/name`.
    pub id: String,
}

impl Record {
    /// The identity of the object.
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
    /// The port on which a workload with these named ports listens (istio `serviceentry` conversion, kube `serviceTargetPort`).
    pub fn port_in(&self, named_ports: &BTreeMap<String, u16>) -> Option<u16> {
        named_ports.get(&self.name).copied().or(self.target)
    }
}

/// `namespace/name`, as Kubernetes writes it.
pub(crate) fn namespaced_name(namespace: &str, name: &str) -> String {
    [namespace, "/", name].concat()
}
