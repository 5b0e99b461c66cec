//! The reporting proxy is the pod that its node id names, whichever address an entry shows of it.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::directory::records::{EndpointSliceRecord, PodEndpoint, PodRecord, Record};
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;
use crate::objects::texts;

const EDGE_NODE: &str = "router~10.0.0.100~edge-7d9f-x.demo~demo.svc.cluster.local";
/// Another address of the pod of reviews.
const REVIEWS_IPV6: &str = "fd00::2";

/// A gateway in its node's network, as Istio's chart makes it: it declares the port of its own metrics alone.
fn edge() -> PodRecord {
    PodRecord {
        host_network: true,
        ports: vec![15_090],
        ..pod("edge", NODE)
    }
}

/// A pod in the same network that declares the port at which the gateway listens.
fn agent() -> PodRecord {
    PodRecord {
        host_network: true,
        ports: vec![8443],
        ..pod("agent", NODE)
    }
}

fn mesh_with(records: impl IntoIterator<Item = PodRecord>) -> Mesh {
    let mut mesh = Mesh::new();
    mesh.directory = directory_with(records.into_iter().map(Record::Pod));
    mesh
}

/// A client outside calls reviews through the gateway, which listens at this address.
fn through_edge(local: &str, port: u32) -> AccessLogCommon {
    common(
        socket("203.0.113.9", 50_000),
        socket(local, port),
        socket(REVIEWS, 9080),
        REVIEWS_CLUSTER,
    )
}

#[rstest]
// proves: k8s-mesh/own-pod
#[case::undeclared_port(NODE, 8080)]
// proves: k8s-mesh/own-pod
#[case::port_that_another_declares(NODE, 8443)]
// proves: k8s-mesh/own-pod
#[case::address_of_a_service(REVIEWS_SERVICE, 8080)]
// proves: k8s-mesh/own-pod
#[case::address_of_nobody("192.0.2.80", 8080)]
// proves: k8s-mesh/own-pod
#[case::loopback("127.0.0.1", 8080)]
fn a_gateway_of_the_host_network_is_its_node_ids_pod(#[case] local: &str, #[case] port: u32) {
    let mut mesh = mesh_with([edge(), agent()]);
    mesh.take(EDGE_NODE, ok(through_edge(local, port)));
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> edge", "source: edge -> reviews"]
    );
}

// proves: k8s-mesh/own-address-first
#[test]
fn an_address_that_is_a_pods_own_is_nobody_elses_whatever_a_node_id_says() {
    let mut mesh = mesh_with([edge()]);
    mesh.take(EDGE_NODE, ok(through_edge(GATEWAY, 8080)));
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> gateway", "source: gateway -> reviews"]
    );
}

// proves: k8s-mesh/own-pod
#[test]
fn a_caller_on_the_loopback_of_a_node_may_be_any_of_its_processes() {
    let common = |gateway| {
        common(
            socket("127.0.0.1", 50_000),
            socket(gateway, 8080),
            socket(REVIEWS, 9080),
            REVIEWS_CLUSTER,
        )
    };
    let mut mesh = mesh_with([edge()]);
    mesh.take(EDGE_NODE, ok(common(NODE)));
    mesh.take(GATEWAY_NODE, ok(common(GATEWAY)));
    assert_eq!(
        mesh.edges(),
        [
            "destination: gateway -> gateway",
            "destination: unknown -> edge",
            "source: edge -> reviews",
            "source: gateway -> reviews"
        ]
    );
}

/// The caller of a sidecar's outbound and the called of its inbound entry, at this address of the pod.
fn both_directions(address: &str) -> [AccessLogCommon; 2] {
    [
        common(
            socket(address, 40_000),
            socket("10.96.0.77", 80),
            socket(PRODUCTPAGE, 9080),
            "outbound|80||web.demo.svc.cluster.local",
        ),
        common(
            socket(PRODUCTPAGE, 40_000),
            socket(address, 9080),
            socket(address, 9080),
            "inbound|9080||",
        ),
    ]
}

