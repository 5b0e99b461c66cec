//! The labels of parties that describe themselves.

use super::*;

// proves: mx-mesh/labels, mx-mesh/own-node
#[test]
fn the_client_side_has_the_labels_of_both_proxies() {
    let identity = "spiffe://cluster.local/ns/books/sa/reviews";
    let fields = [
        ("workload", "reviews-v2"),
        ("namespace", "books"),
        ("cluster", "west"),
        ("service", "reviews"),
        ("revision", "v2"),
        ("app", "reviews-app"),
        ("version", "2.0"),
        ("identity", identity),
    ];
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    let common = without_addresses(REVIEWS_CLUSTER, &[("upstream_peer", any_struct(&texts(&fields)))]);
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "productpage-v1"), ok(common));
    let labels = mesh.only_http();
    let expected = [
        ("connection_security_policy", "unknown"),
        ("destination_app", "reviews-app"),
        ("destination_canonical_revision", "v2"),
        ("destination_canonical_service", "reviews"),
        ("destination_cluster", "west"),
        ("destination_principal", identity),
        ("destination_service", "reviews.demo.svc.cluster.local"),
        ("destination_service_name", "reviews"),
        ("destination_service_namespace", "demo"),
        ("destination_version", "2.0"),
        ("destination_workload", "reviews-v2"),
        ("destination_workload_namespace", "books"),
        ("grpc_response_status", ""),
        ("reporter", "source"),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("response_flags", "-"),
        ("source_app", "unknown"),
        ("source_canonical_revision", "v1"),
        ("source_canonical_service", "productpage-v1"),
        ("source_cluster", "Kubernetes"),
        ("source_principal", "unknown"),
        ("source_version", "v1"),
        ("source_workload", "productpage-v1"),
        ("source_workload_namespace", "demo"),
    ];
    assert_eq!(labels.all().into_iter().collect::<Vec<_>>(), expected);
}

// proves: mx-mesh/certificate-first
#[test]
fn the_server_side_takes_certificates_before_claims() {
    let fields = [
        ("workload", "productpage"),
        ("namespace", "claimed"),
        ("identity", "spiffe://claimed"),
    ];
    let mut common = inbound();
    common.filter_state_objects = [("downstream_peer".to_owned(), any_struct(&texts(&fields)))].into();
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier_of(REVIEWS_NODE, "reviews-v1"), ok(common));
    let labels = mesh.only_http();
    assert_eq!(labels.get("source_workload_namespace"), "demo");
    assert_eq!(
        labels.get("source_principal"),
        "spiffe://cluster.local/ns/demo/sa/productpage"
    );
    assert_eq!(
        labels.get("destination_principal"),
        "spiffe://cluster.local/ns/demo/sa/reviews"
    );
    assert_eq!(labels.get("connection_security_policy"), "mutual_tls");
}

// proves: mx-mesh/identity, labels/cluster
#[test]
fn without_a_certificate_the_peers_own_word_counts() {
    let fields = [
        ("workload", "productpage"),
        ("namespace", "claimed"),
        ("identity", "spiffe://claimed"),
    ];
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    let common = without_addresses(INBOUND, &[("downstream_peer", any_struct(&texts(&fields)))]);
    mesh.take_from(identifier_of(REVIEWS_NODE, "reviews-v1"), ok(common));
    let labels = mesh.only_http();
    assert_eq!(labels.get("source_workload_namespace"), "claimed");
    assert_eq!(labels.get("source_principal"), "spiffe://claimed");
    assert_eq!(labels.get("source_cluster"), "unknown");
}

// proves: mx-mesh/served-service
#[test]
fn the_served_service_is_the_own_canonical_service_and_not_what_the_client_wrote() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(
        identifier_of(REVIEWS_NODE, "reviews-v1"),
        ok(without_addresses(INBOUND, &[])),
    );
    let labels = mesh.only_http();
    assert_eq!(labels.get("destination_service"), "reviews-v1");
    assert_eq!(labels.get("destination_service_name"), "reviews-v1");
    assert_eq!(labels.get("destination_service_namespace"), "demo");
}

// proves: mx-mesh/node-id
#[test]
fn a_nodes_namespace_is_in_its_id_too() {
    let mut identifier = identifier_of(
        REVIEWS_NODE.replace("x.demo~", "x.y.books~").as_str(),
        "reviews-v1",
    );
    let metadata = identifier.node.as_mut().unwrap().metadata.as_mut().unwrap();
    metadata.fields.remove("NAMESPACE");
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier, ok(without_addresses(INBOUND, &[])));
    assert_eq!(mesh.only_http().get("destination_workload_namespace"), "books");
}
