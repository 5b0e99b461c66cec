//! Finds the peers among the objects of an entry's filter state, in each encoding that Istio has used.

use als_proto::{FilterStateObject, FilterStateObjects, wrapped_bytes};

use super::{Peer, flat_node, token_text};

/// The keys of `common_properties.filter_state_objects` that hold the upstream peer, by precedence: of Istio 1.24 and later, of
/// 1.29 and later, of 1.6 to 1.23, of 1.5.
const UPSTREAM_KEYS: [&[u8]; 4] = [
    b"upstream_peer",
    b"upstream_peer_obj",
    b"wasm.upstream_peer",
    b"envoy.wasm.metadata_exchange.upstream",
];

/// The keys that hold the downstream peer, in the same order.
const DOWNSTREAM_KEYS: [&[u8]; 4] = [
    b"downstream_peer",
    b"downstream_peer_obj",
    b"wasm.downstream_peer",
    b"envoy.wasm.metadata_exchange.downstream",
];

/// The peers that an entry names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peers<'a> {
    /// The workload that the proxy called.
    pub upstream: Option<Peer<&'a [u8]>>,
    /// The workload that called the proxy.
    pub downstream: Option<Peer<&'a [u8]>>,
}

impl<'a> Peers<'a> {
    /// Reads the peers in `common_properties.filter_state_objects`, in whatever order its keys come. Of several keys for one peer
    /// the first counts, in the order of the lists above, that can be read and names a workload or a service.
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

/// Puts the object into the slot of its key. Of a repeated key the last object counts.
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

/// The peer in an object, by the object's type (envoy `grpc_access_log_utils`): messages are packed as they are, bytes and strings
/// in wrappers.
fn peer<'a>(object: &FilterStateObject<'a>) -> Option<Peer<&'a [u8]>> {
    let is = |name: &[u8]| object.is_of_type(name);
    if is(b"google.protobuf.Struct") {
        Peer::in_struct(object.value)
    } else if is(b"google.protobuf.BytesValue") || is(b"google.protobuf.StringValue") {
        in_bytes(wrapped_bytes(object.value).ok()?)
    } else {
        None
    }
}

/// The peer in bytes, which are a `FlatNode`, a serialised `Struct` or text. The first bytes tell which. A struct starts with the
/// key of its fields, 0x0a. A `FlatNode` starts with the offset of its table: a multiple of four, so never 0x0a, and below 16 MiB,
/// so its fourth byte is 0, which no text has.
fn in_bytes(bytes: &[u8]) -> Option<Peer<&[u8]>> {
    match bytes {
        [0x0a, ..] => Peer::in_struct(bytes),
        [_, _, _, 0, ..] => flat_node::read(bytes),
        _ => token_text::read(bytes),
    }
}
