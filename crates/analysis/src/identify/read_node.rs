//! Reads the node of a stream. The registry gives it the symbol of its cluster and its numbers.

use std::net::IpAddr;
use std::sync::Arc;

use als_proto::{Identifier, Malformed};

use crate::aggregate::registry::Registry;
use crate::directory::records::namespaced_name;
use crate::interner::Symbol;
use crate::node::{MAX_DOMAIN_BYTES, MAX_NODE_ID_BYTES, Node, NodeNumbers};
use crate::peer::key_bytes::write_peer;
use crate::peer::{NodeNetwork, Peer};
use crate::role::Role;

/// Bytes of the longest possible namespace, a DNS label (RFC 1035, 2.3.4).
const MAX_NAMESPACE_BYTES: usize = 63;
/// Bytes of the longest possible `namespace/name` of a pod.
const MAX_QUALIFIED_POD_BYTES: usize = 63 + 1 + 253;
/// Bytes of the longest possible name of a network, which is the value of a label.
const MAX_NETWORK_BYTES: usize = 63;
/// How many addresses of a node are kept: one of each family, and some of further networks.
const MAX_ADDRESSES: usize = 8;
/// The domain of a cluster if the node id names none.
const DEFAULT_DOMAIN: &str = "cluster.local";

impl Node {
    /// Reads the node of an identifier. Node ids of Istio are `type~address~pod.namespace~namespace.svc.domain`
    /// (istio `pkg/model` `ServiceNode`); any other id is a plain Envoy.
    pub fn identify(identifier: &Identifier<'_>, registry: &Registry) -> Result<Self, Malformed> {
        Node::read(identifier, registry, true)
    }

    /// Reads the node for chains that only look addresses up. The description of the node itself is not kept.
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
        let own_pod = parts.next().and_then(namespaced_pod);
        let (namespace, domain) = parts
            .next()
            .and_then(|suffix| suffix.split_once(".svc."))
            .filter(|(namespace, domain)| {
                namespace.len() <= MAX_NAMESPACE_BYTES && domain.len() <= MAX_DOMAIN_BYTES
            })
            .unwrap_or(("", DEFAULT_DOMAIN));
        let own = Peer::in_node(identifier)?;
        let (cluster, cluster_text) = match own.cluster {
            b"" => (Symbol::UNKNOWN, Arc::default()),
            id => registry.intern_held(&String::from_utf8_lossy(id)),
        };
        let network = NodeNetwork::of(identifier)?;
        let own_network = std::str::from_utf8(network.name).ok();
        let own_network = own_network
            .filter(|name| name.len() <= MAX_NETWORK_BYTES)
            .unwrap_or_default();
        let own_addresses = own_addresses(own_address, network.addresses);
        let key = key(role, &cluster_text, &own_addresses, namespace, domain);
        let own = if is_own_asked { own } else { Peer::default() };
        let asked = is_own_asked.then_some(&own);
        let numbers = numbers(registry, &key, own_pod.as_deref(), own_network, asked);
        let beginning = identifier.node_id().iter().take(MAX_NODE_ID_BYTES).copied();
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
}

/// The `namespace/name` of the pod in `name.namespace`. Names of pods may have dots, those of namespaces have none.
fn namespaced_pod(pod: &str) -> Option<Box<str>> {
    let (name, namespace) = pod.rsplit_once('.')?;
    let qualified = namespaced_name(namespace, name);
    let is_name = !name.is_empty() && !namespace.is_empty() && qualified.len() <= MAX_QUALIFIED_POD_BYTES;
    is_name.then(|| qualified.into())
}

fn own_addresses(own: Option<IpAddr>, others: &[u8]) -> Box<[IpAddr]> {
    let others = others.split(|byte| *byte == b',');
    let others = others.filter_map(|other| std::str::from_utf8(other.trim_ascii()).ok()?.parse().ok());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in own.into_iter().chain(others.take(MAX_ADDRESSES)) {
        let address = address.to_canonical();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(MAX_ADDRESSES);
    addresses.into()
}

/// The key of a node as far as every chain reads it.
fn key(role: Role, cluster: &str, own_addresses: &[IpAddr], namespace: &str, domain: &str) -> Vec<u8> {
    let mut key = vec![role as u8, own_addresses.len() as u8];
    for address in own_addresses {
        match address {
            IpAddr::V4(address) => write_part(&mut key, &address.octets()),
            IpAddr::V6(address) => write_part(&mut key, &address.octets()),
        }
    }
    for text in [namespace, domain, cluster] {
        write_part(&mut key, text.as_bytes());
    }
    key
}

fn numbers(
    registry: &Registry,
    key: &[u8],
    own_pod: Option<&str>,
    network: &str,
    own: Option<&Peer<&[u8]>>,
) -> NodeNumbers {
    let mut directory = key.to_vec();
    write_part(&mut directory, network.as_bytes());
    write_part(&mut directory, own_pod.unwrap_or_default().as_bytes());
    let number = registry.node_number(&directory);
    let Some(own) = own else {
        return NodeNumbers {
            directory: number,
            own: number,
            both: number,
        };
    };
    let [of_own, both] = [key, &directory].map(|key| {
        let mut key = key.to_vec();
        write_peer(&mut key, Some(own));
        registry.node_number(&key)
    });
    NodeNumbers {
        directory: number,
        own: of_own,
        both,
    }
}

/// Writes the length of a part, then the part.
fn write_part(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&(part.len() as u32).to_le_bytes());
    key.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_which_only_the_directory_is_asked_takes_one_number() {
        let registry = Registry::default();
        let number = |key: &[u8]| registry.node_number(key);
        let first = number(b"first");
        numbers(&registry, b"a", None, "", None);
        let second = number(b"second");
        numbers(&registry, b"b", None, "", Some(&Peer::default()));
        assert_eq!([second - first, number(b"third") - second], [2, 4]);
    }
}
