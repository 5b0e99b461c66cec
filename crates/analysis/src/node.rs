//! What the rules keep of a stream's identifier: Envoy names its node once, in the first message.

use std::net::IpAddr;
use std::sync::Arc;

use als_proto::{Identifier, Malformed};

use crate::aggregate::registry::Registry;
use crate::chain::{Analyzer, Chain};
use crate::directory::records::qualified;
use crate::identify::key::write_peer;
use crate::interner::Symbol;
use crate::peer::{NodeNetwork, Peer};
use crate::role::Role;

/// Bytes of a node's id that are kept to be shown.
pub const NODE_ID: usize = 256;
/// Labels of the longest length that are kept of what a node says about itself: some are told by one text.
pub const OWN_LABELS: usize = 4;
/// Bytes of the longest domain that there can be (RFC 1035, 2.3.4); a longer one is none.
pub const DOMAIN: usize = 255;
/// Bytes of the longest namespace that there can be, a DNS label (RFC 1035, 2.3.4).
const NAMESPACE: usize = 63;
/// Bytes of the longest namespace and name of a pod that there can be, and a slash between.
const POD_NAME: usize = 63 + 1 + 253;
/// Bytes of the longest name of a network: it is a label's value.
const NETWORK: usize = 63;
/// Addresses that are kept of a node: one of each family, and some of further networks.
const ADDRESSES: usize = 8;
/// The domain of a cluster that tells none.
const USUAL_DOMAIN: &str = "cluster.local";

/// What stands for a node in an identity cache's key: the number of all that a chain asks of it.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    /// Of analyzers that look addresses up.
    directory: u64,
    /// Of those that ask what the node says about itself.
    own: u64,
    both: u64,
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
    cluster_text: Arc<str>,
    /// The node's namespace, from the fourth part of Istio's node id; empty when absent.
    pub namespace: Box<str>,
    /// The cluster's DNS domain, from the same part.
    pub domain: Box<str>,
    /// What the node says about itself.
    own: Box<Peer<Box<[u8]>>>,
    /// Bytes of the longest label in it.
    pub longest_own_label: usize,
    numbers: Numbers,
}

impl Node {
    /// Reads the node of an identifier. Node ids of Istio are `type~address~pod.namespace~namespace.svc.domain`
    /// (istio `pkg/model` `ServiceNode`); any other id is a plain Envoy.
    pub fn identify(identifier: &Identifier<'_>, registry: &Registry) -> Result<Self, Malformed> {
        Node::read(identifier, registry, true)
    }

    /// The same for chains that look addresses up and ask for nothing that the node says about itself: that is not kept.
    pub fn identify_for_directory(
        identifier: &Identifier<'_>,
        registry: &Registry,
    ) -> Result<Self, Malformed> {
        Node::read(identifier, registry, false)
    }

    fn read(identifier: &Identifier<'_>, registry: &Registry, is_own_asked: bool) -> Result<Self, Malformed> {
        let node_id = String::from_utf8_lossy(identifier.node_id()).into_owned();
        let mut parts = node_id.split('~');
        let role = Role::from_node_type(parts.next().unwrap_or_default());
        let own_address = parts.next().and_then(|address| address.parse().ok());
        let own_pod = parts.next().and_then(qualified_pod);
        let (namespace, domain) = parts
            .next()
            .and_then(|suffix| suffix.split_once(".svc."))
            .filter(|(namespace, domain)| namespace.len() <= NAMESPACE && domain.len() <= DOMAIN)
            .unwrap_or(("", USUAL_DOMAIN));
        let own = Peer::in_node(identifier)?;
        let (cluster, cluster_text) = match own.cluster {
            b"" => (Symbol::UNKNOWN, Arc::default()),
            id => registry.intern_held(&String::from_utf8_lossy(id)),
        };
        let network = NodeNetwork::of(identifier)?;
        let own_network = std::str::from_utf8(network.name).ok();
        let own_network = own_network
            .filter(|name| name.len() <= NETWORK)
            .unwrap_or_default();
        let own_addresses = own_addresses(own_address, network.addresses);
        let words = words(role, &cluster_text, &own_addresses, (namespace, domain));
        let own = if is_own_asked { own } else { Peer::default() };
        let asked = is_own_asked.then_some(&own);
        let numbers = numbers(registry, &words, (own_pod.as_deref(), own_network), asked);
        let beginning = identifier.node_id().iter().take(NODE_ID).copied();
        Ok(Node {
            node_id: beginning.collect(),
            role,
            network: own_network.into(),
            own_pod,
            own_address,
            own_addresses,
            cluster,
            cluster_text,
            namespace: namespace.into(),
            domain: domain.into(),
            longest_own_label: own.labels().map(<[u8]>::len).into_iter().max().unwrap_or(0),
            own: Box::new(own.map(|text| Box::from(*text))),
            numbers,
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

/// `namespace/name` of the pod in `name.namespace`: names of pods may have dots, those of namespaces have none.
fn qualified_pod(pod: &str) -> Option<Box<str>> {
    let (name, namespace) = pod.rsplit_once('.')?;
    let qualified = qualified(namespace, name);
    let is_name = !name.is_empty() && !namespace.is_empty() && qualified.len() <= POD_NAME;
    is_name.then(|| qualified.into())
}

fn own_addresses(own: Option<IpAddr>, others: &[u8]) -> Box<[IpAddr]> {
    let others = others.split(|byte| *byte == b',');
    let others = others.filter_map(|other| std::str::from_utf8(other.trim_ascii()).ok()?.parse().ok());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in own.into_iter().chain(others.take(ADDRESSES)) {
        let address = address.to_canonical();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(ADDRESSES);
    addresses.into()
}

/// What any chain asks of a node.
fn words(role: Role, cluster: &str, own_addresses: &[IpAddr], (namespace, domain): (&str, &str)) -> Vec<u8> {
    let mut words = vec![role as u8, own_addresses.len() as u8];
    for address in own_addresses {
        match address {
            IpAddr::V4(address) => write_part(&mut words, &address.octets()),
            IpAddr::V6(address) => write_part(&mut words, &address.octets()),
        }
    }
    for text in [namespace, domain, cluster] {
        write_part(&mut words, text.as_bytes());
    }
    words
}

fn numbers(
    registry: &Registry,
    words: &[u8],
    (own_pod, network): (Option<&str>, &str),
    own: Option<&Peer<&[u8]>>,
) -> Numbers {
    let mut directory = words.to_vec();
    write_part(&mut directory, network.as_bytes());
    write_part(&mut directory, own_pod.unwrap_or_default().as_bytes());
    let number = registry.node_number(&directory);
    let Some(own) = own else {
        return Numbers {
            directory: number,
            own: number,
            both: number,
        };
    };
    let [of_own, both] = [words, &directory].map(|words| {
        let mut words = words.to_vec();
        write_peer(&mut words, Some(own));
        registry.node_number(&words)
    });
    Numbers {
        directory: number,
        own: of_own,
        both,
    }
}

/// Writes a part behind its length.
fn write_part(words: &mut Vec<u8>, part: &[u8]) {
    words.extend_from_slice(&(part.len() as u32).to_le_bytes());
    words.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_which_only_the_directory_is_asked_takes_one_number() {
        let registry = Registry::default();
        let number = |words: &[u8]| registry.node_number(words);
        let first = number(b"first");
        numbers(&registry, b"a", (None, ""), None);
        let second = number(b"second");
        numbers(&registry, b"b", (None, ""), Some(&Peer::default()));
        assert_eq!([second - first, number(b"third") - second], [2, 4]);
    }
}