#[rstest]
// proves: k8s-mesh/own-pod
#[case::second_family(REVIEWS_IPV6)]
// proves: k8s-mesh/own-pod
#[case::further_network("192.168.7.2")]
// proves: k8s-mesh/own-pod
#[case::loopback("127.0.0.1")]
fn a_sidecar_is_its_node_ids_pod_at_each_address(#[case] address: &str) {
    for common in both_directions(address) {
        let mut mesh = Mesh::new();
        mesh.take(REVIEWS_NODE, ok(common));
        let edge = mesh.only_http().edge();
        assert!(
            edge == "source: reviews -> productpage" || edge == "destination: productpage -> reviews",
            "{edge}"
        );
    }
}

/// The node of a proxy with these addresses, whose pod the directory does not know by name.
fn nameless(
    addresses: &str,
) -> als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier {
    let metadata = texts(&[("CLUSTER_ID", "Kubernetes"), ("INSTANCE_IPS", addresses)]);
    identifier_with("sidecar~fd00::2~vm-2.demo~demo.svc.cluster.local", metadata)
}

#[rstest]
// proves: k8s-mesh/own-address
#[case::with_another_address("fd00::2,10.0.0.2", "reviews")]
#[case::with_an_address_of_nobody("fd00::2,192.0.2.99", "unknown")]
#[case::with_no_address("", "unknown")]
#[case::with_no_addresses_at_all("fd00::2,,what, ::", "unknown")]
fn a_proxy_of_no_known_pod_is_who_has_another_of_its_addresses(#[case] addresses: &str, #[case] own: &str) {
    for common in both_directions(REVIEWS_IPV6) {
        let mut mesh = Mesh::new();
        mesh.take_from(nameless(addresses), ok(common));
        let edge = mesh.only_http().edge();
        let expected = [
            format!("source: {own} -> productpage"),
            format!("destination: productpage -> {own}"),
        ];
        assert!(expected.contains(&edge), "{edge}");
    }
}

// proves: k8s-mesh/no-cluster
#[test]
fn without_a_cluster_each_of_the_proxys_addresses_is_its_own() {
    let mut mesh = Mesh::new();
    let common = common(socket(PRODUCTPAGE, 40_000), socket(REVIEWS_IPV6, 9080), None, "");
    let node = texts(&[("CLUSTER_ID", "Kubernetes"), ("INSTANCE_IPS", "10.0.0.2,fd00::2")]);
    mesh.take_from(
        identifier_with(REVIEWS_NODE, node),
        http([request(common, Some(404))]),
    );
    assert_eq!(mesh.only_http().edge(), "destination: productpage -> reviews");
}

// proves: k8s-mesh/waypoint
#[test]
fn a_waypoint_is_no_end_of_a_call_whatever_its_node_id_names() {
    let mut mesh = mesh_with([pod("waypoint", "10.0.0.9")]);
    let common = common(
        socket("203.0.113.9", 1),
        None,
        None,
        "inbound-vip|9080|http|reviews.demo.svc.cluster.local",
    );
    mesh.take(
        "waypoint~10.0.0.9~waypoint-7d9f-x.demo~demo.svc.cluster.local",
        ok(common),
    );
    assert_eq!(mesh.edges(), ["waypoint: unknown -> unknown"]);
}

/// A pod of this name, one after another, as a `StatefulSet` makes them.
fn database(uid: &str, version: &str, started: i64) -> PodRecord {
    let mut record = pod("database", NODE);
    record.labels.insert("version".into(), version.into());
    PodRecord {
        uid: uid.into(),
        host_network: true,
        started: Some(at(started)),
        ..record
    }
}

#[rstest]
// proves: k8s-mesh/own-pod-then
#[case::first(1_400, "v1")]
// proves: k8s-mesh/own-pod-then
#[case::second(1_600, "v2")]
fn a_name_is_the_pods_that_had_it_when_the_call_started(#[case] start: i64, #[case] expected: &str) {
    let mut state = state();
    state.apply(Record::Pod(database("uid-1", "v1", 1_000)), at(1_001));
    state.delete(&Record::Pod(database("uid-1", "v1", 1_000)).key(), at(1_500));
    state.apply(Record::Pod(database("uid-2", "v2", 1_501)), at(1_502));
    let mut mesh = Mesh::new();
    mesh.directory = state.publish().unwrap();
    let mut common = common(
        socket(NODE, 40_000),
        socket(REVIEWS_SERVICE, 9080),
        socket(REVIEWS, 9080),
        REVIEWS_CLUSTER,
    );
    common.start_time = timestamp(start);
    mesh.take(
        "sidecar~10.0.0.100~database-7d9f-x.demo~demo.svc.cluster.local",
        ok(common),
    );
    let labels = mesh.only_http();
    assert_eq!(
        (labels.get("source_workload"), labels.get("source_version")),
        ("database", expected)
    );
}

