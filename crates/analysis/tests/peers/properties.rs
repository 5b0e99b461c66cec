//! Peers of any content, and any bytes.

use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::peer::{Peer, flat_node};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use prost_types::Struct;

use crate::flat_nodes::FlatNode;
use crate::objects::*;
use crate::{flat_node_law, node_law, owned, peers, struct_law};

const FIELDS: &[&str] = &[
    "workload",
    "WORKLOAD_NAME",
    "namespace",
    "NAME",
    "owner",
    "CLUSTER_ID",
    "service",
    "revision",
    "app",
    "version",
    "identity",
    "type",
];

const LABELS: &[&str] = &[
    "app",
    "App",
    "app.kubernetes.io/name",
    "app.kubernetes.io/version",
    "service.istio.io/canonical-name",
    "service.istio.io/canonical-revision",
    "version",
    "pod-template-hash",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z]{1,4}", "[a-z]{1,2}/[a-zé]{0,3}"]
}

/// Named texts in any order, names again.
fn pairs(names: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    vec((prop::sample::select(names), value()), 0..8)
}

fn borrowed<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// The structs one after the other: their fields in this order.
fn concatenated(structs: impl IntoIterator<Item = Struct>) -> Vec<u8> {
    structs
        .into_iter()
        .flat_map(|message| message.encode_to_vec())
        .collect()
}

fn node_id() -> impl Strategy<Value = String> {
    let types = prop::sample::select(vec!["sidecar", "waypoint", "router", "ztunnel", ""]);
    let addresses = prop::sample::select(vec!["10.0.0.1", "fd00::1", "", "10.0.0.256"]);
    let domains = prop::sample::select(vec!["a.svc.cluster.local", "a.svc.b.svc.c", ".svc.", "a"]);
    (types, addresses, "[a-z.]{0,6}", domains)
        .prop_map(|(node_type, address, pod, domain)| format!("{node_type}~{address}~{pod}~{domain}"))
}

proptest! {
    #[test]
    fn a_struct_is_the_peer_that_prost_sees(fields in pairs(FIELDS), labels in pairs(LABELS), upper in any::<bool>()) {
        let labels_name = if upper { "LABELS" } else { "labels" };
        let structs = fields.iter().map(|(name, value)| texts(&[(name, value)]));
        let labels = with_labels(&[], labels_name, &borrowed(&labels));
        struct_law::check(&concatenated(structs.chain([labels])));
    }

    #[test]
    fn a_node_is_the_one_that_prost_sees(
        id in prop_oneof![
            node_id(),
            "[a-z~.]{0,12}",
        ],
        fields in pairs(FIELDS),
        labels in pairs(LABELS),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut metadata = with_labels(&borrowed(&fields), "LABELS", &borrowed(&labels));
        metadata.fields.insert("ISTIO_VERSION".into(), text("1.27.0"));
        let node = Node { id, metadata: Some(metadata), ..Node::default() };
        let mut bytes = Identifier { node: Some(node), log_name: "log".into() }.encode_to_vec();
        if let Some((place, byte)) = damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        node_law::check(&bytes);
    }

    #[test]
    fn the_order_of_different_fields_means_nothing(
        fields in prop::sample::subsequence(&FIELDS[1..], 0..FIELDS.len() - 1).prop_flat_map(|names| {
            let values = vec(value(), names.len());
            (Just(names).prop_shuffle(), values)
        }),
        turned in any::<prop::sample::Index>(),
    ) {
        let (names, values) = fields;
        let mut structs: Vec<Struct> =
            names.iter().zip(&values).map(|(name, value)| texts(&[(name, value)])).collect();
        let one = concatenated(structs.clone());
        if !structs.is_empty() {
            structs.rotate_left(turned.index(names.len()));
        }
        let other = concatenated(structs);
        prop_assert_eq!(Peer::in_struct(&one), Peer::in_struct(&other));
    }

    #[test]
    fn a_flat_node_is_the_peer_that_its_metadata_is(
        [name, namespace, owner, workload, cluster, identity] in prop::array::uniform6(prop::option::of(value())),
        labels in prop::option::of(pairs(LABELS)),
    ) {
        let labels = labels.as_deref().map(borrowed);
        let flat_node = FlatNode {
            name: name.as_deref(),
            namespace: namespace.as_deref(),
            labels: labels.as_deref(),
            owner: owner.as_deref(),
            workload_name: workload.as_deref(),
            cluster_id: cluster.as_deref(),
            identity: identity.as_deref(),
        };
        let names = ["NAME", "NAMESPACE", "OWNER", "WORKLOAD_NAME", "CLUSTER_ID", "identity"];
        let values = [&name, &namespace, &owner, &workload, &cluster, &identity];
        let fields: Vec<(&str, &str)> =
            names.into_iter().zip(values).map(|(name, value)| (name, value.as_deref().unwrap_or(""))).collect();
        let metadata = with_labels(&fields, "LABELS", labels.as_deref().unwrap_or_default()).encode_to_vec();
        prop_assert_eq!(flat_node::read(&flat_node.encode()).map(owned), Peer::in_struct(&metadata).map(owned));
    }

    #[test]
    fn damaged_flat_nodes_are_read_or_refused(
        workload in value(),
        labels in pairs(LABELS),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let labels = borrowed(&labels);
        let mut bytes =
            FlatNode { workload_name: Some(&workload), labels: Some(&labels), ..FlatNode::default() }.encode();
        for (index, byte) in damage {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        flat_node_law::check(&bytes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        flat_node_law::check(&bytes);
        struct_law::check(&bytes);
        node_law::check(&bytes);
        for type_name in ["Struct", "BytesValue", "StringValue"] {
            peers(&[("upstream_peer", packed(type_name, bytes.clone()))]);
        }
        peers(&[("wasm.upstream_peer", any_bytes(&bytes))]);
    }
}
