//! What the identity cache tells apart: everything that decides who called whom, and nothing else.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use alscope_analysis::chain::Chain;
use alscope_analysis::identify::identity_key::write_key;
use prost::Message as _;
use prost_types::{Any, Struct};
use rstest::rstest;

mod as_sent;

use crate::connection::read_identity;
use crate::entry::*;
use crate::mesh::*;
use crate::objects::*;

/// Bytes of a string that the rules read.
const LIMIT: usize = 4096;

/// The key of an entry that has no authority.
fn key(registry: &Registry, chain: &[Analyzer], identifier: Identifier, common: AccessLogCommon) -> Vec<u8> {
    key_of_pieces(registry, chain, identifier, &[common])
}

/// The key of an entry whose common properties are sent in pieces.
fn key_of_pieces(
    registry: &Registry,
    chain: &[Analyzer],
    identifier: Identifier,
    pieces: &[AccessLogCommon],
) -> Vec<u8> {
    let chain = Chain::new(chain.iter().copied());
    let message = message_in_pieces(identifier, pieces);
    let mut key = Vec::new();
    read_identity(&message, registry, chain, "", |node, identity| {
        write_key(&mut key, chain, node, identity, LIMIT).unwrap();
    });
    key
}

const PEER: &[(&str, &str)] = &[
    ("workload", "reviews-v1"),
    ("namespace", "demo"),
    ("name", "reviews-v1-7d9f-x"),
    ("cluster", "Kubernetes"),
    ("service", "reviews"),
    ("revision", "v1"),
    ("app", "reviews"),
    ("version", "1.0"),
    ("identity", "spiffe://cluster.local/ns/demo/sa/reviews"),
    ("type", "deployment"),
];

/// The peer with one field changed.
fn with(field: &str, value: &str) -> Struct {
    let mut peer = texts(PEER);
    peer.fields.insert(field.into(), text(value));
    peer
}

fn upstream(object: Any) -> AccessLogCommon {
    let mut common = outbound();
    common.filter_state_objects = [("upstream_peer".to_owned(), object)].into();
    common
}

#[rstest]
#[case::itself(any_struct(&texts(PEER)), true)]
#[case::fields_in_another_order(packed("Struct", PEER.iter().rev().flat_map(|field| texts(&[*field]).encode_to_vec()).collect()), true)]
#[case::another_pod(any_struct(&with("name", "reviews-v1-7d9f-y")), true)]
#[case::what_no_rule_reads(any_struct(&with("region", "eu")), true)]
#[case::another_encoding(any_bytes(&texts(PEER).encode_to_vec()), true)]
#[case::another_workload(any_struct(&with("workload", "x")), false)]
#[case::another_namespace(any_struct(&with("namespace", "x")), false)]
#[case::another_cluster(any_struct(&with("cluster", "x")), false)]
#[case::another_service(any_struct(&with("service", "x")), false)]
#[case::another_revision(any_struct(&with("revision", "x")), false)]
#[case::another_app(any_struct(&with("app", "x")), false)]
#[case::another_version(any_struct(&with("version", "x")), false)]
#[case::another_identity(any_struct(&with("identity", "x")), false)]
#[case::unreadable(any_bytes(&[0x0a, 0x7f]), false)]
fn a_peer_is_its_labels(#[case] object: Any, #[case] is_same: bool) {
    let registry = Registry::default();
    let key = |object| {
        key(
            &registry,
            &[MxMesh],
            identifier_of(PRODUCTPAGE_NODE, "own"),
            upstream(object),
        )
    };
    assert_eq!(key(object) == key(any_struct(&texts(PEER))), is_same);
}

#[test]
fn a_peer_is_on_one_side() {
    let registry = Registry::default();
    let of = |key_of_peer: &str| {
        let mut common = through_gateway();
        common.filter_state_objects = [(key_of_peer.to_owned(), any_struct(&texts(PEER)))].into();
        key(&registry, &[MxMesh], identifier_of(GATEWAY_NODE, "own"), common)
    };
    assert_ne!(of("upstream_peer"), of("downstream_peer"));
}

#[rstest]
#[case::k8s_looks_it_up(&[K8sMesh], false)]
#[case::in_a_chain_too(&[MxMesh, K8sMesh], false)]
#[case::mx_does_not(&[MxMesh], true)]
fn an_address_matters_to_who_looks_it_up(#[case] chain: &[Analyzer], #[case] is_same: bool) {
    let registry = Registry::default();
    let with_address = |change: fn(&mut AccessLogCommon)| {
        let mut common = outbound();
        change(&mut common);
        key(&registry, chain, identifier_of(PRODUCTPAGE_NODE, "own"), common)
    };
    let unchanged = with_address(|_| {});
    let changes: [fn(&mut AccessLogCommon); 3] = [
        |common| common.downstream_direct_remote_address = socket("10.0.0.77", 40_000),
        |common| common.downstream_local_address = socket("10.0.0.77", 9080),
        |common| common.upstream_remote_address = socket("10.0.0.77", 9080),
    ];
    for change in changes {
        assert_eq!(with_address(change) == unchanged, is_same);
    }
    let other_port: fn(&mut AccessLogCommon) =
        |common| common.downstream_direct_remote_address = socket(PRODUCTPAGE, 40_001);
    assert_eq!(with_address(other_port), unchanged);
}

