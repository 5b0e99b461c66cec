//! The analyzer `mx-mesh`: who called whom by what the proxies say about themselves, for HTTP and TCP by the same rules.

mod labels;

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::accounting::{Rejected, Skipped, Unattributed};
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use prost_types::Any;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;
use crate::objects::*;

/// A peer in the words of Istio 1.24 and later.
pub(crate) fn peer(workload: &str) -> Any {
    let fields = [("workload", workload), ("namespace", "demo"), ("cluster", "west")];
    any_struct(&texts(&fields))
}

/// An entry without any address, with objects of the filter state.
fn without_addresses(cluster: &str, objects: &[(&str, Any)]) -> AccessLogCommon {
    let objects = objects
        .iter()
        .map(|(key, object)| ((*key).to_owned(), object.clone()));
    AccessLogCommon {
        filter_state_objects: objects.collect(),
        ..common(None, None, None, cluster)
    }
}

const INBOUND: &str = "inbound|9080||";
const TO_VIP: &str = "inbound-vip|9080|http|reviews.demo.svc.cluster.local";

/// Objects of the filter state by keys: each names the workload that its key is.
fn named(keys: &[&'static str]) -> Vec<(&'static str, Any)> {
    let workload = |key: &str| {
        if key.contains("upstream") {
            "reviews"
        } else {
            "productpage"
        }
    };
    keys.iter().map(|key| (*key, peer(workload(key)))).collect()
}

#[rstest]
// proves: mx-mesh/outbound
#[case::outbound(
    "mx-mesh: upstream peer of a sidecar's outbound entry",
    PRODUCTPAGE_NODE, REVIEWS_CLUSTER, &["upstream_peer"], &["source: own -> reviews"]
)]
// proves: mx-mesh/inbound
#[case::inbound(
    "mx-mesh: downstream peer of a sidecar's inbound entry",
    REVIEWS_NODE, INBOUND, &["downstream_peer"], &["destination: productpage -> own"]
)]
// proves: mx-mesh/one-observation
#[case::outbound_with_both(
    "mx-mesh: a sidecar's outbound entry is one observation, whatever peers it has",
    PRODUCTPAGE_NODE, REVIEWS_CLUSTER, &["upstream_peer", "downstream_peer"], &["source: own -> reviews"]
)]
// proves: mx-mesh/one-observation
#[case::inbound_with_both(
    "mx-mesh: a sidecar's inbound entry is one observation, whatever peers it has",
    REVIEWS_NODE, INBOUND, &["upstream_peer", "downstream_peer"], &["destination: productpage -> own"]
)]
// proves: mx-mesh/no-peer
#[case::outbound_without(
    "mx-mesh: an outbound entry without a peer called somebody unknown",
    PRODUCTPAGE_NODE, REVIEWS_CLUSTER, &[], &["source: own -> unknown"]
)]
// proves: mx-mesh/outbound
#[case::outbound_with_the_other(
    "mx-mesh: a downstream peer is not whom an outbound entry called",
    PRODUCTPAGE_NODE, REVIEWS_CLUSTER, &["downstream_peer"], &["source: own -> unknown"]
)]
// proves: mx-mesh/inbound
#[case::inbound_without(
    "mx-mesh: an inbound entry without a peer was called by somebody unknown",
    REVIEWS_NODE, INBOUND, &["upstream_peer"], &["destination: unknown -> own"]
)]
// proves: mx-mesh/outbound, mx-mesh/no-peer
#[case::passthrough(
    "mx-mesh: the way out of the mesh is outbound",
    PRODUCTPAGE_NODE, "PassthroughCluster", &[], &["source: own -> unknown"]
)]
// proves: mx-mesh/inbound
#[case::inbound_passthrough(
    "mx-mesh: a port that no service declares is inbound",
    REVIEWS_NODE, "InboundPassthroughCluster", &["downstream_peer"], &["destination: productpage -> own"]
)]
// proves: mx-mesh/gateway
#[case::gateway(
    "mx-mesh: a gateway is called by its downstream peer and calls its upstream peer",
    GATEWAY_NODE, REVIEWS_CLUSTER, &["upstream_peer", "downstream_peer"],
    &["destination: productpage -> own", "source: own -> reviews"]
)]
// proves: mx-mesh/gateway-client
#[case::external_client(
    "mx-mesh: a gateway's client outside the mesh is unknown",
    GATEWAY_NODE, REVIEWS_CLUSTER, &["upstream_peer"], &["destination: unknown -> own", "source: own -> reviews"]
)]
// proves: mx-mesh/local-reply
#[case::gateways_own_answer(
    "mx-mesh: a gateway that answers by itself calls somebody unknown",
    GATEWAY_NODE, "", &["downstream_peer"], &["destination: productpage -> own", "source: own -> unknown"]
)]
// proves: mx-mesh/waypoint
#[case::waypoint(
    "mx-mesh: a waypoint stands between its peers and is none of them",
    WAYPOINT_NODE, TO_VIP, &["upstream_peer", "downstream_peer"], &["waypoint: productpage -> reviews"]
)]
// proves: mx-mesh/waypoint, mx-mesh/no-peer
#[case::waypoint_without(
    "mx-mesh: a waypoint without peers reports a call between unknown parties",
    WAYPOINT_NODE, TO_VIP, &[], &["waypoint: unknown -> unknown"]
)]
// proves: mx-mesh/spellings-once
#[case::both_spellings(
    "mx-mesh: an entry with several spellings of a peer is counted once",
    PRODUCTPAGE_NODE, REVIEWS_CLUSTER,
    &["upstream_peer", "upstream_peer_obj", "wasm.upstream_peer", "envoy.wasm.metadata_exchange.upstream"],
    &["source: own -> reviews"]
)]
// proves: peer/keys
#[case::old_spelling(
    "mx-mesh: the spelling of Istio before 1.24 is as good",
    REVIEWS_NODE, INBOUND, &["wasm.downstream_peer", "wasm.downstream_peer_id"], &["destination: productpage -> own"]
)]
// proves: mx-mesh/no-cluster
#[case::no_cluster_called(
    "mx-mesh: without cluster and address a sidecar with a downstream peer was called",
    REVIEWS_NODE, "", &["downstream_peer"], &["destination: productpage -> own"]
)]
// proves: mx-mesh/no-cluster
#[case::no_cluster_calling(
    "mx-mesh: without cluster and address a sidecar with an upstream peer called",
    PRODUCTPAGE_NODE, "", &["upstream_peer"], &["source: own -> reviews"]
)]
fn peers_are_the_parties(
    #[case] rule: &str,
    #[case] node: &str,
    #[case] cluster: &str,
    #[case] keys: &[&'static str],
    #[case] expected: &[&str],
) {
    let common = without_addresses(cluster, &named(keys));
    for logs in [ok(common.clone()), tcp(common, 1, 1)] {
        let mut mesh = Mesh::analyzed_by(&[MxMesh]);
        mesh.take_from(identifier_of(node, "own"), logs);
        assert_eq!(mesh.edges(), expected, "{rule}");
        let accounting = mesh.accounting();
        assert_eq!((accounting.received, accounting.observed), (1, 1), "{rule}");
        let requests: u64 = mesh.http().iter().map(|(_, counts)| counts.requests).sum();
        let connections: u64 = mesh.tcp().iter().map(|(_, counts)| counts.connections).sum();
        assert_eq!(requests + connections, expected.len() as u64, "{rule}");
    }
}

