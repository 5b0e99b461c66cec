//! Waypoints and HBONE: addresses inside Envoy, tunnels, pods called by their own address.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::accounting::Skipped;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

const TO_VIP: &str = "inbound-vip|9080|http|reviews.demo.svc.cluster.local";

/// productpage calls reviews through a waypoint.
fn through_waypoint(cluster: &str) -> AccessLogCommon {
    let mut common = common(
        socket(PRODUCTPAGE, 40_000),
        socket(REVIEWS_SERVICE, 9080),
        internal("10.0.0.2:9080"),
        cluster,
    );
    // The connection inside Envoy has no address; the client's own is carried through the tunnel.
    common.downstream_direct_remote_address = internal("");
    common
}

fn edges(node: &str, logs: Logs) -> Vec<String> {
    let mut mesh = Mesh::new();
    mesh.take(node, logs);
    mesh.edges()
}

// proves: k8s-mesh/waypoint, k8s-mesh/endpoint-id, k8s-mesh/unusable-direct-caller, labels/reporter, k8s-mesh/tcp
#[test]
fn a_waypoint_stands_between_two_pods_for_http_and_tcp() {
    let expected = ["waypoint: productpage -> reviews"];
    assert_eq!(edges(WAYPOINT_NODE, ok(through_waypoint(TO_VIP))), expected);
    assert_eq!(
        edges(WAYPOINT_NODE, tcp(through_waypoint(TO_VIP), 1, 1)),
        expected
    );
}

#[rstest]
// proves: k8s-mesh/waypoint-local
#[case::none(None)]
// proves: k8s-mesh/waypoint-local
#[case::no_address(socket("no address", 1))]
// proves: k8s-mesh/waypoint-local
#[case::of_another_pod(socket(GATEWAY, 8080))]
fn where_a_waypoint_was_reached_says_nothing(
    #[case] local: Option<als_proto::messages::envoy::config::core::v3::Address>,
) {
    let common = AccessLogCommon {
        downstream_local_address: local,
        ..through_waypoint(TO_VIP)
    };
    assert_eq!(
        edges(WAYPOINT_NODE, ok(common)),
        ["waypoint: productpage -> reviews"]
    );
}

#[rstest]
// proves: k8s-mesh/waypoint-direct
#[case::by_the_local_address(socket(REVIEWS, 9080), None)]
// proves: k8s-mesh/waypoint-direct
#[case::by_the_upstream(socket(REVIEWS_SERVICE, 9080), internal("10.0.0.2:9080"))]
fn a_pod_that_was_called_by_its_own_address(
    #[case] local: Option<als_proto::messages::envoy::config::core::v3::Address>,
    #[case] upstream: Option<als_proto::messages::envoy::config::core::v3::Address>,
) {
    let mut mesh = Mesh::new();
    let common = AccessLogCommon {
        downstream_local_address: local,
        upstream_remote_address: upstream,
        ..through_waypoint("encap")
    };
    mesh.take(WAYPOINT_NODE, ok(common));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "waypoint: productpage -> reviews");
    assert_eq!(
        labels.get("destination_service"),
        "reviews.demo.svc.cluster.local"
    );
    assert_eq!(labels.get("connection_security_policy"), "unknown");
}

// proves: k8s-mesh/waypoint, labels/revision-unknown-at-waypoint
#[test]
fn a_waypoint_without_an_upstream_knows_the_service_and_no_revision() {
    let mut mesh = Mesh::new();
    let mut common = through_waypoint(TO_VIP);
    common.upstream_remote_address = None;
    mesh.take(WAYPOINT_NODE, http([request(common, Some(503))]));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "waypoint: productpage -> unknown");
    assert_eq!(labels.get("destination_service_name"), "reviews");
    assert_eq!(labels.get("destination_canonical_revision"), "unknown");
}

#[rstest]
// proves: k8s-mesh/tunnel
#[case::connect_originate(WAYPOINT_NODE, "connect_originate")]
// proves: k8s-mesh/tunnel
#[case::main_internal(WAYPOINT_NODE, "main_internal")]
// proves: k8s-mesh/tunnel
#[case::at_a_gateway(GATEWAY_NODE, "connect_originate")]
// proves: k8s-mesh/tunnel
#[case::at_a_sidecar(PRODUCTPAGE_NODE, "connect_originate")]
// proves: k8s-mesh/infrastructure
#[case::infrastructure(WAYPOINT_NODE, "xds-grpc")]
// proves: k8s-mesh/infrastructure
#[case::vip_at_a_sidecar(PRODUCTPAGE_NODE, TO_VIP)]
// proves: k8s-mesh/infrastructure
#[case::direct_at_a_sidecar(PRODUCTPAGE_NODE, "encap")]
fn what_goes_between_listeners_is_no_call(#[case] node: &str, #[case] cluster: &str) {
    for logs in [
        ok(through_waypoint(cluster)),
        tcp(through_waypoint(cluster), 1, 1),
    ] {
        let mut mesh = Mesh::new();
        mesh.take(node, logs);
        let accounting = mesh.accounting();
        assert_eq!(
            (accounting.observed, accounting.skipped(Skipped::NotACall)),
            (0, 1)
        );
    }
}

// proves: k8s-mesh/tunnel-connect
#[test]
fn a_refused_tunnel_is_no_request() {
    let mut mesh = Mesh::new();
    let mut entry = request(through_waypoint(""), Some(404));
    entry.request.as_mut().unwrap().request_method = 6;
    mesh.take(WAYPOINT_NODE, http([entry]));
    assert_eq!(mesh.accounting().skipped(Skipped::NotACall), 1);
}

// proves: k8s-mesh/endpoint-id
#[test]
fn a_sidecar_and_a_gateway_reach_pods_through_tunnels_too() {
    let mut of_sidecar = outbound();
    of_sidecar.upstream_remote_address = internal("10.0.0.2:9080");
    assert_eq!(
        edges(PRODUCTPAGE_NODE, ok(of_sidecar)),
        ["source: productpage -> reviews"]
    );
    let mut of_gateway = through_gateway();
    of_gateway.upstream_remote_address = internal("10.0.0.1:9080");
    let expected = [
        "destination: unknown -> gateway",
        "source: gateway -> productpage",
    ];
    assert_eq!(edges(GATEWAY_NODE, ok(of_gateway)), expected);
}
