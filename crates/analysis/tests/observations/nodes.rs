//! Which nodes the ends of calls are, and what the edges between them show.

use std::time::Duration;

use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry, ResponseFlags};
use alscope_analysis::aggregate::evidence::Evidence;
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::aggregate::topology::{TopologyRow, rows};
use alscope_analysis::chain::Analyzer::MxMesh;
use alscope_analysis::directory::records::{Record, ServiceRecord};
use alscope_analysis::reporter::Reporter;
use alscope_analysis::role::Role;
use alscope_analysis::shard::AnalysisSettings;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;
use crate::outside::{self, OUT, reached};
use crate::peers::peer;

fn rows_of(mesh: &mut Mesh) -> Vec<TopologyRow> {
    rows(&mesh.snapshot().window.last(Duration::from_mins(1), at(NOW)))
}

/// The ids of both ends of each row, with the share of failed calls.
fn edges(mesh: &mut Mesh) -> Vec<(String, String, Option<f64>)> {
    let rows = rows_of(mesh);
    rows.iter()
        .map(|row| (row.source.id(), row.destination.id(), row.error_share))
        .collect()
}

/// A call to a Service that has no healthy endpoint.
fn unhealthy(service: &str) -> HttpAccessLogEntry {
    let cluster = format!("outbound|9080||{service}.demo.svc.cluster.local");
    let mut common = common(
        socket(PRODUCTPAGE, 40_000),
        socket("10.96.0.7", 9080),
        None,
        &cluster,
    );
    common.response_flags = Some(ResponseFlags {
        no_healthy_upstream: true,
        ..ResponseFlags::default()
    });
    request(common, Some(503))
}

/// A call that somebody answered at an address that nobody knows.
fn answered(service: &str) -> HttpAccessLogEntry {
    let cluster = format!("outbound|9080||{service}.demo.svc.cluster.local");
    request(reached("203.0.113.5", 9080, &cluster), Some(200))
}

// proves: node/service
#[test]
fn services_that_are_down_are_a_node_each() {
    let mut mesh = Mesh::new();
    let entries = [unhealthy("details"), unhealthy("details"), unhealthy("ratings")];
    mesh.take(PRODUCTPAGE_NODE, http(entries));
    let caller = "demo/productpage".to_owned();
    assert_eq!(
        edges(&mut mesh),
        [
            (caller.clone(), "service:demo/details".to_owned(), Some(1.0)),
            (caller, "service:demo/ratings".to_owned(), Some(1.0)),
        ]
    );
}

// proves: node/service
#[test]
fn a_dead_service_fails_for_itself_beside_a_healthy_one() {
    let mut mesh = Mesh::new();
    mesh.take(
        PRODUCTPAGE_NODE,
        http([unhealthy("details"), answered("ratings")]),
    );
    let shares: Vec<_> = edges(&mut mesh)
        .into_iter()
        .map(|(_, to, share)| (to, share))
        .collect();
    assert_eq!(
        shares,
        [
            ("service:demo/details".to_owned(), Some(1.0)),
            ("service:demo/ratings".to_owned(), Some(0.0)),
        ]
    );
}

// proves: outcome/overflow
#[test]
fn calls_beyond_a_bound_have_no_known_outcome() {
    let bounds = RegistryBounds {
        calls: 1,
        ..RegistryBounds::default()
    };
    let mut mesh = Mesh::with(AnalysisSettings::default(), bounds);
    mesh.take(
        PRODUCTPAGE_NODE,
        http([unhealthy("details"), answered("ratings")]),
    );
    let rows = rows_of(&mut mesh);
    let [row] = &rows[..] else { panic!("{rows:#?}") };
    assert_eq!(row.destination.id(), "overflow/overflow");
    assert_eq!((row.error_share, row.unknown_share), (None, 1.0));
}

const DATABASE: &str = "outbound|5432||database.demo.svc.cluster.local";
const LOAD_BALANCER: &str = "198.18.0.7";

/// The mesh with a Service behind a load balancer.
fn mesh() -> Mesh {
    let mut mesh = outside::mesh();
    mesh.directory = directory_with([Record::Service(ServiceRecord {
        selector: None,
        name: "shop".into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        addresses: vec![LOAD_BALANCER.parse().unwrap()],
        ports: vec![port(443)],
        created: at(STARTED),
    })]);
    mesh
}

