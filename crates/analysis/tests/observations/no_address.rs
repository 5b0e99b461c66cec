//! An end without an address is unknown, and its call counts.

use als_proto::messages::envoy::config::core::v3::Address;
use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::accounting::{Skipped, Unattributed};
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

const PIPE: &str = "/run/application.sock";
const INBOUND: &str = "inbound|9080||";
/// Node ids of whom the directory does not know.
const STRANGER_NODE: &str = "sidecar~10.0.0.99~stranger.demo~demo.svc.cluster.local";
const PLAIN_NODE: &str = "edge-7";
const TO_VIP: &str = "inbound-vip|9080|http|reviews.demo.svc.cluster.local";

fn blank() -> Option<Address> {
    socket("", 9080)
}

#[rstest]
// proves: k8s-mesh/no-address
#[case::inbound_from_a_pipe(REVIEWS_NODE, (pipe(PIPE), socket(REVIEWS, 9080), socket(REVIEWS, 9080)), INBOUND,
    &["destination: unknown -> reviews"], 1)]
// proves: k8s-mesh/no-address
#[case::inbound_from_nobody(REVIEWS_NODE, (None, socket(REVIEWS, 9080), socket(REVIEWS, 9080)), INBOUND,
    &["destination: unknown -> reviews"], 1)]
// proves: k8s-mesh/no-address
#[case::inbound_from_a_blank(REVIEWS_NODE, (blank(), socket(REVIEWS, 9080), pipe(PIPE)), INBOUND,
    &["destination: unknown -> reviews"], 1)]
// proves: k8s-mesh/own-pod
#[case::inbound_at_nothing(REVIEWS_NODE, (socket(PRODUCTPAGE, 1), None, None), INBOUND,
    &["destination: productpage -> reviews"], 0)]
// proves: k8s-mesh/own-pod
#[case::outbound_from_a_pipe(PRODUCTPAGE_NODE, (pipe(PIPE), pipe(PIPE), socket(REVIEWS, 9080)), REVIEWS_CLUSTER,
    &["source: productpage -> reviews"], 0)]
// proves: k8s-mesh/no-address
#[case::a_strangers_outbound(STRANGER_NODE, (pipe(PIPE), pipe(PIPE), socket(REVIEWS, 9080)), REVIEWS_CLUSTER,
    &["source: unknown -> reviews"], 1)]
// proves: k8s-mesh/no-address
#[case::outbound_to_a_service_that_is_down(STRANGER_NODE, (None, None, None), REVIEWS_CLUSTER,
    &["source: unknown -> unknown"], 2)]
// proves: k8s-mesh/pipe-outbound
#[case::no_route_from_a_pipe(PRODUCTPAGE_NODE, (pipe(PIPE), pipe(PIPE), None), "",
    &["source: productpage -> unknown"], 1)]
// proves: k8s-mesh/own-pod, k8s-mesh/no-address
#[case::gateway_on_a_pipe(GATEWAY_NODE, (pipe(PIPE), pipe(PIPE), socket(REVIEWS, 9080)), REVIEWS_CLUSTER,
    &["destination: unknown -> gateway", "source: gateway -> reviews"], 1)]
// proves: k8s-mesh/no-address
#[case::plain_gateway_on_a_pipe(PLAIN_NODE, (pipe(PIPE), pipe(PIPE), socket(REVIEWS, 9080)), REVIEWS_CLUSTER,
    &["destination: unknown -> unknown", "source: unknown -> reviews"], 3)]
// proves: k8s-mesh/no-address
#[case::waypoint(WAYPOINT_NODE, (pipe(PIPE), None, internal("10.0.0.2:9080")), TO_VIP,
    &["waypoint: unknown -> reviews"], 1)]
// proves: k8s-mesh/no-address
#[case::waypoint_direct(WAYPOINT_NODE, (None, socket(REVIEWS, 9080), None), "encap",
    &["waypoint: unknown -> reviews"], 1)]
fn a_call_counts_whichever_end_has_no_address(
    #[case] node: &str,
    #[case] (remote, local, upstream): (Option<Address>, Option<Address>, Option<Address>),
    #[case] cluster: &str,
    #[case] expected: &[&str],
    #[case] unknown: u64,
) {
    let common = common(remote, local, upstream, cluster);
    for logs in [ok(common.clone()), tcp(common, 1, 1)] {
        let mut mesh = Mesh::new();
        mesh.take(node, logs);
        assert_eq!(mesh.edges(), expected);
        let accounting = mesh.accounting();
        assert_eq!(accounting.observed, 1);
        assert_eq!(accounting.parties_unattributed(Unattributed::NoAddress), unknown);
    }
}

fn nothing(cluster: &str) -> AccessLogCommon {
    common(None, None, None, cluster)
}

#[rstest]
// proves: k8s-mesh/nothing-known
#[case::no_direction(&[K8sMesh], REVIEWS_NODE, "")]
// proves: k8s-mesh/nothing-known
#[case::passthrough(&[K8sMesh], STRANGER_NODE, "PassthroughCluster")]
// proves: k8s-mesh/nothing-known
#[case::gateways_own_answer(&[K8sMesh], PLAIN_NODE, "")]
// proves: k8s-mesh/nothing-known
#[case::no_direction_by_peers(&[MxMesh, K8sMesh], REVIEWS_NODE, "")]
// proves: k8s-mesh/nothing-known
#[case::waypoint(&[K8sMesh], WAYPOINT_NODE, "inbound|9080||")]
// proves: k8s-mesh/nothing-known
#[case::waypoint_by_peers(&[MxMesh], WAYPOINT_NODE, "inbound|9080||")]
// proves: k8s-mesh/nothing-known
#[case::waypoint_by_both(&[K8sMesh, MxMesh], WAYPOINT_NODE, "inbound|9080||")]
// proves: k8s-mesh/nothing-known
#[case::waypoint_by_peers_first(&[MxMesh, K8sMesh], WAYPOINT_NODE, "inbound|9080||")]
fn an_entry_that_tells_of_no_end_and_no_service_is_skipped(
    #[case] chain: &[Analyzer],
    #[case] node: &str,
    #[case] cluster: &str,
) {
    let mut mesh = Mesh::analyzed_by(chain);
    mesh.take(node, tcp(nothing(cluster), 1, 1));
    assert_eq!(mesh.accounting().skipped(Skipped::NoAddress), 1);
    assert_eq!(mesh.edges(), Vec::<String>::new());
}

// proves: mx-mesh/no-peer
#[test]
fn peers_alone_make_a_call() {
    let mut mesh = Mesh::analyzed_by(&[MxMesh]);
    mesh.take_from(identifier_of(REVIEWS_NODE, "own"), ok(nothing(INBOUND)));
    mesh.take(STRANGER_NODE, ok(nothing(REVIEWS_CLUSTER)));
    assert_eq!(
        mesh.edges(),
        ["destination: unknown -> own", "source: unknown -> unknown"]
    );
}
