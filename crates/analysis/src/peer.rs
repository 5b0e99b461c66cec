//! Who the ends of a call say they are: what Istio's proxies tell each other, read where it lies.
//!
//! In go the objects that Envoy logged of its filter state, or the metadata of a node; out come [`Peer`]s with Istio's fall-back
//! rules applied. Nothing allocates and nothing panics. What can't be read is no peer, and the entry counts all the same.

mod description;
mod filter_state;
pub mod flat_node;
pub mod key_bytes;
mod node_network;
mod token_text;

pub use filter_state::Peers;
pub use node_network::NodeNetwork;

/// A workload's proxy, as it describes itself. What it does not say is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer<Text> {
    /// The workload: label `service.istio.io/workload-name`, else its own field, else the name at the end of the owner's path.
    pub workload: Text,
    /// The workload's namespace.
    pub namespace: Text,
    /// The pod.
    pub name: Text,
    /// The cluster's id.
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
    /// The same peer with other texts.
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

    /// What metrics tell of the peer. The pod is not in it, so that all pods of a workload are the same to the identity cache.
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
