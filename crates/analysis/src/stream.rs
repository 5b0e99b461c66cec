//! What the rules keep of a stream's identifier: Envoy names its node once, in the first message.

use std::net::IpAddr;
use std::sync::Arc;

use als_proto::{Identifier, Malformed};

use crate::aggregate::registry::Registry;
use crate::analyze::role::Role;
use crate::identify::key::write_peer;
use crate::interner::Symbol;
use crate::peer::Peer;

/// Bytes of a node's id that are kept to be shown.
pub const NODE_ID: usize = 256;
/// Labels of the longest length that are kept of what a node says about itself: some are told by one text.
pub const OWN_LABELS: usize = 4;
/// Bytes of the longest domain that there can be (RFC 1035, 2.3.4); a longer one is none.
pub const DOMAIN: usize = 255;
/// The domain of a cluster that tells none.
const USUAL_DOMAIN: &str = "cluster.local";

/// The node behind a stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The beginning of the node's id.
    pub node_id: Box<[u8]>,
    /// What the node does in the mesh.
    pub role: Role,
    /// The node's own address, the second part of Istio's node id.
    pub own_address: Option<IpAddr>,
    /// Node metadata `CLUSTER_ID`; `unknown` when absent.
    pub cluster: Symbol,
    #[expect(dead_code, reason = "while a stream has the text, its symbol is no other's")]
    cluster_text: Arc<str>,
    /// The cluster's DNS domain, from the fourth part of Istio's node id.
    pub domain: Box<str>,
    /// What the node says about itself.
    own: Box<Peer<Box<[u8]>>>,
    /// Bytes of the longest label in it.
    pub longest_own_label: usize,
    /// The part of a memo's key that is the same for the whole stream: role, cluster, address and domain.
    pub memo_prefix: Box<[u8]>,
    /// The same for analyzers that ask what the node says about itself.
    pub own_memo_prefix: Box<[u8]>,
}

impl Stream {
    /// Reads the node of an identifier. Node ids of Istio are `type~address~pod.namespace~namespace.svc.domain`
    /// (istio `pkg/model` `ServiceNode`); any other id is a plain Envoy.
    pub fn identify(identifier: &Identifier<'_>, registry: &Registry) -> Result<Self, Malformed> {
        let node_id = String::from_utf8_lossy(identifier.node_id()).into_owned();
        let mut parts = node_id.split('~');
        let role = Role::from_node_type(parts.next().unwrap_or_default());
        let own_address = parts.next().and_then(|address| address.parse().ok());
        let domain = parts
            .nth(1)
            .and_then(|suffix| Some(suffix.split_once(".svc.")?.1))
            .filter(|domain| domain.len() <= DOMAIN)
            .unwrap_or(USUAL_DOMAIN);
        let own = Peer::in_node(identifier)?;
        let (cluster, cluster_text) = match own.cluster {
            b"" => (Symbol::UNKNOWN, Arc::default()),
            id => registry.intern_held(&String::from_utf8_lossy(id)),
        };
        let mut own_memo_prefix = Vec::new();
        write_peer(&mut own_memo_prefix, Some(&own));
        let beginning = identifier.node_id().iter().take(NODE_ID).copied();
        Ok(Stream {
            node_id: beginning.collect(),
            role,
            own_address,
            cluster,
            cluster_text,
            domain: domain.into(),
            longest_own_label: own.labels().map(<[u8]>::len).into_iter().max().unwrap_or(0),
            own: Box::new(own.map(|text| Box::from(*text))),
            memo_prefix: memo_prefix(role, cluster, own_address, domain).into(),
            own_memo_prefix: own_memo_prefix.into(),
        })
    }

    /// The same, but nothing of what the node says about itself if that is more than `limit` bytes. An analyzer that asks for it
    /// then refuses the stream's entries, as if it were one label of so many bytes.
    #[must_use]
    pub fn within(self, limit: usize) -> Self {
        let own = self.own.map(|text| &**text);
        let bytes = own.labels().map(<[u8]>::len).iter().sum::<usize>() + own.name.len();
        if bytes <= limit {
            return self;
        }
        Stream {
            own: Box::default(),
            longest_own_label: bytes,
            own_memo_prefix: Box::default(),
            ..self
        }
    }

    /// What the node says about itself, if that names a workload or a service.
    pub fn own_peer(&self) -> Option<Peer<&[u8]>> {
        self.own.map(|text| &**text).named()
    }
}

/// Short, because it is in each key: a worker knows thousands.
fn memo_prefix(role: Role, cluster: Symbol, own_address: Option<IpAddr>, domain: &str) -> Vec<u8> {
    let mut prefix = vec![role as u8];
    prefix.extend_from_slice(&cluster.number().to_le_bytes());
    let address = match own_address {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
    };
    let is_usual = domain == USUAL_DOMAIN;
    prefix.push(u8::from(is_usual));
    let domain = if is_usual { "" } else { domain };
    for part in [&address, domain.as_bytes()] {
        prefix.push(part.len() as u8);
        prefix.extend_from_slice(part);
    }
    prefix
}
