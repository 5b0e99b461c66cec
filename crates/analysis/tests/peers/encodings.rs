//! Each key with each encoding that some Istio uses, and which key wins.

use prost::Message as _;
use prost_types::Any;
use rstest::rstest;

use crate::flat_nodes::FlatNode;
use crate::objects::*;
use crate::{peers, reviews};

const LABELS: &[(&str, &str)] = &[
    ("app", "reviews-app"),
    ("pod-template-hash", "7d9f"),
    ("service.istio.io/canonical-name", "reviews"),
    ("service.istio.io/canonical-revision", "v1"),
    ("version", "1.0"),
];

/// Istio 1.24 and later.
fn tokens() -> Any {
    any_struct(&texts(TOKENS))
}

const TOKENS: &[(&str, &str)] = &[
    ("type", "deployment"),
    ("workload", "reviews-v1"),
    ("name", "reviews-v1-7d9f-x"),
    ("cluster", "Kubernetes"),
    ("namespace", "demo"),
    ("service", "reviews"),
    ("revision", "v1"),
    ("app", "reviews-app"),
    ("version", "1.0"),
    ("region", "eu"),
];

/// Istio 1.25 and later with `PILOT_MX_ADDITIONAL_LABELS`.
fn tokens_with_labels() -> Any {
    any_struct(&with_labels(
        TOKENS,
        "labels",
        &[("team", "books"), ("app", "unasked")],
    ))
}

/// Istio 1.6 to 1.23.
fn flat_node() -> Any {
    any_bytes(
        &FlatNode {
            name: Some("reviews-v1-7d9f-x"),
            namespace: Some("demo"),
            labels: Some(LABELS),
            owner: Some("kubernetes://apis/apps/v1/namespaces/demo/deployments/other"),
            workload_name: Some("reviews-v1"),
            cluster_id: Some("Kubernetes"),
            identity: None,
        }
        .encode(),
    )
}

const METADATA: &[(&str, &str)] = &[
    ("NAME", "reviews-v1-7d9f-x"),
    ("NAMESPACE", "demo"),
    ("WORKLOAD_NAME", "reviews-v1"),
    ("CLUSTER_ID", "Kubernetes"),
    ("INSTANCE_IPS", "10.0.0.2"),
];

/// Istio 1.5.
fn wrapped_metadata() -> Any {
    any_bytes(&with_labels(METADATA, "LABELS", LABELS).encode_to_vec())
}

const TOKEN_TEXT: &str = "type=deployment,workload=reviews-v1,name=reviews-v1-7d9f-x,cluster=Kubernetes,namespace=demo,\
    service=reviews,revision=v1,app=reviews-app,version=1.0,region=eu,labels[]team=books";

const LABEL_TEXT: &str = "workload=reviews-v1,name=reviews-v1-7d9f-x,cluster=Kubernetes,namespace=demo,\
    labels[]service.istio.io/canonical-name=reviews,labels[]service.istio.io/canonical-revision=v1,\
    labels[]app=reviews-app,labels[]version=1.0";

const BAGGAGE: &str = "k8s.deployment.name=reviews-v1,k8s.namespace.name=demo,k8s.cluster.name=Kubernetes,service.name=reviews,\
    service.version=v1,app.name=reviews-app,app.version=1.0,k8s.instance.name=reviews-v1-7d9f-x";

