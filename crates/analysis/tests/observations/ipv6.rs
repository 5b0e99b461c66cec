//! A mesh whose pods and Services have IPv6 addresses, alone or beside those of IPv4.

use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use alscope_analysis::directory::records::Record;
use alscope_analysis::directory::state::DirectoryState;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

const PRODUCTPAGE_6: &str = "fd00:10::1";
const REVIEWS_6: &str = "fd00:10::2";
const REVIEWS_SERVICE_6: &str = "fd00:96::2";
const PRODUCTPAGE_NODE_6: &str = "sidecar~fd00:10::1~productpage-7d9f-x.demo~demo.svc.cluster.local";
const REVIEWS_NODE_6: &str = "sidecar~fd00:10::2~reviews-7d9f-x.demo~demo.svc.cluster.local";

/// The mesh with only these addresses.
fn mesh_of(productpage: &[&str], reviews: &[&str], service: &[&str]) -> Mesh {
    let parsed = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
    let mut state = in_mesh(DirectoryState::default());
    for (workload, addresses) in [("productpage", productpage), ("reviews", reviews)] {
        let mut pod = pod(workload, PRODUCTPAGE);
        pod.addresses = parsed(addresses);
        state.apply(Record::Pod(pod), at(STARTED));
    }
    let mut record = service_of_reviews();
    record.addresses = parsed(service);
    state.apply(Record::Service(record), at(STARTED));
    let mut mesh = Mesh::new();
    mesh.directory = state.publish().unwrap();
    mesh
}

fn call(remote: &str, local: &str, upstream: &str, cluster: &str) -> AccessLogCommon {
    common(
        socket(remote, 40_000),
        socket(local, 9080),
        socket(upstream, 9080),
        cluster,
    )
}

fn single() -> Mesh {
    mesh_of(&[PRODUCTPAGE_6], &[REVIEWS_6], &[REVIEWS_SERVICE_6])
}

fn dual() -> Mesh {
    mesh_of(
        &[PRODUCTPAGE, PRODUCTPAGE_6],
        &[REVIEWS, REVIEWS_6],
        &[REVIEWS_SERVICE, REVIEWS_SERVICE_6],
    )
}

#[rstest]
#[case::outbound(
    single(),
    PRODUCTPAGE_NODE_6,
    call(PRODUCTPAGE_6, REVIEWS_SERVICE_6, REVIEWS_6, REVIEWS_CLUSTER),
    "source"
)]
#[case::inbound(
    single(),
    REVIEWS_NODE_6,
    call(PRODUCTPAGE_6, REVIEWS_6, REVIEWS_6, "inbound|9080||"),
    "destination"
)]
#[case::written_at_length(
    single(),
    PRODUCTPAGE_NODE_6,
    call("fd00:0010:0:0:0:0:0:1", REVIEWS_SERVICE_6, "FD00:10::2", REVIEWS_CLUSTER),
    "source"
)]
#[case::without_a_cluster(
    single(),
    REVIEWS_NODE_6,
    call(PRODUCTPAGE_6, REVIEWS_6, REVIEWS_6, ""),
    "destination"
)]
#[case::dual_stack_over_ipv6(
    dual(),
    PRODUCTPAGE_NODE,
    call(PRODUCTPAGE_6, REVIEWS_SERVICE_6, REVIEWS_6, REVIEWS_CLUSTER),
    "source"
)]
#[case::dual_stack_over_ipv4(
    dual(),
    PRODUCTPAGE_NODE_6,
    call(PRODUCTPAGE, REVIEWS_SERVICE, REVIEWS, REVIEWS_CLUSTER),
    "source"
)]
#[case::dual_stack_inbound(
    dual(),
    REVIEWS_NODE,
    call(PRODUCTPAGE_6, REVIEWS_6, REVIEWS_6, "inbound|9080||"),
    "destination"
)]
#[case::ipv4_in_ipv6(
    dual(),
    PRODUCTPAGE_NODE,
    call("::ffff:10.0.0.1", "::ffff:10.96.0.2", "::ffff:10.0.0.2", REVIEWS_CLUSTER),
    "source"
)]
fn a_pod_is_found_by_each_of_its_addresses(
    #[case] mut mesh: Mesh,
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] reporter: &str,
) {
    mesh.take(node, ok(common));
    let labels = mesh.only_http();
    assert_eq!(labels.edge(), format!("{reporter}: productpage -> reviews"));
    assert_eq!(
        labels.get("destination_service"),
        "reviews.demo.svc.cluster.local"
    );
}
