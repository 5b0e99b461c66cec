//! The rules that decide who stands at an end of a call. Each end of a counted call names the rule that decided it.

use crate::accounting::Unattributed;
use crate::chain::Analyzer;

/// A closed list of rules. Each has an id, the analyzer that it belongs to, and a reason if it leaves the end `unknown`.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $analyzer:ident $id:literal $(because $reason:ident)?,)+) => {
        /// The rule that decided who a party is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[$doc])* $rule,)+ }

        impl Rule {
            /// Every rule, in the order of the list.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// The rule's id in `tests/rules.txt`.
            pub fn id(self) -> &'static str {
                match self { $(Rule::$rule => $id,)+ }
            }

            /// The analyzer that the rule belongs to.
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
    /// A pod listens on the port of an address that it shares with others, such as its node's. The pod declares the port, or a
    /// slice names it.
    HostNetwork = K8sMesh "k8s-mesh/host-network",
    /// The address is an `endpoint_id`, which names the pod at the end of a tunnel.
    EndpointId = K8sMesh "k8s-mesh/endpoint-id",
    /// The reporting proxy is the pod that its node id names.
    OwnPod = K8sMesh "k8s-mesh/own-pod",
    /// The pod has another address of the reporting proxy.
    OwnAddress = K8sMesh "k8s-mesh/own-address",
    /// A caller on loopback is the reporting proxy's own pod.
    LoopbackCaller = K8sMesh "k8s-mesh/loopback-caller",
    /// The address is a Service's own (cluster or load-balancer) address.
    ServiceAddress = K8sMesh "k8s-mesh/service-address",
    /// The `EndpointSlices` of a Service name the address without a pod.
    EndpointWithoutPod = K8sMesh "k8s-mesh/endpoint-without-pod",
    /// A `ServiceEntry` names the address.
    ServiceEntryAddress = K8sMesh "k8s-mesh/service-entry-address",
    /// The address lies in a CIDR block of a `ServiceEntry`.
    ServiceEntryBlock = K8sMesh "directory/service-entry-block",
    /// The cluster names a host of a `ServiceEntry`.
    ServiceEntryHost = K8sMesh "k8s-mesh/service-entry-host",
    /// Nothing in the directory has the address.
    NotFound = K8sMesh "k8s-mesh/not-found" because NotFound,
    /// A node has the address, and no pod of the host network listens on the port.
    NodeAddress = K8sMesh "k8s-mesh/node-address" because NodeAddress,
    /// Several pods held the address when the call started.
    Ambiguous = K8sMesh "directory/ambiguous" because Ambiguous,
    /// The call started before anything that the directory remembers of the address.
    BeforeHistory = K8sMesh "directory/before-history" because BeforeHistory,
    /// The entry has no address for this end: a pipe, or nothing.
    NoAddress = K8sMesh "k8s-mesh/no-address" because NoAddress,
    /// The proxy reached no upstream.
    NoUpstream = K8sMesh "k8s-mesh/no-upstream" because NoAddress,
    /// The metadata of the reporting proxy's node describes the party.
    OwnNode = MxMesh "mx-mesh/own-node",
    /// The downstream peer in the filter state describes the party.
    DownstreamPeer = MxMesh "mx-mesh/downstream-peer",
    /// The upstream peer in the filter state describes the party.
    UpstreamPeer = MxMesh "mx-mesh/upstream-peer",
    /// No metadata of the proxy at this end reached the reporting proxy.
    NoPeer = MxMesh "mx-mesh/no-peer" because NotFound,
    /// There is no peer because the proxy reached no upstream.
    NoUpstreamPeer = MxMesh "mx-mesh/no-upstream" because NoAddress,
}

impl From<Unattributed> for Rule {
    /// The rule by which the directory leaves an end `unknown` for this reason.
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
