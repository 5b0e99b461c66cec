//! The entry of a connection, read as far as its identity.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::{Entry, Message};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::chain::Chain;
use alscope_analysis::identify::{CallerAddress, RawIdentity, peers};
use alscope_analysis::node::Node;
use prost::Message as _;

use crate::entry::*;

/// A message of the proxy with this node id, about one connection.
pub(crate) fn connection(node: &str, common: AccessLogCommon) -> Vec<u8> {
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier(node)),
        log_entries: Some(tcp(common, 0, 0)),
    };
    message.encode_to_vec()
}

/// What `read` makes of the node in a message and of the identity of the connection in it, for which `chain` asks.
pub(crate) fn read_identity<T>(
    message: &[u8],
    registry: &Registry,
    chain: Chain,
    authority: &str,
    read: impl FnOnce(&Node, &RawIdentity<'_>) -> T,
) -> T {
    let message = Message::read(message).unwrap();
    let node = Node::identify(&message.identifier().unwrap().unwrap(), registry).unwrap();
    let entry = message.entries().find_map(|entry| match entry {
        Ok(Entry::Tcp(entry)) => Some(entry),
        _ => None,
    });
    let entry = entry.unwrap();
    let common = entry.common_properties().unwrap();
    let peers = peers(chain, common);
    let identity = RawIdentity::new(common, CallerAddress::Direct, authority.as_bytes(), &peers);
    read(&node, &identity)
}
