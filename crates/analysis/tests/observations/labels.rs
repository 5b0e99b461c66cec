//! Istio's labels where they do not simply name a pod.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::directory::records::{PodRecord, Record};
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

/// What `mesh` says of one entry of `node`: the values of these labels.
fn values<const N: usize>(
    mut mesh: Mesh,
    node: &str,
    common: AccessLogCommon,
    names: [&str; N],
) -> [String; N] {
    mesh.take(node, ok(common));
    let labels = mesh.only_http();
    names.map(|name| labels.get(name).to_owned())
}

const SERVICE: [&str; 3] = [
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
];

/// An entry of productpage's sidecar to an address that nobody has, by `cluster` or, without one, by `route`.
fn to_nobody(cluster: &str, route: &str) -> AccessLogCommon {
    let nobody = socket("203.0.113.5", 443);
    AccessLogCommon {
        route_name: route.into(),
        ..common(socket(PRODUCTPAGE, 40_000), nobody.clone(), nobody, cluster)
    }
}

#[rstest]
// proves: labels/service-of-cluster
#[case::cluster(REVIEWS_CLUSTER, "", ["reviews.demo.svc.cluster.local", "reviews", "demo"])]
// proves: labels/service-of-cluster
#[case::host("outbound|443||api.example.com", "", ["api.example.com", "api.example.com", "unknown"])]
// proves: labels/service-of-authority
#[case::authority("", "", ["reviews.demo.svc.cluster.local", "reviews", "demo"])]
// proves: labels/service-passthrough
#[case::passthrough("PassthroughCluster", "allow_any", ["reviews.demo.svc.cluster.local", "PassthroughCluster", "unknown"])]
// proves: labels/service-passthrough
#[case::dynamic_dns("AllowAnyDynamicDNSCluster", "", ["reviews.demo.svc.cluster.local", "AllowAnyDynamicDNSCluster", "unknown"])]
// proves: labels/service-black-hole
#[case::black_hole("BlackHoleCluster", "", ["reviews.demo.svc.cluster.local", "BlackHoleCluster", "unknown"])]
// proves: labels/service-of-route
#[case::block_all("", "block_all", ["reviews.demo.svc.cluster.local", "BlackHoleCluster", "unknown"])]
// proves: labels/service-of-route
#[case::allow_any("", "allow_any", ["reviews.demo.svc.cluster.local", "PassthroughCluster", "unknown"])]
// proves: labels/service-of-route
#[case::allow_any_dynamic_dns("", "allow_any_dynamic_dns", ["reviews.demo.svc.cluster.local", "AllowAnyDynamicDNSCluster", "unknown"])]
#[case::another_route("", "default", ["reviews.demo.svc.cluster.local", "reviews", "demo"])]
fn the_called_service(#[case] cluster: &str, #[case] route: &str, #[case] expected: [&str; 3]) {
    let service = values(Mesh::new(), PRODUCTPAGE_NODE, to_nobody(cluster, route), SERVICE);
    assert_eq!(service, expected);
}

#[rstest]
// proves: labels/service-of-port
#[case::of_the_port("inbound|9080||", REVIEWS, 9080, ["reviews.demo.svc.cluster.local", "reviews", "demo"])]
// proves: labels/service-canonical
#[case::of_no_service("inbound|7000||", REVIEWS, 7000, ["reviews", "reviews", "demo"])]
// proves: labels/service-inbound-passthrough
#[case::passthrough("InboundPassthroughCluster", REVIEWS, 7000, ["reviews", "InboundPassthroughCluster", "demo"])]
// proves: labels/service-inbound-passthrough
#[case::passthrough_to_a_service("InboundPassthroughClusterIpv4", REVIEWS, 9080,
    ["reviews.demo.svc.cluster.local", "InboundPassthroughClusterIpv4", "demo"])]
fn the_serving_service(
    #[case] cluster: &str,
    #[case] address: &str,
    #[case] port: u32,
    #[case] expected: [&str; 3],
) {
    let local = socket(address, port);
    let common = common(socket(PRODUCTPAGE, 40_000), local.clone(), local, cluster);
    assert_eq!(values(Mesh::new(), REVIEWS_NODE, common, SERVICE), expected);
}

// proves: labels/service-canonical
#[test]
fn a_connection_to_a_pod_without_a_service_went_to_its_canonical_service() {
    let mut mesh = Mesh::new();
    let local = socket(PRODUCTPAGE, 7000);
    let common = common(socket(REVIEWS, 40_000), local.clone(), local, "inbound|7000||");
    mesh.take(PRODUCTPAGE_NODE, tcp(common, 1, 1));
    let (labels, _) = mesh.tcp().remove(0);
    assert_eq!(
        SERVICE.map(|name| labels.get(name)),
        ["productpage", "productpage", "demo"]
    );
}

