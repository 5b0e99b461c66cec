//! Which objects of an entry's filter state are peers, which of them counts, and how each is encoded.

use als_proto::{FilterStateObject, FilterStateObjects, wrapped_bytes};

use super::{Peer, flat_node, token_text};

/// The keys of `common_properties.filter_state_objects` that hold the upstream's peer, the one that wins first: of Istio 1.24 and
/// later, of 1.29 and later, of 1.6 to 1.23, of 1.5.
const UPSTREAM_KEYS: [&[u8]; 4] = [
    b"upstream_peer",
    b"upstream_peer_obj",
    b"wasm.upstream_peer",
    b"envoy.wasm.metadata_exchange.upstream",
];

/// The same for the downstream's peer.
const DOWNSTREAM_KEYS: [&[u8]; 4] = [
    b"downstream_peer",
    b"downstream_peer_obj",
    b"wasm.downstream_peer",
    b"envoy.wasm.metadata_exchange.downstream",
];

/// The peers that an entry names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peers<'a> {
    /// Whom the proxy called.
    pub upstream: Option<Peer<&'a [u8]>>,
    /// Who called the proxy.
    pub downstream: Option<Peer<&'a [u8]>>,
}

impl<'a> Peers<'a> {
    /// Reads the peers out of `common_properties.filter_state_objects`, whatever order its keys have. An entry with several
    /// spellings has one peer a side: the first that can be read and names somebody, in the order of the keys above.
    pub fn read(objects: FilterStateObjects<'a>) -> Self {
        let mut upstream = [None; 4];
        let mut downstream = [None; 4];
        for object in objects {
            let Ok(object) = object else { continue };
            keep(&mut upstream, UPSTREAM_KEYS, object);
            keep(&mut downstream, DOWNSTREAM_KEYS, object);
        }
        Peers {
            upstream: upstream.iter().flatten().find_map(peer),
            downstream: downstream.iter().flatten().find_map(peer),
        }
    }
}

/// Keeps the object at its key's place; of a key that occurs again the last object counts.
fn keep<'a>(
    places: &mut [Option<FilterStateObject<'a>>; 4],
    keys: [&[u8]; 4],
    object: FilterStateObject<'a>,
) {
    for (place, key) in places.iter_mut().zip(keys) {
        if object.key == key {
            *place = Some(object);
        }
    }
}

/// The type of the object decides (envoy `grpc_access_log_utils`): messages are packed as they are, bytes and strings wrapped.
fn peer<'a>(object: &FilterStateObject<'a>) -> Option<Peer<&'a [u8]>> {
    let is = |type_name: &[u8]| {
        let domain = object.type_url.strip_suffix(type_name);
        domain.is_some_and(|domain| matches!(domain, [] | [.., b'/']))
    };
    if is(b"google.protobuf.Struct") {
        Peer::in_struct(object.value)
    } else if is(b"google.protobuf.BytesValue") || is(b"google.protobuf.StringValue") {
        in_bytes(wrapped_bytes(object.value).ok()?)
    } else {
        None
    }
}

/// Bytes are a `FlatNode`, a serialised `Struct` or text; their beginnings differ. A struct starts with the key of its fields,
/// 0x0a. A `FlatNode` starts with the offset of its table, which is a multiple of four, so it can't be that key, and below
/// 16 MiB, so its fourth byte is 0, which no text has.
fn in_bytes(bytes: &[u8]) -> Option<Peer<&[u8]>> {
    match bytes {
        [0x0a, ..] => Peer::in_struct(bytes),
        [_, _, _, 0, ..] => flat_node::read(bytes),
        _ => token_text::read(bytes),
    }
}
