//! What a peer does not say, by Istio's fall-back rules.

use alscope_analysis::peer::Peer;
use prost::Message as _;
use prost_types::Struct;
use rstest::rstest;

use crate::flat_nodes::FlatNode;
use crate::objects::*;
use crate::owned;

/// Whatever the encoding, the rules are the same: fields of a node's metadata or a `FlatNode`, and labels.
fn all_encodings(owner: &str, workload: &str, labels: &[(&str, &str)]) -> [Option<Peer<String>>; 2] {
    let set = |text: &'static str, value: &str| (!value.is_empty()).then(|| (text, value.to_owned()));
    let fields: Vec<(&str, String)> = [set("OWNER", owner), set("WORKLOAD_NAME", workload)]
        .into_iter()
        .flatten()
        .collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let metadata = with_labels(&fields, "LABELS", labels).encode_to_vec();
    let flat_node = FlatNode {
        owner: Some(owner),
        workload_name: Some(workload),
        labels: Some(labels),
        ..FlatNode::default()
    };
    [
        Peer::in_struct(&metadata).map(owned),
        alscope_analysis::peer::flat_node::read(&flat_node.encode()).map(owned),
    ]
}

#[rstest]
// proves: peer/workload
#[case::the_workload_is_its_own_field(
    "kubernetes://apis/apps/v1/namespaces/demo/deployments/owner",
    "own",
    "own"
)]
// proves: peer/workload
#[case::else_the_owner("kubernetes://apis/apps/v1/namespaces/demo/deployments/owner", "", "owner")]
// proves: peer/workload
#[case::an_owner_that_is_no_path("owner", "own", "own")]
fn the_workload(#[case] owner: &str, #[case] workload: &str, #[case] expected: &str) {
    for peer in all_encodings(owner, workload, &[]) {
        assert_eq!(peer.unwrap().workload, expected);
    }
}

#[rstest]
// proves: peer/workload-label
#[case::the_label_counts_first("x/owner", "field", "label", "label")]
// proves: peer/workload-label
#[case::the_label_alone("", "", "label", "label")]
// proves: peer/workload-label
#[case::an_empty_label("x/owner", "", "", "owner")]
fn the_label_of_the_workload_overrides_its_fields(
    #[case] owner: &str,
    #[case] workload: &str,
    #[case] label: &str,
    #[case] expected: &str,
) {
    for peer in all_encodings(owner, workload, &[("service.istio.io/workload-name", label)]) {
        assert_eq!(peer.unwrap().workload, expected);
    }
}

#[rstest]
// proves: peer/canonical-service
#[case::canonical_name(&[("service.istio.io/canonical-name", "a"), ("app.kubernetes.io/name", "b"), ("app", "c")], "a")]
// proves: peer/canonical-service
#[case::then_the_recommended_label(&[("app.kubernetes.io/name", "b"), ("app", "c")], "b")]
// proves: peer/canonical-service
#[case::then_app(&[("app", "c")], "c")]
// proves: peer/canonical-service
#[case::then_the_workload(&[("app", ""), ("App", "d")], "the-workload")]
fn the_canonical_service(#[case] labels: &[(&str, &str)], #[case] expected: &str) {
    for peer in all_encodings("", "the-workload", labels) {
        assert_eq!(peer.unwrap().canonical_service, expected);
    }
}

#[rstest]
// proves: peer/canonical-revision
#[case::canonical_revision(
    &[("service.istio.io/canonical-revision", "a"), ("app.kubernetes.io/version", "b"), ("version", "c")],
    "a"
)]
// proves: peer/canonical-revision
#[case::then_the_recommended_label(&[("app.kubernetes.io/version", "b"), ("version", "c")], "b")]
// proves: peer/canonical-revision
#[case::then_version(&[("version", "c")], "c")]
// proves: peer/canonical-revision
#[case::then_latest(&[], "latest")]
fn the_canonical_revision(#[case] labels: &[(&str, &str)], #[case] expected: &str) {
    for peer in all_encodings("", "the-workload", labels) {
        assert_eq!(peer.unwrap().canonical_revision, expected);
    }
}