/// The slice of a Service that sends to port 8080 of the gateway of the host network.
fn slice(target: &str, address: &str) -> EndpointSliceRecord {
    EndpointSliceRecord {
        name: "edge-abc".into(),
        namespace: "demo".into(),
        service: "edge".into(),
        ports: vec![port(8080)],
        pods: vec![PodEndpoint {
            target: target.into(),
            address: Some(address.parse().unwrap()),
        }],
        addresses: vec![],
        created: at(STARTED),
    }
}

fn called_at(address: &str, port: u32) -> AccessLogCommon {
    common(
        socket(PRODUCTPAGE, 40_000),
        socket("10.96.0.9", 80),
        socket(address, port),
        "outbound|80||edge.demo.svc.cluster.local",
    )
}

#[rstest]
// proves: directory/endpoint-of-pod
#[case::of_its_node("uid-edge", NODE, NODE, 8080, "edge")]
// proves: directory/endpoint-of-pod
#[case::by_name("demo/edge-7d9f-x", NODE, NODE, 8080, "edge")]
// proves: directory/endpoint-of-pod
#[case::of_a_further_network("uid-edge", "192.168.7.9", "192.168.7.9", 8080, "edge")]
// proves: directory/endpoint-of-pod
#[case::of_a_pod_with_its_own_address("uid-reviews", "192.168.7.9", "192.168.7.9", 8080, "reviews")]
#[case::at_another_port("uid-edge", NODE, NODE, 8081, "unknown")]
// proves: directory/node-is-shared
#[case::of_another_pod("uid-other", NODE, NODE, 8080, "unknown")]
fn an_endpoints_address_and_port_are_its_pods(
    #[case] target: &str,
    #[case] endpoint: &str,
    #[case] called: &str,
    #[case] port: u32,
    #[case] expected: &str,
) {
    let records = [
        Record::EndpointSlice(slice(target, endpoint)),
        Record::Pod(edge()),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut mesh = Mesh::new();
        mesh.directory = directory_with(order.map(|place| records[place].clone()));
        mesh.take(PRODUCTPAGE_NODE, ok(called_at(called, port)));
        assert_eq!(mesh.edges(), [format!("source: productpage -> {expected}")]);
    }
}

// proves: directory/endpoint-of-pod
#[test]
fn an_endpoint_that_its_slice_no_longer_names_ends_then() {
    let mut state = state();
    state.apply(Record::Pod(edge()), at(STARTED));
    state.apply(Record::EndpointSlice(slice("uid-edge", NODE)), at(STARTED));
    let moved = EndpointSliceRecord {
        ports: vec![port(9090)],
        ..slice("uid-edge", NODE)
    };
    state.apply(Record::EndpointSlice(moved), at(1_500));
    let directory = state.publish().unwrap();
    for (start, port, expected) in [
        (1_499, 8080, "edge"),
        (1_500, 8080, "unknown"),
        (1_500, 9090, "edge"),
    ] {
        let mut mesh = Mesh::new();
        mesh.directory = directory.clone();
        let mut common = called_at(NODE, port);
        common.start_time = timestamp(start);
        mesh.take(PRODUCTPAGE_NODE, ok(common));
        assert_eq!(
            mesh.edges(),
            [format!("source: productpage -> {expected}")],
            "{start}"
        );
    }
}

// proves: directory/node-is-shared
#[test]
fn the_only_pod_of_a_node_is_not_whoever_has_its_address() {
    let mut mesh = mesh_with([edge()]);
    mesh.take(PRODUCTPAGE_NODE, ok(called_at(NODE, 10_250)));
    let mut from_node = inbound();
    from_node.downstream_direct_remote_address = socket(NODE, 40_000);
    mesh.take(REVIEWS_NODE, ok(from_node));
    assert_eq!(
        mesh.edges(),
        [
            "destination: unknown -> reviews",
            "source: productpage -> unknown"
        ]
    );
}
