//! Parties that are no pods: nodes, Services, endpoints without a pod, hosts outside the mesh.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::accounting::Unattributed;
use alscope_analysis::chain::Analyzer::{K8sMesh, MxMesh};
use alscope_analysis::directory::records::{EndpointSliceRecord, PodRecord, Record, ServiceEntryRecord};
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;
use crate::peers::peer;

/// A `ServiceEntry` with these hosts and addresses.
fn entry(name: &str, hosts: &[&str], addresses: &[&str]) -> Record {
    Record::ServiceEntry(ServiceEntryRecord {
        name: name.into(),
        namespace: "outside".into(),
        labels: [].into(),
        annotations: [].into(),
        selector: None,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        export_to: vec![],
        ports: vec![port(443)],
        created: at(STARTED),
    })
}

/// The mesh with hosts outside it, an endpoint without a pod and a pod of the host network.
pub(crate) fn mesh() -> Mesh {
    let endpoint = EndpointSliceRecord {
        name: "database-manual".into(),
        namespace: "demo".into(),
        service: "database".into(),
        ports: vec![port(5432)],
        pods: vec![],
        addresses: vec!["192.0.2.7".parse().unwrap()],
        created: at(STARTED),
    };
    let agent = PodRecord {
        host_network: true,
        ports: vec![9100],
        ..pod("agent", NODE)
    };
    let mut mesh = Mesh::new();
    mesh.directory = directory_with([
        Record::EndpointSlice(endpoint),
        Record::Pod(agent),
        entry(
            "legacy",
            &["legacy.example.com", "old.example.com"],
            &["198.51.100.0/24"],
        ),
        entry("vm", &["vm.example.com"], &["198.51.100.9", "fd00:1::/32"]),
        entry("all", &["all.example.com"], &["10.0.0.0/8"]),
        entry("api", &["api.example.com", "*.wild.example.com"], &[]),
    ]);
    mesh
}

/// productpage reaches `address` by `cluster`.
pub(crate) fn reached(address: &str, port: u32, cluster: &str) -> AccessLogCommon {
    common(
        socket(PRODUCTPAGE, 40_000),
        socket(address, port),
        socket(address, port),
        cluster,
    )
}

pub(crate) const OUT: &str = "PassthroughCluster";

#[rstest]
// proves: k8s-mesh/pod-first
#[case::a_pod_in_a_block(reached(REVIEWS, 9080, OUT), "reviews", "demo")]
// proves: k8s-mesh/pod-without-service
#[case::a_pod_without_a_service(reached(GATEWAY, 7000, OUT), "gateway", "demo")]
// proves: k8s-mesh/host-network
#[case::host_network(reached(NODE, 9100, OUT), "agent", "demo")]
// proves: k8s-mesh/node-address
#[case::node(reached(NODE, 22, OUT), "unknown", "unknown")]
// proves: k8s-mesh/service-address
#[case::service(reached(REVIEWS_SERVICE, 9080, REVIEWS_CLUSTER), "unknown", "demo")]
// proves: labels/service-passed-by
#[case::service_passed_by(reached(REVIEWS_SERVICE, 9080, OUT), "unknown", "unknown")]
// proves: k8s-mesh/endpoint-without-pod
#[case::endpoint(
    reached("192.0.2.7", 5432, "outbound|5432||database.demo.svc.cluster.local"),
    "unknown",
    "demo"
)]
// proves: labels/service-passed-by
#[case::endpoint_passed_by(reached("192.0.2.7", 5432, OUT), "unknown", "unknown")]
// proves: k8s-mesh/service-entry-address
#[case::block(reached("198.51.100.255", 443, OUT), "legacy.example.com", "outside")]
// proves: k8s-mesh/service-entry-address
#[case::address(reached("198.51.100.9", 443, OUT), "vm.example.com", "outside")]
// proves: k8s-mesh/service-entry-address
#[case::ipv6(reached("fd00:1::7", 443, OUT), "vm.example.com", "outside")]
// proves: k8s-mesh/service-entry-host
#[case::named_host(
    reached("198.51.100.8", 443, "outbound|443||old.example.com"),
    "old.example.com",
    "outside"
)]
// proves: k8s-mesh/service-entry-host
#[case::dns(
    reached("203.0.113.5", 443, "outbound|443||api.example.com"),
    "api.example.com",
    "outside"
)]
// proves: k8s-mesh/service-entry-host
#[case::wildcard(
    reached("203.0.113.5", 443, "outbound|443||*.wild.example.com"),
    "*.wild.example.com",
    "outside"
)]
// proves: k8s-mesh/service-entry-host
#[case::behind_a_node(
    reached(NODE, 22, "outbound|443||api.example.com"),
    "api.example.com",
    "outside"
)]
#[case::a_pod_behind_a_host(reached(REVIEWS, 9080, "outbound|443||api.example.com"), "reviews", "demo")]
#[case::no_entry(
    reached("203.0.113.5", 443, "outbound|443||other.example.com"),
    "unknown",
    "unknown"
)]
#[case::nobody(reached("203.0.113.5", 443, OUT), "unknown", "unknown")]
fn the_called_party(#[case] common: AccessLogCommon, #[case] workload: &str, #[case] namespace: &str) {
    for logs in [ok(common.clone()), tcp(common, 1, 1)] {
        let mut mesh = mesh();
        mesh.take(PRODUCTPAGE_NODE, logs);
        let series: Vec<Labels> = mesh.http().into_iter().map(|(labels, _)| labels).collect();
        let connections: Vec<Labels> = mesh.tcp().into_iter().map(|(labels, _)| labels).collect();
        let [labels] = [series, connections].concat().try_into().unwrap();
        let found = ["destination_workload", "destination_workload_namespace"].map(|name| labels.get(name));
        assert_eq!(found, [workload, namespace]);
    }
}