#[rstest]
#[case::pod(outbound(), "demo/reviews")]
// proves: node/service
#[case::cluster_address(reached(REVIEWS_SERVICE, 9080, REVIEWS_CLUSTER), "service:demo/reviews")]
// proves: node/service
#[case::load_balancer(
    reached(LOAD_BALANCER, 443, "outbound|443||shop.demo.svc.cluster.local"),
    "service:demo/shop"
)]
// proves: node/service
#[case::external_name(
    reached("203.0.113.5", 9080, "outbound|9080||partner.demo.svc.cluster.local"),
    "service:demo/partner"
)]
// proves: node/service
#[case::remote_cluster(reached("203.0.113.77", 15443, REVIEWS_CLUSTER), "service:demo/reviews")]
#[case::node_address(reached(NODE, 30080, REVIEWS_CLUSTER), "service:demo/reviews")]
// proves: node/outside
#[case::host(
    reached("203.0.113.5", 443, "outbound|443||api.example.com"),
    "outside:api.example.com"
)]
// proves: node/outside
#[case::black_hole(reached("203.0.113.5", 443, "BlackHoleCluster"), "outside:BlackHoleCluster")]
fn the_called_party_is_the_service_where_no_workload_is_known(
    #[case] common: AccessLogCommon,
    #[case] expected: &str,
) {
    let mut entry = request(common.clone(), Some(200));
    entry.request.as_mut().unwrap().authority = String::new();
    for logs in [http([entry]), tcp(common, 1, 1)] {
        let mut mesh = mesh();
        mesh.take(PRODUCTPAGE_NODE, logs);
        let edges: Vec<_> = edges(&mut mesh)
            .into_iter()
            .map(|(from, to, _)| (from, to))
            .collect();
        assert_eq!(edges, [("demo/productpage".to_owned(), expected.to_owned())]);
    }
}

#[rstest]
// proves: node/service
#[case::without_selector(reached("192.0.2.7", 5432, DATABASE), "service:demo/database")]
// proves: node/outside
#[case::address(
    reached("198.51.100.9", 443, "outbound|443||vm.example.com"),
    "outside:vm.example.com"
)]
// proves: node/outside
#[case::address_that_nobody_named(reached("198.51.100.9", 443, OUT), "outside:vm.example.com")]
fn a_party_outside_is_no_workload(#[case] common: AccessLogCommon, #[case] expected: &str) {
    let mut mesh = outside::mesh();
    mesh.take(PRODUCTPAGE_NODE, tcp(common, 1, 1));
    assert_eq!(edges(&mut mesh)[0].1, expected);
}

#[rstest]
// proves: node/service-caller
#[case::endpoint("192.0.2.7", "service:demo/database")]
// proves: node/outside
#[case::host("198.51.100.9", "outside:vm.example.com")]
#[case::nobody("203.0.113.5", "unknown")]
fn a_caller_without_a_workload_is_its_service_or_host(#[case] address: &str, #[case] expected: &str) {
    let mut mesh = outside::mesh();
    let mut common = inbound();
    common.downstream_direct_remote_address = socket(address, 50_000);
    common.tls_properties = None;
    mesh.take(REVIEWS_NODE, ok(common));
    assert_eq!(edges(&mut mesh)[0].0, expected);
}

// proves: node/server-side
#[test]
fn a_host_that_only_the_caller_names_is_no_node_of_the_server_side() {
    let mut mesh = Mesh::new();
    let mut common = inbound();
    common.downstream_local_address = socket("10.0.0.77", 9080);
    let mut entry = request(common, Some(200));
    entry.request.as_mut().unwrap().authority = "junk.example".into();
    let node = "sidecar~10.0.0.77~unheard-of.demo~demo.svc.cluster.local";
    mesh.take(node, http([entry]));
    let [(from, to, _)] = &edges(&mut mesh)[..] else {
        panic!("one edge")
    };
    assert_eq!([from, to], ["demo/productpage", "unknown"]);
}

// proves: node/unknown-once
#[test]
fn unknown_callers_are_one_node_whatever_namespace_they_prove() {
    let mut mesh = Mesh::new();
    let mut proved = inbound();
    proved.downstream_direct_remote_address = socket("203.0.113.5", 50_000);
    let mut in_plain = proved.clone();
    in_plain.tls_properties = None;
    let entries = [proved, in_plain].map(|common| request(common, Some(200)));
    mesh.take(REVIEWS_NODE, http(entries));
    let rows = rows_of(&mut mesh);
    let [row] = &rows[..] else { panic!("{rows:#?}") };
    assert_eq!(
        (row.source.id(), row.per_second * 60.0),
        ("unknown".to_owned(), 2.0)
    );
}

