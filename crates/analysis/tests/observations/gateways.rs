use alscope_analysis::accounting::Unattributed;
use alscope_analysis::party::Reporter;

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

// proves: k8s-mesh/local-reply, labels/service-of-authority
#[test]
fn a_gateways_own_answer_has_no_upstream() {
    let mut mesh = Mesh::new();
    let mut common = through_gateway();
    (common.upstream_remote_address, common.upstream_cluster) = (None, String::new());
    mesh.take(GATEWAY_NODE, http([request(common, Some(404))]));
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> gateway", "source: gateway -> unknown"]
    );
    let source = mesh
        .http()
        .into_iter()
        .find(|(labels, _)| labels.get("reporter") == "source")
        .unwrap()
        .0;
    assert_eq!(source.get("destination_service"), "reviews");
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
