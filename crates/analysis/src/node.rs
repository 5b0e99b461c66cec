//! The Envoy behind a stream, by the identifier that it sends once, in the first message.

use std::net::IpAddr;
use std::sync::Arc;

use crate::chain::{Analyzer, Chain};
use crate::interner::Symbol;
use crate::peer::Peer;
use crate::role::Role;

/// Bytes of a node id that are kept, to be shown.
pub const MAX_NODE_ID_BYTES: usize = 256;
/// How many labels of the longest allowed length may be kept of a node's own metadata.
pub const MAX_OWN_LABELS: usize = 4;
/// Bytes of the longest possible domain name (RFC 1035, 2.3.4). A longer one does not count as a domain.
pub const MAX_DOMAIN_BYTES: usize = 255;

/// The numbers that stand for a node in an identity's key, one for each combination of analyzers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeNumbers {
    /// For `k8s-mesh`, which looks addresses up.
    pub(crate) directory: u64,
    /// For `mx-mesh`, which reads what the node says about itself.
    pub(crate) own: u64,
    pub(crate) both: u64,
}

/// The node behind a stream.
#[derive(Clone, Debug)]
pub struct Node {
    /// The first [`MAX_NODE_ID_BYTES`] of the node's id.
    pub node_id: Box<[u8]>,
    /// Whether the node is a sidecar, a gateway or a waypoint.
    pub role: Role,
    /// The pod that the node claims to run in, as `namespace/name`, by the third part of Istio's node id.
    pub own_pod: Option<Box<str>>,
    /// The node's own address, the second part of Istio's node id.
    pub own_address: Option<IpAddr>,
    /// All of its addresses: [`Node::own_address`] first, then those in node metadata `INSTANCE_IPS`.
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
    /// The workload of the node by its metadata.
    pub(crate) own: Box<Peer<Box<[u8]>>>,
    /// Bytes of the longest label of [`Node::own_peer`].
    pub longest_own_label: usize,
    pub(crate) numbers: NodeNumbers,
}

impl Node {
    /// The same node without its own description, if that has more than `limit` bytes. An analyzer that needs the description then
    /// refuses the stream's entries, as if it were one label of so many bytes.
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

    /// The number that stands in an identity's key for everything that `chain` reads of the node.
    #[inline]
    pub fn number(&self, chain: Chain) -> u64 {
        match (chain.has(Analyzer::K8sMesh), chain.has(Analyzer::MxMesh)) {
            (true, true) => self.numbers.both,
            (_, false) => self.numbers.directory,
            (false, true) => self.numbers.own,
        }
    }

    /// The workload of the node by its metadata, if that names a workload or a service.
    pub fn own_peer(&self) -> Option<Peer<&[u8]>> {
        self.own.map(|text| &**text).named()
    }
}