#[rstest]
// proves: mx-mesh/infrastructure
#[case::own_infrastructure("agent", &["upstream_peer"], Skipped::NotACall)]
// proves: mx-mesh/infrastructure
#[case::a_waypoints_cluster(TO_VIP, &["upstream_peer"], Skipped::NotACall)]
// proves: mx-mesh/no-cluster
#[case::no_sign_of_a_direction("", &[], Skipped::NoAddress)]
// proves: mx-mesh/no-cluster
#[case::signs_of_both_directions("", &["upstream_peer", "downstream_peer"], Skipped::NoAddress)]
fn what_is_no_call_of_a_sidecar_is_skipped(
    #[case] cluster: &str,
    #[case] keys: &[&'static str],
    #[case] reason: Skipped,
) {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(
        identifier_of(REVIEWS_NODE, "own"),
        ok(without_addresses(cluster, &named(keys))),
    );
    assert_eq!(mesh.accounting().skipped(reason), 1);
    assert_eq!(mesh.edges(), Vec::<String>::new());
}

#[rstest]
// proves: mx-mesh/local-address-first
#[case::own(REVIEWS, "destination: productpage -> own")]
// proves: mx-mesh/local-address-first
#[case::of_a_service(REVIEWS_SERVICE, "source: own -> reviews")]
fn without_a_cluster_the_local_address_goes_before_the_peers(#[case] local: &str, #[case] expected: &str) {
    let mut common = without_addresses("", &named(&["upstream_peer", "downstream_peer"]));
    common.downstream_local_address = socket(local, 9080);
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier_of(REVIEWS_NODE, "own"), ok(common));
    assert_eq!(mesh.edges(), [expected]);
}

