//! Reads who the workloads at both ends of a call are by their own word, as Istio's proxies tell each other.
//!
//! The input is the filter state that Envoy logged, or the metadata of a node. The output is [`Peer`]s with Istio's fall-back rules
//! applied. Reading neither allocates nor panics. A peer that can't be read is missing; the entry counts all the same.

mod description;
mod filter_state;
pub mod flat_node;
pub mod key_bytes;
mod node_network;
mod token_text;

pub use filter_state::Peers;
pub use node_network::NodeNetwork;

/// A workload as its proxy describes it. A field that the proxy does not send is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer<Text> {
    /// The workload: label `service.istio.io/workload-name`, else its own field, else the name at the end of the owner's path.
    pub workload: Text,
    /// The workload's namespace.
    pub namespace: Text,
    /// The name of the pod.
    pub name: Text,
    /// The id of the cluster (`CLUSTER_ID`).
    pub cluster: Text,
    /// Istio's canonical service: its own field or label, else the app, else the workload.
    pub canonical_service: Text,
    /// Istio's canonical revision: its own field or label, else the version, else `latest`.
    pub canonical_revision: Text,
    /// The app: its own field, else label `app.kubernetes.io/name`, else `app`.
    pub app: Text,
    /// The version: its own field, else label `app.kubernetes.io/version`, else `version`.
    pub version: Text,
    /// The SPIFFE identity; only peers that Istio 1.25 and later knows from workload discovery have one.
    pub identity: Text,
}

impl<Text> Peer<Text> {
    /// The same peer with each text converted.
    pub fn map<'a, Other>(&'a self, mut text: impl FnMut(&'a Text) -> Other) -> Peer<Other> {
        Peer {
            workload: text(&self.workload),
            namespace: text(&self.namespace),
            name: text(&self.name),
            cluster: text(&self.cluster),
            canonical_service: text(&self.canonical_service),
            canonical_revision: text(&self.canonical_revision),
            app: text(&self.app),
            version: text(&self.version),
            identity: text(&self.identity),
        }
    }
}

impl<'a> Peer<&'a [u8]> {
    /// The peer, if it names a workload or a service.
    pub fn named(self) -> Option<Self> {
        (!self.canonical_service.is_empty()).then_some(self)
    }

    /// The labels that metrics have of the peer. The pod is not among them, so all pods of a workload share one identity in the
    /// cache.
    pub fn labels(&self) -> [&'a [u8]; 8] {
        [
            self.workload,
            self.namespace,
            self.cluster,
            self.canonical_service,
            self.canonical_revision,
            self.app,
            self.version,
            self.identity,
        ]
    }
}
