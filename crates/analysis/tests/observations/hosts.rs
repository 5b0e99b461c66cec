//! Hosts that clients write: they name a service that the directory knows, or nothing, or, of what a sidecar passes on, one of few.

use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, TlsProperties};
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::directory::records::{Record, ServiceEntryRecord, ServiceRecord};
use alscope_analysis::directory::{Directory, Port};
use alscope_analysis::port_protocol::PortProtocol::Grpc;
use alscope_analysis::shard::AnalysisSettings;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

mod bound;
mod exported;
mod served;
mod server_names;

const SERVICE: [&str; 3] = [
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
];
const UNKNOWN: [&str; 3] = ["unknown"; 3];

fn service((namespace, name): (&str, &str), addresses: &[&str]) -> Record {
    Record::Service(ServiceRecord {
        selector: None,
        name: name.into(),
        namespace: namespace.into(),
        labels: [].into(),
        annotations: [].into(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        ports: vec![port(80)],
        created: at(STARTED),
    })
}

fn service_entry(namespace: &str, host: &str, addresses: &[&str], export_to: &[&str]) -> Record {
    Record::ServiceEntry(ServiceEntryRecord {
        selector: None,
        name: host.into(),
        namespace: namespace.into(),
        labels: [].into(),
        annotations: [].into(),
        hosts: vec![host.into()],
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        export_to: export_to.iter().map(ToString::to_string).collect(),
        ports: vec![port(80)],
        created: at(STARTED),
    })
}

/// The mesh with Services of two namespaces, one without an address, and hosts outside.
fn directory() -> Directory {
    directory_with([
        service(("demo", "web"), &["10.96.0.7", "fd00::7"]),
        service(("shop", "web"), &["10.96.0.8"]),
        service(("shop", "cart"), &["10.96.0.9"]),
        service(("demo", "db"), &[]),
        service(("com", "example"), &["10.96.0.10"]),
        service_entry(
            "outside",
            "api.example.com",
            &["198.51.100.1", "192.0.2.0/24"],
            &[],
        ),
        service_entry("outside", "*.wild.example.com", &[], &[]),
        service_entry("outside", "example.com", &[], &[]),
        service_entry("outside", "vm.demo.svc.cluster.local", &[], &[]),
        service_entry("outside", "web.demo.svc.cluster.local", &[], &[]),
        service_entry("outside", "hidden.example.com", &[], &["."]),
    ])
}

fn mesh() -> Mesh {
    mesh_within(RegistryBounds::default())
}

fn mesh_within(bounds: RegistryBounds) -> Mesh {
    let mut mesh = Mesh::with(AnalysisSettings::default(), bounds);
    mesh.directory = directory();
    mesh
}

/// A request for `authority`.
fn asks(common: AccessLogCommon, authority: &str) -> Logs {
    let mut entry = request(common, Some(503));
    entry.request.as_mut().unwrap().authority = authority.into();
    http([entry])
}

/// productpage's call that reached nobody, by this cluster.
fn to_nobody(cluster: &str) -> AccessLogCommon {
    let wanted = socket("203.0.113.5", 80);
    common(socket(PRODUCTPAGE, 40_000), wanted, None, cluster)
}

/// The service of the only call that `reporter` has.
fn called(mesh: &mut Mesh, reporter: &str) -> [String; 3] {
    let http = mesh.http().into_iter().map(|(labels, _)| labels);
    let mut series: Vec<Labels> = http.filter(|labels| labels.get("reporter") == reporter).collect();
    let tcp = mesh.tcp().into_iter().map(|(labels, _)| labels);
    series.extend(tcp.filter(|labels| labels.get("reporter") == reporter));
    assert_eq!(series.len(), 1, "{series:#?}");
    SERVICE.map(|name| series[0].get(name).to_owned())
}

const WEB: [&str; 3] = ["web.demo.svc.cluster.local", "web", "demo"];
const CART: [&str; 3] = ["cart.shop.svc.cluster.local", "cart", "shop"];
const DB: [&str; 3] = ["db.demo.svc.cluster.local", "db", "demo"];
const API: [&str; 3] = ["api.example.com", "api.example.com", "outside"];

#[rstest]
// proves: labels/service-of-authority
#[case::name("web", WEB)]
// proves: labels/service-of-authority
#[case::port("web:80", WEB)]
// proves: labels/service-of-authority
#[case::namespace("web.demo", WEB)]
#[case::another_namespace("web.shop:8080", ["web.shop.svc.cluster.local", "web", "shop"])]
// proves: labels/service-of-authority
#[case::svc("cart.shop.svc", CART)]
// proves: labels/service-of-authority
#[case::full("cart.shop.svc.cluster.local:80", CART)]
// proves: labels/host-any-case
#[case::any_case("Cart.SHOP.svc.Cluster.Local", CART)]
// proves: labels/host-any-case
#[case::dot("cart.shop.svc.cluster.local.:80", CART)]
// proves: labels/service-of-authority
#[case::of_another_namespace("cart", UNKNOWN)]
#[case::of_another_domain("cart.shop.svc.other.local", UNKNOWN)]
#[case::half_a_domain("cart.shop.svc.cluster", UNKNOWN)]
// proves: labels/service-address
#[case::cluster_ip("10.96.0.7:80", WEB)]
// proves: labels/service-address
#[case::ipv6("[fd00::7]:80", WEB)]
#[case::a_pods_address("10.0.0.2:9080", UNKNOWN)]
#[case::nobodys_address("10.96.0.77", UNKNOWN)]
// proves: labels/service-headless
#[case::pod_of_headless("db-0.db", DB)]
// proves: labels/service-headless
#[case::pod_of_headless_in_full("db-0.db.demo.svc.cluster.local:80", DB)]
#[case::pod_of_headless_and_namespace("db-0.db.demo", DB)]
// proves: labels/service-headless
#[case::below_a_service_with_an_address("web-0.web.demo.svc.cluster.local", UNKNOWN)]
// proves: labels/service-entry-namespace
#[case::host("api.example.com", API)]
// proves: labels/service-entry-namespace
#[case::address_of_host("198.51.100.1", API)]
#[case::address_in_a_block_of_host("192.0.2.1", UNKNOWN)]
// proves: labels/service-wildcard
#[case::wildcard("junk-1.wild.example.com:80", ["*.wild.example.com", "*.wild.example.com", "outside"])]
// proves: labels/service-wildcard
#[case::two_below_the_wildcard("a.b.wild.example.com", ["*.wild.example.com", "*.wild.example.com", "outside"])]
// proves: directory/service-entry-visibility
#[case::not_exported("hidden.example.com", UNKNOWN)]
#[case::host_before_a_short_name("example.com", ["example.com", "example.com", "outside"])]
#[case::service_before_a_host("web.demo.svc.cluster.local", WEB)]
// proves: labels/service-of-authority
#[case::short_name_of_a_host("vm.demo", ["vm.demo.svc.cluster.local", "vm.demo.svc.cluster.local", "outside"])]
// proves: labels/host-unknown
#[case::junk("junk-1.example", UNKNOWN)]
// proves: labels/host-unknown
#[case::junk_in_the_mesh("junk.demo.svc.cluster.local", UNKNOWN)]
#[case::one_word("junk", UNKNOWN)]
#[case::nothing("", UNKNOWN)]
fn a_host_names_the_service_that_istios_virtual_hosts_would(
    #[case] authority: &str,
    #[case] expected: [&str; 3],
) {
    let mut mesh = mesh();
    mesh.take(PRODUCTPAGE_NODE, asks(to_nobody(""), authority));
    assert_eq!(called(&mut mesh, "source"), expected);
}

/// Where a call of each kind of proxy has its service from a host, if from any.
#[rstest]
// proves: labels/host-unknown
#[case::sidecar(PRODUCTPAGE_NODE, to_nobody(""), "source", WEB)]
// proves: labels/gateway-without-route
#[case::gateway_without_cluster(GATEWAY_NODE, AccessLogCommon { upstream_cluster: String::new(), ..through_gateway() }, "source", UNKNOWN)]
// proves: labels/host-unknown
#[case::gateway_of_another_cluster(GATEWAY_NODE, AccessLogCommon { upstream_cluster: "my-cluster".into(), ..through_gateway() }, "source", WEB)]
// proves: labels/host-unknown, cluster/dynamic-forward-proxy
#[case::gateway_of_a_hosts_own_cluster(GATEWAY_NODE, AccessLogCommon { upstream_cluster: "DFPCluster:junk.example:80".into(), ..through_gateway() }, "source", WEB)]
// proves: labels/host-unknown
#[case::gateway_of_an_inbound_cluster(GATEWAY_NODE, AccessLogCommon { upstream_cluster: "inbound|80||".into(), ..through_gateway() }, "source", WEB)]
// proves: labels/host-unknown
#[case::plain_envoy("edge-7", AccessLogCommon { upstream_cluster: "my-cluster".into(), ..through_gateway() }, "source", WEB)]
#[case::plain_envoy_without_cluster("edge-7", AccessLogCommon { upstream_cluster: String::new(), ..through_gateway() }, "source", UNKNOWN)]
// proves: labels/host-unknown
#[case::waypoint(WAYPOINT_NODE, to_nobody(""), "waypoint", WEB)]
// proves: labels/host-unknown
#[case::inbound_of_an_unknown_pod(
    "sidecar~10.0.0.66~x.demo~demo.svc.cluster.local",
    common(socket(PRODUCTPAGE, 40_000), socket("10.0.0.66", 80), None, "inbound|80||"),
    "destination",
    WEB
)]
#[case::inbound_of_a_pod(REVIEWS_NODE,
    common(socket(PRODUCTPAGE, 40_000), socket(REVIEWS, 7000), socket(REVIEWS, 7000), "inbound|7000||"), "destination", ["reviews", "reviews", "demo"])]
