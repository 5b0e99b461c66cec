//! Bytes that are not what they say: no peer, and nothing worse.

use alscope_analysis::peer::{Peer, flat_node};
use prost::Message as _;
use prost_types::Any;
use rstest::rstest;

use crate::flat_nodes::FlatNode;
use crate::objects::*;
use crate::{field, owned, peers};

fn full_flat_node() -> Vec<u8> {
    FlatNode {
        name: Some("pod"),
        namespace: Some("demo"),
        labels: Some(&[
            ("app", "a"),
            ("service.istio.io/canonical-name", "s"),
            ("version", "1"),
        ]),
        owner: Some("kubernetes://apis/apps/v1/namespaces/demo/deployments/w"),
        workload_name: Some("w"),
        cluster_id: Some("c"),
        identity: Some("spiffe://cluster.local/ns/demo/sa/x"),
    }
    .encode()
}

#[rstest]
#[case::no_bytes(any_bytes(&[]))]
// proves: peer/unreadable
#[case::flat_node_cut_short(any_bytes(&full_flat_node()[..40]))]
#[case::flat_node_unwrapped(packed("BytesValue", full_flat_node()))]
// proves: peer/unreadable
#[case::flat_node_as_a_struct(packed("Struct", full_flat_node()))]
// proves: peer/unreadable
#[case::struct_as_another_message(packed("ListValue", texts(&[("workload", "w")]).encode_to_vec()))]
// proves: peer/unreadable
#[case::struct_cut_short(packed("Struct", texts(&[("workload", "reviews")]).encode_to_vec()[..12].to_vec()))]
#[case::text_as_a_struct(packed("Struct", b"workload=w".to_vec()))]
#[case::text_without_tokens(any_bytes(b"reviews"))]
#[case::text_of_other_tokens(any_bytes(b"a=b,=c,=,,type=pod"))]
// proves: peer/type-url
#[case::no_type(Any { type_url: String::new(), value: texts(&[("workload", "w")]).encode_to_vec() })]
// proves: peer/type-url
#[case::a_type_in_another_package(Any {
    type_url: "type.googleapis.com/other.Struct".into(),
    value: texts(&[("workload", "w")]).encode_to_vec()
})]
// proves: peer/type-url
#[case::a_type_whose_name_only_ends_so(Any {
    type_url: "type.googleapis.com/my.google.protobuf.Struct".into(),
    value: texts(&[("workload", "w")]).encode_to_vec()
})]
fn what_is_not_a_peers_encoding_is_no_peer(#[case] object: Any) {
    assert_eq!(peers(&[("upstream_peer", object.clone())]), [None, None]);
    assert_eq!(peers(&[("wasm.downstream_peer", object)]), [None, None]);
}

#[test]
fn a_flat_node_cut_short_is_the_same_or_none() {
    let bytes = full_flat_node();
    let whole = flat_node::read(&bytes);
    assert_eq!(whole.map(owned).unwrap().canonical_service, "s");
    let mut read = 0;
    for length in 0..bytes.len() {
        let peer = flat_node::read(&bytes[..length]);
        assert!(peer.is_none() || peer == whole, "of {length} bytes");
        read += usize::from(peer.is_some());
    }
    // Only what pads the string that comes last is needless.
    assert!(read < 8, "{read} of {}", bytes.len());
}

#[rstest]
fn an_offset_that_leads_astray_is_followed_nowhere(
    #[values(0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0x1000, 1, 0)] offset: u32,
) {
    let bytes = full_flat_node();
    for place in (0..bytes.len() - 3).step_by(2) {
        let mut bytes = bytes.clone();
        bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        crate::flat_node_law::check(&bytes);
    }
}

/// A table at byte 24 with one field, `FlatNode.labels` at byte 28, and a vector of one table at byte 32.
fn with_offsets(labels: u32, element: u32) -> Vec<u8> {
    let mut bytes = 24_u32.to_le_bytes().to_vec();
    // The vtable at byte 4: its length, the table's, and the offsets of the fields 0 to 2; then padding.
    bytes.extend([10_u16, 8, 0, 0, 4, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat());
    for word in [20, labels, 1, element] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

// proves: peer/unreadable
#[rstest]
#[case::a_label_that_is_the_node(with_offsets(4, 24_u32.wrapping_sub(36)))]
#[case::a_label_that_is_its_own_offset(with_offsets(4, 0))]
#[case::labels_that_are_the_node(with_offsets(24_u32.wrapping_sub(28), 4))]
#[case::labels_that_are_their_own_offset(with_offsets(0, 4))]
#[case::a_root_that_is_its_own_offset(vec![0; 64])]
fn tables_in_a_circle_are_no_peer(#[case] bytes: Vec<u8>) {
    assert_eq!(flat_node::read(&bytes), None);
}

/// `FlatNode.labels` that all are one table: the work is bounded by the bytes.
#[test]
fn elements_may_be_one_table() {
    let label = [("app", "a")];
    let labels = label.repeat(50_000);
    let bytes = FlatNode {
        labels: Some(&labels),
        ..FlatNode::default()
    }
    .encode();
    assert_eq!(flat_node::read(&bytes).map(owned).unwrap().canonical_service, "a");
}

#[rstest]
#[case::beside_the_labels("deep", Some("w"))]
#[case::under_a_text("app", Some("w"))]
#[case::as_the_labels("labels", Some("w"))]
fn deep_nesting_is_not_followed(#[case] name: &str, #[case] workload: Option<&str>) {
    let mut value = Vec::new();
    for _ in 0..1_000 {
        // struct_value { fields { key: "a", value: … } }
        value = field(5, &field(1, &[field(1, b"a"), field(2, &value)].concat()));
    }
    let mut message = texts(&[("workload", "w")]).encode_to_vec();
    message.extend(field(1, &[field(1, name.as_bytes()), field(2, &value)].concat()));
    let peer = Peer::in_struct(&message).map(owned);
    assert_eq!(peer.map(|peer| peer.workload).as_deref(), workload);
}

#[test]
fn a_struct_that_is_broken_anywhere_that_is_read_is_no_peer() {
    let good = texts(&[("workload", "w")]).encode_to_vec();
    let broken_labels = field(
        1,
        &[field(1, b"labels"), field(2, &field(5, &[0x0a, 0x7f]))].concat(),
    );
    assert_eq!(Peer::in_struct(&[good.clone(), broken_labels].concat()), None);
    assert_eq!(Peer::in_struct(&[good, vec![0x0a, 0x7f]].concat()), None);
}
