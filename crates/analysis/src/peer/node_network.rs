//! The network addresses of a node, by its metadata.

use als_proto::{Identifier, Malformed, StructValue};

/// The addresses and the network of a proxy by its node metadata (istio `pkg/model` `NodeMetadata`). An absent field is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeNetwork<'a> {
    /// `INSTANCE_IPS`: the addresses of the proxy, separated by commas.
    pub addresses: &'a [u8],
    /// `NETWORK`: Istio's name of the network in which these addresses are.
    pub name: &'a [u8],
}

impl<'a> NodeNetwork<'a> {
    /// Reads both fields from the metadata of a stream's node.
    pub fn of(identifier: &Identifier<'a>) -> Result<Self, Malformed> {
        let mut network = NodeNetwork::default();
        identifier.visit_metadata(|name, value| match (name, value) {
            (b"INSTANCE_IPS", StructValue::String(text)) => network.addresses = text,
            (b"NETWORK", StructValue::String(text)) => network.name = text,
            _ => {}
        })?;
        Ok(network)
    }
}