/// Under `mx-mesh` a failed client entry has no peer, and the server's entry has the caller's.
// proves: topology/one-workload
#[test]
fn a_failed_call_that_both_sides_report_is_one_edge_as_its_caller_saw_it() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    let timed_out = AccessLogCommon {
        response_flags: Some(ResponseFlags {
            upstream_request_timeout: true,
            ..ResponseFlags::default()
        }),
        ..outbound()
    };
    let entries = [
        request(timed_out.clone(), Some(504)),
        request(timed_out, Some(504)),
    ];
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "productpage"), http(entries));
    let mut hung_up = inbound();
    hung_up.filter_state_objects = [("downstream_peer".to_owned(), peer("productpage"))].into();
    mesh.take_from(
        identifier_of(REVIEWS_NODE, "reviews"),
        http([request(hung_up, Some(0))]),
    );
    let rows = rows_of(&mut mesh);
    let [row] = &rows[..] else { panic!("{rows:#?}") };
    assert_eq!(
        [row.source.id(), row.destination.id()],
        ["demo/productpage", "demo/reviews"]
    );
    assert_eq!(
        (row.reporter, row.per_second * 60.0, row.error_share),
        (Reporter::Source, 2.0, Some(1.0))
    );
}

/// A pod that is called by its own address and an address that nobody answers at have `PassthroughCluster` in common and no service.
// proves: topology/no-service
#[test]
fn what_is_sent_on_without_a_service_is_not_taken_for_the_same() {
    let mut mesh = Mesh::new();
    let lost = AccessLogCommon {
        response_flags: Some(ResponseFlags {
            upstream_connection_failure: true,
            ..ResponseFlags::default()
        }),
        ..reached("203.0.113.5", 9080, OUT)
    };
    mesh.take(PRODUCTPAGE_NODE, tcp(reached(REVIEWS, 9080, OUT), 1, 1));
    mesh.take(PRODUCTPAGE_NODE, tcp(lost, 1, 1));
    let shown: Vec<_> = edges(&mut mesh)
        .into_iter()
        .map(|(_, to, share)| (to, share))
        .collect();
    assert_eq!(
        shown,
        [
            ("demo/reviews".to_owned(), Some(0.0)),
            ("outside:PassthroughCluster".to_owned(), Some(1.0)),
        ]
    );
}

/// What the evidence says each end of the calls is.
fn roles(mesh: &mut Mesh) -> Vec<(String, Role)> {
    let ends = |evidence: &Evidence| {
        [
            (evidence.source.id(), evidence.source_role),
            (evidence.destination.id(), evidence.destination_role),
        ]
    };
    let snapshot = mesh.snapshot();
    snapshot
        .evidence
        .rows()
        .iter()
        .flat_map(|row| ends(&row.evidence))
        .collect()
}

// proves: node/gateway
#[test]
fn a_gateway_is_known_by_its_own_entries() {
    let mut mesh = Mesh::new();
    mesh.take(GATEWAY_NODE, ok(through_gateway()));
    let gateway = ("demo/gateway".to_owned(), Role::Gateway);
    assert_eq!(
        roles(&mut mesh),
        [
            ("unknown".to_owned(), Role::Sidecar),
            gateway.clone(),
            gateway,
            ("demo/productpage".to_owned(), Role::Sidecar),
        ]
    );
}

#[rstest]
// proves: node/waypoint
#[case::waypoint("istio.io-mesh-controller", Role::Waypoint)]
// proves: node/gateway-pod
#[case::gateway("istio.io-gateway-controller", Role::Gateway)]
fn a_pod_that_istiod_made_is_known_to_its_callers(#[case] controller: &str, #[case] expected: Role) {
    let mut made = pod("made", "10.0.0.55");
    made.labels
        .insert("gateway.istio.io/managed".into(), controller.into());
    let mut mesh = Mesh::new();
    mesh.directory = directory_with([Record::Pod(made)]);
    mesh.take(
        PRODUCTPAGE_NODE,
        ok(reached(
            "10.0.0.55",
            15008,
            "outbound|9080||made.demo.svc.cluster.local",
        )),
    );
    assert_eq!(
        roles(&mut mesh),
        [
            ("demo/productpage".to_owned(), Role::Sidecar),
            ("demo/made".to_owned(), expected),
        ]
    );
}
