//! The rules that say who stands at one end of a call, or that nobody certain does: each end of a counted call has one.

use crate::accounting::Unattributed;
use crate::chain::Analyzer;

/// The closed list: each rule has an id, an analyzer that asks for it, and a reason if it leaves the end unknown.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $analyzer:ident $id:literal $(because $reason:ident)?,)+) => {
        /// Why a party is who it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[$doc])* $rule,)+ }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// The rule's id in the list of rules that tests prove.
            pub fn id(self) -> &'static str {
                match self { $(Rule::$rule => $id,)+ }
            }

            /// The analyzer whose rule it is.
            pub fn analyzer(self) -> Analyzer {
                match self { $(Rule::$rule => Analyzer::$analyzer,)+ }
            }

            /// Why the party is unknown, if this rule leaves it so.
            pub fn unattributed(self) -> Option<Unattributed> {
                match self { $(Rule::$rule => rules!(@reason $($reason)?),)+ }
            }
        }
    };
    (@reason $reason:ident) => { Some(Unattributed::$reason) };
    (@reason) => { None };
}

rules! {
    /// A pod had the address when the call started.
    PodAddress = K8sMesh "k8s-mesh/pod-address",
    /// A `WorkloadEntry` has the address.
    WorkloadEntry = K8sMesh "k8s-mesh/workload-entry",
    /// A pod listens on the port of an address that it shares with others: of its node, by the port that it declares or by a slice.
    HostNetwork = K8sMesh "k8s-mesh/host-network",
    /// The address stands in an `endpoint_id`: the pod at the end of a tunnel.
    EndpointId = K8sMesh "k8s-mesh/endpoint-id",
    /// The reporting proxy is the pod that its node id names.
    OwnPod = K8sMesh "k8s-mesh/own-pod",
    /// Another of the reporting proxy's addresses is the pod's.
    OwnAddress = K8sMesh "k8s-mesh/own-address",
    /// A caller on loopback is the reporting proxy's own pod.
    LoopbackCaller = K8sMesh "k8s-mesh/loopback-caller",
    /// A Service's own (cluster or load-balancer) address.
    ServiceAddress = K8sMesh "k8s-mesh/service-address",
    /// An address without a pod that the `EndpointSlices` of a Service name.
    EndpointWithoutPod = K8sMesh "k8s-mesh/endpoint-without-pod",
    /// A single address of a `ServiceEntry`.
    ServiceEntryAddress = K8sMesh "k8s-mesh/service-entry-address",
    /// An address within a CIDR block of a `ServiceEntry`.
    ServiceEntryBlock = K8sMesh "directory/service-entry-block",
    /// The host that the cluster names is one of a `ServiceEntry`.
    ServiceEntryHost = K8sMesh "k8s-mesh/service-entry-host",
    /// Nothing in the directory has the address.
    NotFound = K8sMesh "k8s-mesh/not-found" because NotFound,
    /// A node has the address, and no pod of the host network listens on the port.
    NodeAddress = K8sMesh "k8s-mesh/node-address" because NodeAddress,
    /// Several pods held the address when the call started.
    Ambiguous = K8sMesh "directory/ambiguous" because Ambiguous,
    /// The call started before anything that is remembered of the address.
    BeforeHistory = K8sMesh "directory/before-history" because BeforeHistory,
    /// The entry has no address for this end: a pipe, or nothing.
    NoAddress = K8sMesh "k8s-mesh/no-address" because NoAddress,
    /// The proxy reached no upstream.
    NoUpstream = K8sMesh "k8s-mesh/no-upstream" because NoAddress,
    /// The reporting proxy's own node, by its metadata.
    OwnNode = MxMesh "mx-mesh/own-node",
    /// The downstream's peer in the filter state.
    DownstreamPeer = MxMesh "mx-mesh/downstream-peer",
    /// The upstream's peer in the filter state.
    UpstreamPeer = MxMesh "mx-mesh/upstream-peer",
    /// The proxy at this end described itself to nobody.
    NoPeer = MxMesh "mx-mesh/no-peer" because NotFound,
    /// There is no peer because the proxy reached no upstream.
    NoUpstreamPeer = MxMesh "mx-mesh/no-upstream" because NoAddress,
}

impl From<Unattributed> for Rule {
    /// The rule by which the directory answers that it does not know.
    fn from(reason: Unattributed) -> Self {
        match reason {
            Unattributed::NotFound => Rule::NotFound,
            Unattributed::NodeAddress => Rule::NodeAddress,
            Unattributed::Ambiguous => Rule::Ambiguous,
            Unattributed::NoAddress => Rule::NoAddress,
            Unattributed::BeforeHistory => Rule::BeforeHistory,
        }
    }
}
