//! What holds for any bytes as the identifier of a stream. The fuzz target includes this file too.

use als_proto::Message;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::interner::Symbol;
use alscope_analysis::node::Node;
use alscope_analysis::peer::Peer;
use alscope_analysis::role::Role;
use prost::Message as _;

use super::stands_in::stands_in;
use super::struct_law::expected;

/// An identifier in any bytes is read or refused; where prost accepts it, the node is the one that prost's says.
pub(crate) fn check(bytes: &[u8]) {
    // StreamAccessLogsMessage.identifier
    let mut message = vec![1 << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut message).expect("a vector grows");
    message.extend_from_slice(bytes);
    let message = Message::read(&message).expect("one field");
    let registry = Registry::default();
    let identifier = message
        .identifier()
        .map(|identifier| identifier.expect("it is there"));
    let node = identifier.and_then(|identifier| Node::identify(&identifier, &registry));
    if let Some(peer) = node.as_ref().ok().and_then(Node::own_peer) {
        stands_in(bytes, &peer);
    }
    if let Ok(identifier) = Identifier::decode(bytes) {
        compare(
            &node.expect("prost accepts the identifier"),
            identifier,
            &registry,
        );
    }
}

fn compare(read: &Node, identifier: Identifier, registry: &Registry) {
    let node = identifier.node.unwrap_or_default();
    let parts: Vec<&str> = node.id.split('~').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let role = match part(0) {
        "sidecar" => Role::Sidecar,
        "waypoint" => Role::Waypoint,
        _ => Role::Gateway,
    };
    assert_eq!(read.role, role);
    assert_eq!(read.own_address, part(1).parse().ok());
    let domain = part(3).split(".svc.").skip(1).collect::<Vec<_>>().join(".svc.");
    let is_named = part(3).contains(".svc.");
    assert_eq!(&*read.domain, if is_named { &domain } else { "cluster.local" });
    let Some(mut own) = expected(&node.metadata.unwrap_or_default()) else {
        return;
    };
    if let Some((name, namespace)) = part(2).rsplit_once('.') {
        for (text, other) in [(&mut own.name, name), (&mut own.namespace, namespace)] {
            if text.is_empty() {
                *text = other.into();
            }
        }
    }
    let cluster = match String::from_utf8_lossy(&own.cluster) {
        id if id.is_empty() => Symbol::UNKNOWN,
        id => registry.intern(&id),
    };
    assert_eq!(read.cluster, cluster);
    let labels = own.map(Vec::as_slice).labels().map(<[u8]>::len);
    assert_eq!(Some(read.longest_own_label), labels.into_iter().max());
    let own = Some(own).filter(|own| !own.canonical_service.is_empty());
    assert_eq!(
        read.own_peer()
            .map(|peer: Peer<&[u8]>| peer.map(|text| text.to_vec())),
        own
    );
}
