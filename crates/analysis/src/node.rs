//! What the rules keep of a stream's identifier: Envoy names its node once, in the first message.

use std::net::IpAddr;
use std::sync::Arc;

use crate::chain::{Analyzer, Chain};
use crate::interner::Symbol;
use crate::peer::Peer;
use crate::role::Role;

/// Bytes of a node's id that are kept to be shown.
pub const MAX_NODE_ID_BYTES: usize = 256;
/// Labels of the longest length that are kept of what a node says about itself: some are told by one text.
pub const MAX_OWN_LABELS: usize = 4;
/// Bytes of the longest domain that there can be (RFC 1035, 2.3.4); a longer one is none.
pub const MAX_DOMAIN_BYTES: usize = 255;

/// What stands for a node in an identity cache's key: the number of all that a chain asks of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeNumbers {
    /// Of analyzers that look addresses up.
    pub(crate) directory: u64,
    /// Of those that ask what the node says about itself.
    pub(crate) own: u64,
    pub(crate) both: u64,
}

/// The node behind a stream.
#[derive(Clone, Debug)]
pub struct Node {
    /// The beginning of the node's id.
    pub node_id: Box<[u8]>,
    /// What the node does in the mesh.
    pub role: Role,
    /// The pod that the node says it is in, as `namespace/name`, by the third part of Istio's node id.
    pub own_pod: Option<Box<str>>,
    /// The node's own address, the second part of Istio's node id.
    pub own_address: Option<IpAddr>,
    /// All of its addresses, that one first, then those in node metadata `INSTANCE_IPS`.
    pub own_addresses: Box<[IpAddr]>,
    /// Node metadata `NETWORK`; empty when absent.
    pub network: Box<str>,
    /// Node metadata `CLUSTER_ID`; `unknown` when absent.
    pub cluster: Symbol,
    #[expect(dead_code, reason = "while a node has the text, its symbol is no other's")]
    pub(crate) cluster_text: Arc<str>,
    /// The node's namespace, from the fourth part of Istio's node id; empty when absent.
    pub namespace: Box<str>,
    /// The cluster's DNS domain, from the same part.
    pub domain: Box<str>,
    /// What the node says about itself.
    pub(crate) own: Box<Peer<Box<[u8]>>>,
    /// Bytes of the longest label in it.
    pub longest_own_label: usize,
    pub(crate) numbers: NodeNumbers,
}

impl Node {
    /// The same, but nothing of what the node says about itself if that is more than `limit` bytes. An analyzer that asks for it
    /// then refuses the stream's entries, as if it were one label of so many bytes.
    #[must_use]
    pub fn within(self, limit: usize) -> Self {
        let own = self.own.map(|text| &**text);
        let bytes = own.labels().map(<[u8]>::len).iter().sum::<usize>() + own.name.len();
        if bytes <= limit {
            return self;
        }
        Node {
            own: Box::default(),
            longest_own_label: bytes,
            ..self
        }
    }

    /// What stands in an identity cache's key for all that `chain` asks of the node.
    #[inline]
    pub fn number(&self, chain: Chain) -> u64 {
        match (chain.has(Analyzer::K8sMesh), chain.has(Analyzer::MxMesh)) {
            (true, true) => self.numbers.both,
            (_, false) => self.numbers.directory,
            (false, true) => self.numbers.own,
        }
    }

    /// What the node says about itself, if that names a workload or a service.
    pub fn own_peer(&self) -> Option<Peer<&[u8]>> {
        self.own.map(|text| &**text).named()
    }
}
