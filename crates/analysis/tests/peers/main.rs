//! Peers in any encoding are read as Istio means them, and what is no peer is none.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod encodings;
mod fall_backs;
mod flat_node_law;
mod flat_nodes;
mod hostile;
mod node_law;
mod objects;
mod properties;
mod stands_in;
mod struct_law;

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::{Entry, Message};
use alscope_analysis::peer::{Peer, Peers};
use prost::Message as _;
use prost_types::Any;

/// An entry's upstream and downstream peers.
type BothPeers = [Option<Peer<String>>; 2];

/// The peers of an entry whose filter state has these objects, sent in this order.
fn peers(objects: &[(&str, Any)]) -> BothPeers {
    let common: Vec<u8> = objects
        .iter()
        .flat_map(|(key, object)| {
            let filter_state_objects = [((*key).to_owned(), object.clone())].into();
            let common = AccessLogCommon {
                filter_state_objects,
                ..AccessLogCommon::default()
            };
            common.encode_to_vec()
        })
        .collect();
    let message = field(2, &field(1, &field(1, &common)));
    let message = Message::read(&message).unwrap();
    let http = |entry| {
        if let Ok(Entry::Http(entry)) = entry {
            Some(entry)
        } else {
            None
        }
    };
    let entry = message.entries().find_map(http).unwrap();
    let Some(common) = entry.common_properties() else {
        return [None, None];
    };
    let peers = Peers::read(common.filter_state_objects());
    [peers.upstream, peers.downstream].map(|peer| peer.map(owned))
}

fn owned(peer: Peer<&[u8]>) -> Peer<String> {
    peer.map(|text| String::from_utf8(text.to_vec()).unwrap())
}

/// A length-delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut field).unwrap();
    field.extend_from_slice(bytes);
    field
}

/// The peer that most tests describe.
fn reviews() -> Peer<String> {
    Peer {
        workload: "reviews-v1",
        namespace: "demo",
        name: "reviews-v1-7d9f-x",
        cluster: "Kubernetes",
        canonical_service: "reviews",
        canonical_revision: "v1",
        app: "reviews-app",
        version: "1.0",
        identity: "",
    }
    .map(|text| (*text).to_owned())
}