#[test]
fn without_a_cluster_the_local_address_matters_to_every_analyzer() {
    let registry = Registry::default();
    let of = |local, port| {
        let mut common = outbound();
        common.upstream_cluster.clear();
        common.downstream_local_address = socket(local, port);
        key(
            &registry,
            &[MxMesh],
            identifier_of(PRODUCTPAGE_NODE, "own"),
            common,
        )
    };
    assert_ne!(of(PRODUCTPAGE, 9080), of(REVIEWS_SERVICE, 9080));
    assert_ne!(of(REVIEWS_SERVICE, 9080), of(REVIEWS_SERVICE, 80));
}

#[rstest]
#[case::k8s_does_not(&[K8sMesh], true)]
#[case::mx_asks_the_node(&[MxMesh], false)]
fn a_nodes_own_words_matter_to_who_asks(#[case] chain: &[Analyzer], #[case] is_same: bool) {
    let registry = Registry::default();
    let of = |workload| {
        key(
            &registry,
            chain,
            identifier_of(PRODUCTPAGE_NODE, workload),
            outbound(),
        )
    };
    assert_eq!(of("one") == of("other"), is_same);
}

#[rstest]
#[case::another_pod("sidecar~10.0.0.1~other.demo~demo.svc.cluster.local", "Kubernetes", false)]
#[case::another_role(
    "router~10.0.0.1~productpage-7d9f-x.demo~demo.svc.cluster.local",
    "Kubernetes",
    false
)]
#[case::another_address(
    "sidecar~10.0.0.7~productpage-7d9f-x.demo~demo.svc.cluster.local",
    "Kubernetes",
    false
)]
#[case::another_domain(
    "sidecar~10.0.0.1~productpage-7d9f-x.demo~demo.svc.other.local",
    "Kubernetes",
    false
)]
#[case::another_namespace(
    "sidecar~10.0.0.1~productpage-7d9f-x.demo~other.svc.cluster.local",
    "Kubernetes",
    false
)]
#[case::another_cluster(PRODUCTPAGE_NODE, "west", false)]
fn a_node_is_its_role_pod_address_namespace_domain_and_cluster(
    #[case] node_id: &str,
    #[case] cluster: &str,
    #[case] is_same: bool,
) {
    let registry = Registry::default();
    let key = |identifier| key(&registry, &[K8sMesh], identifier, outbound());
    let mut other = identifier(node_id);
    other.node.as_mut().unwrap().metadata = Some(texts(&[("CLUSTER_ID", cluster)]));
    assert_eq!(key(other) == key(identifier(PRODUCTPAGE_NODE)), is_same);
}

#[test]
fn a_nodes_pod_does_not_matter_to_who_asks_no_directory() {
    let registry = Registry::default();
    let of = |node_id: &str| key(&registry, &[MxMesh], identifier_of(node_id, "own"), outbound());
    assert_eq!(
        of(PRODUCTPAGE_NODE),
        of("sidecar~10.0.0.1~other.demo~demo.svc.cluster.local")
    );
}

#[rstest]
#[case::itself("10.0.0.1", "10.0.0.1", true)]
#[case::what_the_node_id_has("10.0.0.1", "", true)]
#[case::one_more("10.0.0.1", "10.0.0.1,fd00::1", false)]
#[case::another("10.0.0.7", "fd00::1", false)]
fn a_node_is_all_of_its_addresses(#[case] one: &str, #[case] other: &str, #[case] is_same: bool) {
    let registry = Registry::default();
    let of = |chain: &[Analyzer], addresses| {
        let metadata = texts(&[("INSTANCE_IPS", addresses)]);
        key(
            &registry,
            chain,
            identifier_with(PRODUCTPAGE_NODE, metadata),
            outbound(),
        )
    };
    for chain in [&[K8sMesh][..], &[MxMesh]] {
        assert_eq!(of(chain, one) == of(chain, other), is_same);
    }
}

#[rstest]
#[case::k8s_asks_in_a_network(&[K8sMesh], false)]
#[case::mx_does_not(&[MxMesh], true)]
fn a_nodes_network_matters_to_who_asks_the_directory(#[case] chain: &[Analyzer], #[case] is_same: bool) {
    let registry = Registry::default();
    let of = |network| {
        let metadata = texts(&[("NETWORK", network)]);
        key(
            &registry,
            chain,
            identifier_with(PRODUCTPAGE_NODE, metadata),
            outbound(),
        )
    };
    assert_eq!(of("west") == of("east"), is_same);
}

#[test]
fn a_pipe_matters_to_every_analyzer() {
    let registry = Registry::default();
    for chain in [&[K8sMesh][..], &[MxMesh]] {
        let of = |local| {
            let common = AccessLogCommon {
                downstream_local_address: local,
                upstream_cluster: String::new(),
                ..outbound()
            };
            key(&registry, chain, identifier_of(PRODUCTPAGE_NODE, "own"), common)
        };
        assert_ne!(of(pipe("/run/x.sock")), of(None));
    }
}

#[test]
fn keys_of_different_chains_differ() {
    let registry = Registry::default();
    let of = |chain: &[Analyzer]| {
        key(
            &registry,
            chain,
            identifier_of(PRODUCTPAGE_NODE, "own"),
            outbound(),
        )
    };
    assert_ne!(of(&[K8sMesh, MxMesh]), of(&[MxMesh, K8sMesh]));
}