fn no_proxy_labels_what_a_client_wrote(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] reporter: &str,
    #[case] expected: [&str; 3],
) {
    let told = |authority: &str| {
        let mut mesh = mesh();
        mesh.take(node, asks(common.clone(), authority));
        called(&mut mesh, reporter)
    };
    assert_eq!(told("web.demo"), expected);
    let of_junk = if expected == WEB { UNKNOWN } else { expected };
    assert_eq!(told("junk-1.example"), of_junk);
    assert_eq!(told("junk.demo.svc.cluster.local:80"), of_junk);
}

#[rstest]
// proves: labels/caller-namespace
#[case::of_the_sidecars_node(
    "sidecar~10.0.0.77~x.shop~shop.svc.cluster.local",
    to_nobody(""),
    "source",
    CART
)]
// proves: labels/caller-namespace
#[case::of_the_gateways_pod("edge-7", AccessLogCommon { upstream_cluster: "my-cluster".into(), ..through_gateway() }, "source", UNKNOWN)]
// proves: labels/caller-namespace
#[case::of_the_waypoints_caller(
    "waypoint~10.0.0.9~w.shop~shop.svc.cluster.local",
    to_nobody(""),
    "waypoint",
    UNKNOWN
)]
// proves: labels/caller-namespace
#[case::of_the_callers_certificate(WAYPOINT_NODE, AccessLogCommon { tls_properties: Some(certified("shop")),
    downstream_direct_remote_address: socket("203.0.113.7", 1), ..to_nobody("") }, "waypoint", CART)]
