//! TLS server names, and connections that say nothing of whom they are for.

use super::*;

#[rstest]
// proves: labels/service-of-server-name
#[case::outside("203.0.113.5", "PassthroughCluster", "Payments.example", ["payments.example", "PassthroughCluster", "unknown"])]
// proves: labels/service-of-server-name
#[case::refused("203.0.113.5", "BlackHoleCluster", "payments.example", ["payments.example", "BlackHoleCluster", "unknown"])]
// proves: labels/service-of-server-name
#[case::known("203.0.113.5", "PassthroughCluster", "web.demo", ["web.demo.svc.cluster.local", "PassthroughCluster", "unknown"])]
// proves: labels/service-of-server-name
#[case::known_without_cluster("203.0.113.5", "", "cart.shop.svc", CART)]
#[case::unknown_without_cluster("203.0.113.5", "", "payments.example", UNKNOWN)]
#[case::passed_by_without_name("10.96.0.7", "PassthroughCluster", "", ["unknown", "PassthroughCluster", "unknown"])]
// proves: labels/service-wanted
#[case::nobody_there("10.96.0.7", "", "", WEB)]
#[case::nobody_anywhere("203.0.113.5", "", "", UNKNOWN)]
#[case::of_the_cluster("203.0.113.5", "outbound|443||api.example.com", "payments.example", API)]
fn the_service_of_a_connection(
    #[case] address: &str,
    #[case] cluster: &str,
    #[case] server_name: &str,
    #[case] expected: [&str; 3],
) {
    let mut mesh = mesh();
    mesh.take(PRODUCTPAGE_NODE, connects(address, cluster, server_name));
    assert_eq!(called(&mut mesh, "source"), expected);
}

// proves: labels/service-of-server-name
#[test]
fn no_gateway_waypoint_or_server_side_tells_a_server_name() {
    for (node, common) in [
        (GATEWAY_NODE, through_gateway()),
        (WAYPOINT_NODE, to_nobody("")),
        (REVIEWS_NODE, inbound()),
    ] {
        for cluster in ["PassthroughCluster", "", "inbound|9080||"] {
            let tls = TlsProperties {
                tls_sni_hostname: "payments.example".into(),
                ..TlsProperties::default()
            };
            let common = AccessLogCommon {
                tls_properties: Some(tls),
                upstream_cluster: cluster.into(),
                ..common.clone()
            };
            if node == REVIEWS_NODE && cluster == "PassthroughCluster" {
                continue;
            }
            let mut mesh = mesh();
            mesh.take(node, tcp(common, 1, 1));
            for (labels, _) in mesh.tcp() {
                assert_ne!(labels.get("destination_service"), "payments.example", "{node}");
            }
        }
    }
}