#[rstest]
// proves: peer/app-and-version
#[case::recommended(&[("app.kubernetes.io/name", "b"), ("app", "c"), ("app.kubernetes.io/version", "2"), ("version", "1")], "b", "2")]
// proves: peer/app-and-version
#[case::plain(&[("app", "c"), ("version", "1")], "c", "1")]
// proves: peer/app-and-version
#[case::none(&[("service.istio.io/canonical-name", "a")], "", "")]
fn app_and_version(#[case] labels: &[(&str, &str)], #[case] app: &str, #[case] version: &str) {
    for peer in all_encodings("", "the-workload", labels) {
        let peer = peer.unwrap();
        assert_eq!((peer.app.as_str(), peer.version.as_str()), (app, version));
    }
}

// proves: peer/names-somebody
#[test]
fn a_label_names_somebody_too_and_nothing_else_does() {
    for peer in all_encodings("", "", &[("app", "c")]) {
        let peer = peer.unwrap();
        assert_eq!(
            (peer.workload.as_str(), peer.canonical_service.as_str()),
            ("", "c")
        );
    }
    assert_eq!(all_encodings("owner", "", &[("version", "1")]), [None, None]);
}

#[rstest]
// proves: peer/canonical-service
#[case::service_is_the_canonical_service(&[("workload", "w"), ("service", "s"), ("app", "a")], "s", "latest")]
// proves: peer/canonical-service
#[case::else_app(&[("workload", "w"), ("app", "a"), ("version", "1")], "a", "1")]
// proves: peer/canonical-service
#[case::else_the_workload(&[("workload", "w"), ("revision", "r"), ("version", "1")], "w", "r")]
fn tokens(#[case] fields: &[(&str, &str)], #[case] service: &str, #[case] revision: &str) {
    let peer = Peer::in_struct(&texts(fields).encode_to_vec())
        .map(owned)
        .unwrap();
    assert_eq!(
        (peer.canonical_service.as_str(), peer.canonical_revision.as_str()),
        (service, revision)
    );
}

// proves: peer/identity
#[test]
fn an_identity_is_kept() {
    let identity = "spiffe://cluster.local/ns/demo/sa/reviews";
    let message = texts(&[("workload", "w"), ("identity", identity)]).encode_to_vec();
    assert_eq!(Peer::in_struct(&message).map(owned).unwrap().identity, identity);
    let flat_node = FlatNode {
        workload_name: Some("w"),
        identity: Some(identity),
        ..FlatNode::default()
    };
    let flat_node = flat_node.encode();
    let peer = alscope_analysis::peer::flat_node::read(&flat_node).map(owned);
    assert_eq!(peer.unwrap().identity, identity);
}

/// Structs with these fields, one after the other on the wire.
fn in_order(structs: &[Struct]) -> Option<Peer<String>> {
    let message: Vec<u8> = structs.iter().flat_map(Struct::encode_to_vec).collect();
    Peer::in_struct(&message).map(owned)
}

#[rstest]
// proves: peer/any-case
#[case::names_have_no_case(&[texts(&[("WorkLoad", "w"), ("NameSpace", "n")])], ("w", "n", "w"))]
// proves: peer/last-field
#[case::the_last_field_wins(&[texts(&[("workload", "old")]), texts(&[("workload", "w")])], ("w", "", "w"))]
// proves: peer/last-field
#[case::in_another_case_too(&[texts(&[("workload", "w")]), texts(&[("WORKLOAD", "x")])], ("x", "", "x"))]
// proves: peer/last-field
#[case::labels_are_replaced_whole(
    &[with_labels(&[("workload", "w")], "labels", &[("app", "a")]), with_labels(&[], "LABELS", &[("version", "1")])],
    ("w", "", "w")
)]
#[case::labels_that_are_no_struct_are_none(
    &[with_labels(&[("workload", "w")], "labels", &[("app", "a")]), texts(&[("labels", "app=b")])],
    ("w", "", "w")
)]
// proves: peer/last-field
#[case::a_struct_is_no_text(&[texts(&[("workload", "w"), ("app", "a")]), with_labels(&[], "app", &[])], ("w", "", "w"))]
#[case::longer_names_are_others(&[texts(&[("workload", "w"), ("workload_name_of_old", "x"), ("apps", "a")])], ("w", "", "w"))]
fn fields_of_a_struct(#[case] structs: &[Struct], #[case] expected: (&str, &str, &str)) {
    let peer = in_order(structs).unwrap();
    assert_eq!(
        (
            peer.workload.as_str(),
            peer.namespace.as_str(),
            peer.canonical_service.as_str()
        ),
        expected
    );
}