const SOURCE: [&str; 5] = [
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_canonical_revision",
    "source_cluster",
];
const PRINCIPAL: &str = "spiffe://cluster.local/ns/demo/sa/productpage";

// proves: labels/source-namespace-of-principal, labels/revision-latest
#[test]
fn a_caller_that_nobody_knows_has_the_namespace_that_its_certificate_proves() {
    let mut common = inbound();
    common.downstream_direct_remote_address = socket("203.0.113.5", 40_000);
    let values = values(Mesh::new(), REVIEWS_NODE, common, SOURCE);
    assert_eq!(values, ["unknown", "demo", PRINCIPAL, "latest", "unknown"]);
}

// proves: labels/unknown, labels/revision-latest
#[test]
fn a_caller_of_whom_nothing_is_known_is_unknown() {
    let mut common = inbound();
    common.downstream_direct_remote_address = socket("203.0.113.5", 40_000);
    common.tls_properties = None;
    let values = values(Mesh::new(), REVIEWS_NODE, common, SOURCE);
    assert_eq!(values, ["unknown", "unknown", "unknown", "latest", "unknown"]);
}

// proves: labels/source-namespace-of-pod
#[test]
fn a_pods_own_namespace_is_not_its_certificates() {
    let mut mesh = Mesh::new();
    let elsewhere = PodRecord {
        namespace: "elsewhere".into(),
        ..pod("productpage", PRODUCTPAGE)
    };
    mesh.directory = directory_with([Record::Pod(elsewhere)]);
    let values = values(mesh, REVIEWS_NODE, inbound(), SOURCE);
    assert_eq!(
        values,
        ["productpage", "elsewhere", PRINCIPAL, "v1", "Kubernetes"]
    );
}

#[rstest]
// proves: labels/canonical-service, labels/canonical-revision
#[case::istios(&[("service.istio.io/canonical-name", "a"), ("service.istio.io/canonical-revision", "7"), ("app", "c"), ("version", "v1")],
    ["reviews", "c", "v1", "a", "7"])]
// proves: labels/app-and-version
#[case::recommended(&[("app.kubernetes.io/name", "b"), ("app.kubernetes.io/version", "2"), ("app", "c"), ("version", "v1")],
    ["reviews", "b", "2", "b", "2"])]
// proves: labels/canonical-service, labels/revision-latest, labels/unknown
#[case::none(&[], ["reviews", "unknown", "unknown", "reviews", "latest"])]
fn a_pods_names(#[case] pairs: &[(&str, &str)], #[case] expected: [&str; 5]) {
    let mut record = pod("reviews", REVIEWS);
    record.labels = pairs
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect();
    record.labels.insert("pod-template-hash".into(), "7d9f".into());
    let mut mesh = Mesh::new();
    mesh.directory = directory_with([Record::Pod(record)]);
    let names = [
        "destination_workload",
        "destination_app",
        "destination_version",
        "destination_canonical_service",
        "destination_canonical_revision",
    ];
    assert_eq!(values(mesh, PRODUCTPAGE_NODE, outbound(), names), expected);
}

#[rstest]
// proves: labels/connection-security-policy
#[case::inbound_with_a_certificate(REVIEWS_NODE, inbound(), "mutual_tls")]
// proves: labels/connection-security-policy
#[case::inbound_without(REVIEWS_NODE, AccessLogCommon { tls_properties: None, ..inbound() }, "none")]
// proves: labels/connection-security-policy
#[case::outbound(PRODUCTPAGE_NODE, AccessLogCommon { tls_properties: inbound().tls_properties, ..outbound() }, "unknown")]
fn the_policy_of_the_connection(#[case] node: &str, #[case] common: AccessLogCommon, #[case] expected: &str) {
    assert_eq!(
        values(Mesh::new(), node, common, ["connection_security_policy"]),
        [expected]
    );
}

// proves: labels/domain
#[test]
fn a_service_is_named_with_the_domain_of_the_reporting_node() {
    let node = REVIEWS_NODE.replace("cluster.local", "mesh.example");
    let service = values(Mesh::new(), &node, inbound(), SERVICE);
    assert_eq!(service, ["reviews.demo.svc.mesh.example", "reviews", "demo"]);
}