// proves: labels/service-entry-namespace
#[test]
fn the_service_of_an_outside_host_is_the_host_in_the_namespace_of_its_entry() {
    let mut mesh = mesh();
    mesh.take(
        PRODUCTPAGE_NODE,
        ok(reached("203.0.113.5", 443, "outbound|443||api.example.com")),
    );
    let labels = mesh.only_http();
    let names = [
        "destination_service",
        "destination_service_name",
        "destination_service_namespace",
        "destination_canonical_service",
        "destination_canonical_revision",
        "destination_cluster",
    ];
    let expected = [
        "api.example.com",
        "api.example.com",
        "outside",
        "api.example.com",
        "latest",
        "Kubernetes",
    ];
    assert_eq!(names.map(|name| labels.get(name)), expected);
    assert_eq!(mesh.accounting().attributed, 1);
}

// proves: k8s-mesh/no-upstream
#[test]
fn a_host_that_was_not_reached_has_no_workload() {
    let mut mesh = mesh();
    let common = common(
        socket(PRODUCTPAGE, 40_000),
        socket("203.0.113.5", 443),
        None,
        "outbound|443||api.example.com",
    );
    mesh.take(PRODUCTPAGE_NODE, http([request(common, Some(503))]));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), "source: productpage -> unknown");
    assert_eq!(labels.get("destination_service_namespace"), "outside");
    assert_eq!(mesh.accounting().parties_unattributed(Unattributed::NoAddress), 1);
}

// proves: k8s-mesh/service-entry-address
#[test]
fn a_caller_outside_the_mesh_is_known_by_its_address() {
    let mut mesh = mesh();
    let mut common = inbound();
    common.downstream_direct_remote_address = socket("198.51.100.9", 50_000);
    mesh.take(REVIEWS_NODE, ok(common));
    assert_eq!(mesh.only_http().edge(), "destination: vm.example.com -> reviews");
}

#[rstest]
// proves: chain/outside-is-no-workload
#[case::described(Some("reviews-west"), "source: productpage -> reviews-west")]
#[case::not_described(None, "source: productpage -> legacy.example.com")]
fn a_workload_behind_an_outside_address_may_describe_itself(
    #[case] described: Option<&str>,
    #[case] expected: &str,
) {
    let mut mesh = Mesh::analyzed_by(&[K8sMesh, MxMesh]);
    mesh.directory = self::mesh().directory;
    let mut common = reached("198.51.100.8", 443, OUT);
    let object = described.map(|workload| ("upstream_peer".to_owned(), peer(workload)));
    common.filter_state_objects.extend(object);
    mesh.take(PRODUCTPAGE_NODE, ok(common));
    assert_eq!(mesh.edges(), [expected]);
}
