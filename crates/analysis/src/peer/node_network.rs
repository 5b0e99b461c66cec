//! Where a node says it is in the network.

use als_proto::{Identifier, Malformed, StructValue};

/// What node metadata says of a proxy's addresses (istio `pkg/model` `NodeMetadata`). What it does not say is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeNetwork<'a> {
    /// `INSTANCE_IPS`: the addresses of the proxy, with commas between.
    pub addresses: &'a [u8],
    /// `NETWORK`: Istio's name of the network in which these addresses are.
    pub name: &'a [u8],
}

impl<'a> NodeNetwork<'a> {
    /// What the node of a stream says.
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
