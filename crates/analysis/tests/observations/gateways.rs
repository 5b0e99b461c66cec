use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::accounting::Unattributed;
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::identify::CallerAddress::{self, Direct, Forwarded};
use alscope_analysis::reporter::Reporter;
use alscope_analysis::shard::AnalysisSettings;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

// proves: k8s-mesh/gateway, labels/reporter, k8s-mesh/unknown-caller
#[test]
fn a_gateway_reports_its_downstream_and_its_upstream() {
    let mut mesh = Mesh::new();
    mesh.take(GATEWAY_NODE, ok(through_gateway()));
    assert_eq!(
        mesh.edges(),
        [
            "destination: unknown -> gateway",
            "source: gateway -> productpage"
        ]
    );
    let accounting = mesh.accounting();
    assert_eq!((accounting.received, accounting.observed), (1, 1));
    assert_eq!(accounting.observations(Reporter::Source), 1);
    assert_eq!(accounting.observations(Reporter::Destination), 1);
    assert_eq!(accounting.parties_unattributed(Unattributed::NotFound), 1);
    assert_eq!((accounting.attributed, accounting.unattributed), (0, 1));
}

// proves: k8s-mesh/direct-caller
#[test]
fn behind_a_gateway_the_caller_is_the_direct_remote_address() {
    let mut mesh = Mesh::new();
    let mut common = inbound();
    common.downstream_remote_address = socket("203.0.113.9", 50_000);
    common.downstream_direct_remote_address = socket(GATEWAY, 42_000);
    mesh.take(REVIEWS_NODE, ok(common));
    assert_eq!(mesh.edges(), ["destination: gateway -> reviews"]);
}

// proves: k8s-mesh/remote-caller
#[test]
fn without_a_direct_address_the_caller_is_the_remote_address() {
    let mut mesh = Mesh::new();
    let mut common = inbound();
    common.downstream_direct_remote_address = None;
    mesh.take(REVIEWS_NODE, ok(common));
    assert_eq!(mesh.edges(), ["destination: productpage -> reviews"]);
}

// proves: k8s-mesh/local-reply, labels/gateway-without-route
#[test]
fn a_gateways_own_answer_has_neither_upstream_nor_service() {
    let mut mesh = Mesh::new();
    let mut common = through_gateway();
    (common.upstream_remote_address, common.upstream_cluster) = (None, String::new());
    mesh.take(GATEWAY_NODE, http([request(common, Some(404))]));
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> gateway", "source: gateway -> unknown"]
    );
    let mut series = mesh.http().into_iter();
    let (source, _) = series
        .find(|(labels, _)| labels.get("reporter") == "source")
        .unwrap();
    // The directory knows the Service that the client wrote, and Istio still would not look.
    let service = [
        "destination_service",
        "destination_service_name",
        "destination_service_namespace",
    ];
    assert_eq!(service.map(|name| source.get(name)), ["unknown"; 3]);
}

// proves: k8s-mesh/plain-envoy
#[test]
fn an_envoy_that_is_not_istios_is_a_gateway() {
    let mut mesh = Mesh::new();
    let mut common = through_gateway();
    common.upstream_cluster = "my-cluster".into();
    mesh.take("edge-7", ok(common));
    assert_eq!(
        mesh.edges(),
        [
            "destination: unknown -> gateway",
            "source: gateway -> productpage"
        ]
    );
}

// proves: k8s-mesh/tcp
#[test]
fn a_tcp_gateway_follows_the_same_rules() {
    let mut mesh = Mesh::new();
    mesh.take(GATEWAY_NODE, tcp(through_gateway(), 0, 0));
    assert_eq!(
        mesh.edges(),
        [
            "destination: unknown -> gateway",
            "source: gateway -> productpage"
        ]
    );
}

// proves: k8s-mesh/gateway-any-cluster
#[test]
fn whatever_a_gateway_calls_its_clusters_its_entries_are_calls() {
    for cluster in ["my-cluster", "xds-grpc", "inbound|8080||"] {
        let mut mesh = Mesh::new();
        let mut common = through_gateway();
        common.upstream_cluster = cluster.into();
        mesh.take(GATEWAY_NODE, ok(common));
        let expected = [
            "destination: unknown -> gateway",
            "source: gateway -> productpage",
        ];
        assert_eq!(mesh.edges(), expected, "{cluster}");
    }
}

// proves: labels/gateway-security
#[test]
fn a_gateways_clients_certificate_says_nothing_about_whom_it_calls() {
    let mut mesh = Mesh::new();
    let mut common = through_gateway();
    common.tls_properties = inbound().tls_properties;
    mesh.take(GATEWAY_NODE, ok(common));
    let names = [
        "reporter",
        "connection_security_policy",
        "source_principal",
        "destination_principal",
    ];
    let mut found: Vec<_> = mesh
        .http()
        .iter()
        .map(|(labels, _)| names.map(|name| labels.get(name).to_owned()))
        .collect();
    found.sort();
    let expected = [
        [
            "destination",
            "mutual_tls",
            "spiffe://cluster.local/ns/demo/sa/productpage",
            "spiffe://cluster.local/ns/demo/sa/reviews",
        ],
        ["source", "unknown", "unknown", "unknown"],
    ];
    assert_eq!(found, expected);
}