#[case::nobodys(WAYPOINT_NODE, AccessLogCommon { downstream_direct_remote_address: socket("203.0.113.7", 1), ..to_nobody("") }, "waypoint", UNKNOWN)]
fn a_bare_name_is_one_of_the_callers_namespace(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] reporter: &str,
    #[case] expected: [&str; 3],
) {
    let mut mesh = mesh();
    mesh.take(node, asks(common, "cart:80"));
    assert_eq!(called(&mut mesh, reporter), expected);
}

/// The TLS of a caller in `namespace`.
fn certified(namespace: &str) -> TlsProperties {
    let mut tls = inbound().tls_properties.unwrap();
    let peer = tls.peer_certificate_properties.as_mut().unwrap();
    let uri = format!("spiffe://cluster.local/ns/{namespace}/sa/caller");
    peer.subject_alt_name[0].san =
        Some(als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::subject_alt_name::San::Uri(uri));
    tls
}

// proves: labels/service-of-cluster
#[test]
fn what_istiod_wrote_stands_whatever_the_client_wrote() {
    for (node, cluster, reporter) in [
        (
            PRODUCTPAGE_NODE,
            "outbound|80||gone.demo.svc.cluster.local",
            "source",
        ),
        (GATEWAY_NODE, "outbound|80||gone.demo.svc.cluster.local", "source"),
        (
            GATEWAY_NODE,
            "outbound_.80_._.gone.demo.svc.cluster.local",
            "source",
        ),
        (
            WAYPOINT_NODE,
            "inbound-vip|80|http|gone.demo.svc.cluster.local",
            "waypoint",
        ),
    ] {
        let mut mesh = mesh();
        mesh.take(node, asks(to_nobody(cluster), "web.demo"));
        mesh.take(node, asks(to_nobody(cluster), "junk-1.example"));
        assert_eq!(
            called(&mut mesh, reporter),
            ["gone.demo.svc.cluster.local", "gone", "demo"]
        );
    }
}

// proves: protocol/port-of-authority
#[test]
fn the_port_that_a_host_is_asked_at_tells_what_it_speaks() {
    let mut mesh = mesh();
    let Record::Service(record) = service(("demo", "web"), &["10.96.0.7"]) else {
        return;
    };
    let grpc = Port {
        number: 9090,
        protocol: Grpc,
    };
    mesh.directory = directory_with([Record::Service(ServiceRecord {
        selector: None,
        ports: vec![grpc],
        ..record
    })]);
    for authority in ["web:9090", "web"] {
        let mut entry = request(to_nobody(""), Some(200));
        // HTTP/2.
        entry.protocol_version = 3;
        let request = entry.request.as_mut().unwrap();
        (request.authority, request.request_method) = (authority.into(), 3);
        mesh.take(PRODUCTPAGE_NODE, http([entry]));
    }
    let mut protocols: Vec<String> = mesh
        .http()
        .iter()
        .map(|(labels, _)| labels.get("request_protocol").to_owned())
        .collect();
    protocols.sort();
    assert_eq!(protocols, ["grpc", "http"]);
}

/// A TCP connection of productpage to `address` by `cluster`, whose TLS asks for `server_name`.
fn connects(address: &str, cluster: &str, server_name: &str) -> Logs {
    let tls = TlsProperties {
        tls_sni_hostname: server_name.into(),
        ..TlsProperties::default()
    };
    let wanted = socket(address, 443);
    let common = AccessLogCommon {
        tls_properties: (!server_name.is_empty()).then_some(tls),
        ..common(socket(PRODUCTPAGE, 40_000), wanted, None, cluster)
    };
    tcp(common, 1, 1)
}