// proves: mx-mesh/no-directory
#[test]
fn addresses_are_neither_needed_nor_read() {
    let mut common = common(
        socket("no address", 1),
        socket("nor this", 1),
        socket("nor that", 1),
        REVIEWS_CLUSTER,
    );
    common.filter_state_objects = [("upstream_peer".to_owned(), peer("reviews"))].into();
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "own"), ok(common));
    assert_eq!(mesh.edges(), ["source: own -> reviews"]);
    assert_eq!(mesh.accounting().attributed, 1);
}

// proves: mx-mesh/no-peer, mx-mesh/no-upstream
#[test]
fn a_missing_peer_is_not_found_and_without_an_upstream_there_is_no_address() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "own"), ok(outbound()));
    mesh.take_from(identifier_of(REVIEWS_NODE, "own"), ok(inbound()));
    let mut no_upstream = outbound();
    no_upstream.upstream_remote_address = None;
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "own"), ok(no_upstream));
    let accounting = mesh.accounting();
    assert_eq!((accounting.observed, accounting.unattributed), (3, 3));
    assert_eq!(accounting.parties_unattributed(Unattributed::NotFound), 2);
    assert_eq!(accounting.parties_unattributed(Unattributed::NoAddress), 1);
}

// proves: mx-mesh/own-node
#[test]
fn a_node_that_names_no_workload_is_unknown() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take(
        "edge-7",
        ok(without_addresses(REVIEWS_CLUSTER, &named(&["upstream_peer"]))),
    );
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> unknown", "source: unknown -> reviews"]
    );
    assert_eq!(mesh.accounting().parties_unattributed(Unattributed::NotFound), 3);
}

#[rstest]
// proves: mx-mesh/unreadable
#[case::cut_short(any_bytes(&[0x1c, 0, 0, 0, 0, 0]))]
// proves: mx-mesh/unreadable
#[case::of_another_type(packed("Duration", vec![]))]
// proves: mx-mesh/unreadable
#[case::no_struct(packed("Struct", vec![0xff; 9]))]
fn a_peer_that_cannot_be_read_is_missing_and_its_entry_counts(#[case] object: Any) {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    let objects = [("upstream_peer", object.clone()), ("wasm.upstream_peer", object)];
    mesh.take_from(
        identifier_of(PRODUCTPAGE_NODE, "own"),
        ok(without_addresses(REVIEWS_CLUSTER, &objects)),
    );
    assert_eq!(mesh.edges(), ["source: own -> unknown"]);
}

#[rstest]
#[case::a_label_of_metrics("workload", 4097, 1)]
#[case::at_the_limit("workload", 4096, 0)]
#[case::the_pod_is_no_label("name", 4097, 0)]
#[case::what_nobody_reads("other", 4097, 0)]
fn a_peers_string_above_the_limit_rejects_its_entry(
    #[case] field: &str,
    #[case] length: usize,
    #[case] rejected: u64,
    #[values("upstream_peer", "downstream_peer")] key: &str,
) {
    let text = "x".repeat(length);
    let object = any_struct(&texts(&[("service", "reviews"), (field, &text)]));
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(
        identifier_of(GATEWAY_NODE, "own"),
        ok(without_addresses(REVIEWS_CLUSTER, &[(key, object)])),
    );
    let accounting = mesh.accounting();
    assert_eq!(accounting.rejected(Rejected::StringTooLong), rejected);
    assert_eq!(accounting.observed, 1 - rejected);
}

#[rstest]
#[case::above_the_limit(4097, MxMesh, 1)]
#[case::at_the_limit(4096, MxMesh, 0)]
#[case::nobody_asks_the_node(4097, K8sMesh, 0)]
fn a_nodes_string_above_the_limit_rejects_its_entries(
    #[case] length: usize,
    #[case] analyzer: Analyzer,
    #[case] rejected: u64,
) {
    let mut mesh = Mesh::analyzed_by(&[analyzer]);
    let identifier = identifier_of(PRODUCTPAGE_NODE, &"x".repeat(length));
    mesh.take_from(identifier, ok(outbound()));
    let accounting = mesh.accounting();
    assert_eq!(accounting.rejected(Rejected::StringTooLong), rejected);
    assert_eq!(accounting.observed, 1 - rejected);
}