/// A mesh that takes this address for the caller's of a gateway.
fn taking(gateway_caller: CallerAddress) -> Mesh {
    let settings = AnalysisSettings {
        gateway_caller,
        ..AnalysisSettings::default()
    };
    Mesh::with(settings, RegistryBounds::default())
}

/// A call that `direct` forwards for `remote`, with `direct`'s certificate.
fn forwarded(common: AccessLogCommon, remote: &str, direct: &str) -> AccessLogCommon {
    AccessLogCommon {
        downstream_remote_address: socket(remote, 0),
        downstream_direct_remote_address: socket(direct, 42_000),
        tls_properties: inbound().tls_properties,
        ..common
    }
}

#[rstest]
// proves: k8s-mesh/forwarded-caller
#[case::trusted(
    Forwarded,
    GATEWAY_NODE,
    forwarded(through_gateway(), REVIEWS, PRODUCTPAGE),
    "reviews"
)]
// proves: k8s-mesh/forwarded-caller
#[case::not_trusted(
    Direct,
    GATEWAY_NODE,
    forwarded(through_gateway(), REVIEWS, PRODUCTPAGE),
    "productpage"
)]
// proves: k8s-mesh/forwarded-caller
#[case::of_a_plain_envoy(
    Forwarded,
    "edge-7",
    forwarded(through_gateway(), REVIEWS, PRODUCTPAGE),
    "reviews"
)]
// proves: k8s-mesh/forwarded-outside
#[case::nobody_known(
    Forwarded,
    GATEWAY_NODE,
    forwarded(through_gateway(), "203.0.113.9", PRODUCTPAGE),
    "unknown"
)]
// proves: k8s-mesh/forwarded-at-gateways
#[case::at_a_sidecar(
    Forwarded,
    REVIEWS_NODE,
    forwarded(inbound(), GATEWAY, PRODUCTPAGE),
    "productpage"
)]
// proves: k8s-mesh/forwarded-at-gateways
#[case::at_a_waypoint(
    Forwarded,
    WAYPOINT_NODE,
    AccessLogCommon { upstream_cluster: "inbound-vip|9080|http|reviews.demo.svc.cluster.local".into(), ..forwarded(inbound(), GATEWAY, PRODUCTPAGE) },
    "productpage"
)]
// proves: k8s-mesh/remote-caller
#[case::nobody_forwarded(
    Forwarded,
    GATEWAY_NODE,
    AccessLogCommon { downstream_remote_address: pipe("/x"), ..forwarded(through_gateway(), REVIEWS, PRODUCTPAGE) },
    "productpage"
)]
fn who_called(
    #[case] gateway_caller: CallerAddress,
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] expected: &str,
) {
    for logs in [ok(common.clone()), tcp(common, 1, 1)] {
        let mut mesh = taking(gateway_caller);
        mesh.take(node, logs);
        let edges = mesh.edges();
        let (_, edge) = edges[0].split_once(": ").unwrap();
        assert_eq!(edge.split_once(" -> ").unwrap().0, expected);
        let unknown = mesh.accounting().parties_unattributed(Unattributed::NotFound);
        assert_eq!(unknown, u64::from(expected == "unknown"));
    }
}

#[rstest]
// proves: k8s-mesh/forwarded-principal
#[case::forwarded(Forwarded, REVIEWS, ["unknown", "mutual_tls"])]
// proves: k8s-mesh/forwarded-principal
#[case::its_own(Forwarded, PRODUCTPAGE, ["spiffe://cluster.local/ns/demo/sa/productpage", "mutual_tls"])]
// proves: k8s-mesh/forwarded-principal
#[case::not_trusted(Direct, REVIEWS, ["spiffe://cluster.local/ns/demo/sa/productpage", "mutual_tls"])]
fn who_forwards_proves_nothing_about_the_caller(
    #[case] gateway_caller: CallerAddress,
    #[case] remote: &str,
    #[case] expected: [&str; 2],
) {
    let mut mesh = taking(gateway_caller);
    mesh.take(
        GATEWAY_NODE,
        ok(forwarded(through_gateway(), remote, PRODUCTPAGE)),
    );
    let series = mesh.http();
    let called = series
        .iter()
        .find(|(labels, _)| labels.get("reporter") == "destination");
    let (labels, _) = called.unwrap();
    assert_eq!(
        ["source_principal", "connection_security_policy"].map(|name| labels.get(name)),
        expected
    );
}
