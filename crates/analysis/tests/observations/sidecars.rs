use als_proto::messages::envoy::data::accesslog::v3::ResponseFlags;
use alscope_analysis::accounting::Unattributed;
use alscope_analysis::reporter::Reporter;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

// proves: k8s-mesh/sidecar-outbound, labels/standard-set, labels/reporter, labels/cluster, protocol/no-grpc-status
#[test]
fn the_client_side_reports_source_with_istios_labels() {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    let labels = mesh.only_http();
    let expected = [
        ("connection_security_policy", "unknown"),
        ("destination_app", "reviews"),
        ("destination_canonical_revision", "v1"),
        ("destination_canonical_service", "reviews"),
        ("destination_cluster", "Kubernetes"),
        ("destination_principal", "unknown"),
        ("destination_service", "reviews.demo.svc.cluster.local"),
        ("destination_service_name", "reviews"),
        ("destination_service_namespace", "demo"),
        ("destination_version", "v1"),
        ("destination_workload", "reviews"),
        ("destination_workload_namespace", "demo"),
        ("grpc_response_status", ""),
        ("reporter", "source"),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("response_flags", "-"),
        ("source_app", "productpage"),
        ("source_canonical_revision", "v1"),
        ("source_canonical_service", "productpage"),
        ("source_cluster", "Kubernetes"),
        ("source_principal", "unknown"),
        ("source_version", "v1"),
        ("source_workload", "productpage"),
        ("source_workload_namespace", "demo"),
    ];
    assert_eq!(labels.all().into_iter().collect::<Vec<_>>(), expected);
    let accounting = mesh.accounting();
    assert_eq!((accounting.attributed, accounting.unattributed), (1, 0));
}

// proves: k8s-mesh/sidecar-inbound, labels/principals, labels/reporter
#[test]
fn the_server_side_reports_destination_with_principals() {
    let mut mesh = Mesh::new();
    mesh.take(REVIEWS_NODE, ok(inbound()));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "destination: productpage -> reviews");
    assert_eq!(labels.get("connection_security_policy"), "mutual_tls");
    assert_eq!(
        labels.get("source_principal"),
        "spiffe://cluster.local/ns/demo/sa/productpage"
    );
    assert_eq!(
        labels.get("destination_principal"),
        "spiffe://cluster.local/ns/demo/sa/reviews"
    );
    assert_eq!(
        labels.get("destination_service"),
        "reviews.demo.svc.cluster.local"
    );
}

// proves: latency/exact, measure/wire-bytes
#[test]
fn time_and_bytes_are_counted_once() {
    let mut mesh = Mesh::new();
    mesh.take(
        PRODUCTPAGE_NODE,
        http([request(outbound(), Some(200)), request(outbound(), Some(200))]),
    );
    let (_, counts) = mesh.http().remove(0);
    assert_eq!(counts.requests, 2);
    assert_eq!((counts.duration.sum, counts.duration.buckets[2]), (5_000, 2));
    assert_eq!((counts.request_bytes.sum, counts.response_bytes.sum), (400, 2000));
}

// proves: measure/old-proxies
#[test]
fn bytes_of_old_proxies_are_headers_and_body() {
    let mut mesh = Mesh::new();
    let mut entry = request(outbound(), Some(200));
    let common = entry.common_properties.as_mut().unwrap();
    (
        common.downstream_wire_bytes_received,
        common.downstream_wire_bytes_sent,
    ) = (0, 0);
    let request = entry.request.as_mut().unwrap();
    (request.request_headers_bytes, request.request_body_bytes) = (70, 5);
    let response = entry.response.as_mut().unwrap();
    (response.response_headers_bytes, response.response_body_bytes) = (30, 9);
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let (_, counts) = mesh.http().remove(0);
    assert_eq!((counts.request_bytes.sum, counts.response_bytes.sum), (75, 39));
}

#[rstest]
// proves: measure/no-response
#[case::no_response(None)]
// proves: measure/no-response
#[case::no_code(Some(0))]
fn a_request_without_a_response_has_code_0(#[case] code: Option<u32>) {
    let mut mesh = Mesh::new();
    let mut entry = request(outbound(), code);
    entry.common_properties.as_mut().unwrap().response_flags = Some(ResponseFlags {
        downstream_connection_termination: true,
        ..ResponseFlags::default()
    });
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let labels = mesh.only_http();
    assert_eq!(
        (labels.get("response_code"), labels.get("response_flags")),
        ("0", "DC")
    );
}