#[rstest]
// proves: peer/tokens, peer/keys
#[case::tokens("upstream_peer", "downstream_peer", tokens())]
// proves: peer/additional-labels
#[case::tokens_with_labels("upstream_peer", "downstream_peer", tokens_with_labels())]
// proves: peer/keys
#[case::tokens_of_an_object("upstream_peer_obj", "downstream_peer_obj", tokens())]
// proves: peer/flat-node, peer/keys
#[case::flat_node("wasm.upstream_peer", "wasm.downstream_peer", flat_node())]
// proves: peer/node-metadata, peer/keys
#[case::wrapped_metadata(
    "envoy.wasm.metadata_exchange.upstream",
    "envoy.wasm.metadata_exchange.downstream",
    wrapped_metadata()
)]
// proves: peer/node-metadata
#[case::metadata_as_a_struct("upstream_peer", "downstream_peer", any_struct(&with_labels(METADATA, "LABELS", LABELS)))]
// proves: peer/text
#[case::text("upstream_peer", "downstream_peer", any_text(TOKEN_TEXT))]
// proves: peer/text
#[case::text_in_bytes("wasm.upstream_peer", "wasm.downstream_peer", any_bytes(TOKEN_TEXT.as_bytes()))]
// proves: peer/text
#[case::text_with_labels("upstream_peer", "downstream_peer", any_text(LABEL_TEXT))]
// proves: peer/baggage
#[case::baggage("upstream_peer", "downstream_peer", any_text(BAGGAGE))]
// proves: peer/baggage
#[case::spaced_baggage("upstream_peer", "downstream_peer", any_text(&BAGGAGE.replace(',', " , ").replace('=', "= ")))]
fn every_encoding_of_a_peer_is_the_same_peer(
    #[case] upstream: &str,
    #[case] downstream: &str,
    #[case] object: Any,
) {
    assert_eq!(peers(&[(upstream, object.clone())]), [Some(reviews()), None]);
    assert_eq!(peers(&[(downstream, object)]), [None, Some(reviews())]);
}

#[rstest]
// proves: peer/other-keys
#[case::node_id("wasm.upstream_peer_id")]
// proves: peer/other-keys
#[case::old_node_id("envoy.wasm.metadata_exchange.upstream_id")]
// proves: peer/other-keys
#[case::other_case("Upstream_Peer")]
// proves: peer/other-keys
#[case::custom("my.upstream_peer")]
#[case::empty("")]
fn another_key_is_no_peer(#[case] key: &str) {
    assert_eq!(peers(&[(key, tokens())]), [None, None]);
}

// proves: peer/type-url
#[rstest]
#[case::a_server("example.com/types/google.protobuf.Struct")]
#[case::no_server("google.protobuf.Struct")]
fn a_type_is_known_by_its_name_whatever_serves_it(#[case] type_url: &str) {
    let mut object = tokens();
    object.type_url = type_url.into();
    assert_eq!(peers(&[("upstream_peer", object)]), [Some(reviews()), None]);
}

// proves: peer/key-order
#[rstest]
fn keys_win_in_the_order_of_their_age_wherever_they_stand(
    #[values(
        ["upstream_peer", "upstream_peer_obj", "wasm.upstream_peer", "envoy.wasm.metadata_exchange.upstream"],
        ["downstream_peer", "downstream_peer_obj", "wasm.downstream_peer", "envoy.wasm.metadata_exchange.downstream"]
    )]
    keys: [&str; 4],
    #[values(0, 1, 2, 3)] first: usize,
    #[values(0, 1, 2, 3)] rotated: usize,
) {
    let workload = |key: &str| any_struct(&texts(&[("workload", key)]));
    let mut objects: Vec<_> = keys[first..].iter().map(|key| (*key, workload(key))).collect();
    let count = objects.len();
    objects.rotate_left(rotated % count);
    let found = peers(&objects).into_iter().flatten().map(|peer| peer.workload);
    assert_eq!(found.collect::<Vec<_>>(), [keys[first]]);
}

// proves: peer/last-object
#[test]
fn of_a_key_that_comes_again_the_last_object_counts() {
    let other = any_struct(&texts(&[("workload", "other")]));
    assert_eq!(
        peers(&[("upstream_peer", other), ("upstream_peer", tokens())]),
        [Some(reviews()), None]
    );
}

#[rstest]
// proves: peer/key-order
#[case::unreadable(packed("Struct", vec![0x0a, 0x7f]))]
#[case::of_another_type(packed("Duration", vec![]))]
// proves: peer/names-somebody
#[case::naming_nobody(any_struct(&texts(&[("namespace", "demo"), ("name", "pod"), ("cluster", "c")])))]
// proves: peer/names-somebody
#[case::empty(any_struct(&texts(&[])))]
fn a_peer_that_says_nothing_leaves_the_place_to_the_next_key(#[case] object: Any) {
    assert_eq!(
        peers(&[
            ("upstream_peer", object.clone()),
            ("wasm.upstream_peer", flat_node())
        ]),
        [Some(reviews()), None]
    );
    assert_eq!(peers(&[("upstream_peer", object)]), [None, None]);
}

/// Text as an object of the filter state.
fn any_text(value: &str) -> Any {
    packed("StringValue", value.to_owned().encode_to_vec())
}