// proves: k8s-mesh/no-upstream
#[test]
fn without_an_upstream_the_service_is_known_and_the_workload_is_not() {
    let mut mesh = Mesh::new();
    let common = common(
        socket(PRODUCTPAGE, 40_000),
        socket(REVIEWS_SERVICE, 9080),
        None,
        REVIEWS_CLUSTER,
    );
    mesh.take(PRODUCTPAGE_NODE, http([request(common, Some(503))]));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "source: productpage -> unknown");
    assert_eq!(
        labels.get("destination_service"),
        "reviews.demo.svc.cluster.local"
    );
    let accounting = mesh.accounting();
    assert_eq!(accounting.parties_unattributed(Unattributed::NoAddress), 1);
    assert_eq!((accounting.attributed, accounting.unattributed), (0, 1));
}

// proves: k8s-mesh/no-cluster
#[test]
fn without_a_route_the_local_address_tells_the_direction() {
    let mut mesh = Mesh::new();
    let outbound = common(socket(PRODUCTPAGE, 40_000), socket("10.96.0.77", 80), None, "");
    mesh.take(PRODUCTPAGE_NODE, http([request(outbound, Some(404))]));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "source: productpage -> unknown");
    assert_eq!(
        (
            labels.get("destination_service"),
            labels.get("destination_service_name")
        ),
        ("reviews.demo.svc.cluster.local", "reviews")
    );

    let mut mesh = Mesh::new();
    let inbound = common(socket(PRODUCTPAGE, 40_000), socket(REVIEWS, 9080), None, "");
    mesh.take(REVIEWS_NODE, http([request(inbound, Some(404))]));
    assert_eq!(mesh.only_http().edge(), "destination: productpage -> reviews");
}

// proves: k8s-mesh/loopback-caller
#[test]
fn a_loopback_caller_is_the_proxys_own_pod() {
    let mut mesh = Mesh::new();
    let common = common(
        socket("127.0.0.1", 40_000),
        socket("127.0.0.1", 15_080),
        socket(REVIEWS, 9080),
        REVIEWS_CLUSTER,
    );
    mesh.take(PRODUCTPAGE_NODE, ok(common));
    assert_eq!(mesh.only_http().edge(), "source: productpage -> reviews");
}

// proves: k8s-mesh/node-address, k8s-mesh/unknown-caller
#[test]
fn a_node_that_probes_is_unattributed_as_a_node() {
    let mut mesh = Mesh::new();
    let common = common(
        socket(NODE, 40_000),
        socket(REVIEWS, 9080),
        socket(REVIEWS, 9080),
        "inbound|9080||",
    );
    mesh.take(REVIEWS_NODE, ok(common));
    assert_eq!(mesh.only_http().edge(), "destination: unknown -> reviews");
    assert_eq!(
        mesh.accounting().parties_unattributed(Unattributed::NodeAddress),
        1
    );
}

// proves: k8s-mesh/tcp, measure/tcp-bytes
#[test]
fn a_tcp_connection_counts_its_bytes_from_the_callers_view() {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    (
        common.downstream_wire_bytes_received,
        common.downstream_wire_bytes_sent,
    ) = (0, 0);
    common.access_log_type = 3;
    mesh.take(PRODUCTPAGE_NODE, tcp(common, 30, 70));
    let (labels, counts) = mesh.tcp().remove(0);
    assert_eq!(labels.edge(), "source: productpage -> reviews");
    assert_eq!(labels.get("request_protocol"), "tcp");
    assert_eq!(
        (counts.connections, counts.received_bytes, counts.sent_bytes),
        (1, 30, 70)
    );
    assert!(mesh.http().is_empty());
}

// proves: protocol/tcp-without-request
#[test]
fn an_http_entry_without_a_request_is_a_tcp_connection() {
    let mut mesh = Mesh::new();
    let mut entry = request(outbound(), None);
    entry.request = None;
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let (_, counts) = mesh.tcp().remove(0);
    assert_eq!(
        (counts.connections, counts.received_bytes, counts.sent_bytes),
        (1, 200, 1000)
    );
    assert!(mesh.http().is_empty());
}

// proves: k8s-mesh/both-sides
#[test]
fn both_sides_of_one_call_are_two_observations_of_two_entries() {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    mesh.take(REVIEWS_NODE, ok(inbound()));
    let accounting = mesh.accounting();
    let observations =
        [Reporter::Source, Reporter::Destination].map(|reporter| accounting.observations(reporter));
    assert_eq!(
        (accounting.received, accounting.observed, observations),
        (2, 2, [1, 1])
    );
}
