//! What the calls of an edge rest on: the rule behind each party, its count and its example.

mod examples;

use std::collections::BTreeMap;

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use alscope_analysis::aggregate::evidence::CountedEvidence;
use alscope_analysis::aggregate::example::ExampleRequest;
use alscope_analysis::aggregate::labels::Edge;
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::Record;
use alscope_analysis::names::method::Method;
use alscope_analysis::node::Node;
use alscope_analysis::reporter::Reporter;
use alscope_analysis::rule::Rule;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress};
use proptest::prelude::*;
use prost::Message as _;
use rstest::rstest;

use crate::conservation;
use crate::entry::*;
use crate::mesh::*;
use crate::outside::{self, reached};
use crate::peers::peer;

/// Each reporter with the rules behind the source and the destination.
fn rules(rows: &[&CountedEvidence]) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut rules: Vec<_> = rows
        .iter()
        .map(|row| {
            let evidence = &row.evidence;
            (
                evidence.reporter.as_str(),
                evidence.source_rule.id(),
                evidence.destination_rule.id(),
            )
        })
        .collect();
    rules.sort_unstable();
    rules
}

/// The rules behind one entry, the same for HTTP and TCP.
fn rules_of(
    chain: &[Analyzer],
    directory: &Directory,
    node: &str,
    common: AccessLogCommon,
) -> Vec<(&'static str, &'static str, &'static str)> {
    let [http, tcp] = [ok(common.clone()), tcp(common, 1, 1)].map(|logs| {
        let mut mesh = Mesh::analyzed_by(chain);
        mesh.directory = directory.clone();
        mesh.take_from(identifier_of(node, "own"), logs);
        rules(&mesh.snapshot().evidence.rows())
    });
    assert_eq!(http, tcp);
    http
}

const POD: &str = "k8s-mesh/pod-address";

fn from(address: &str) -> AccessLogCommon {
    AccessLogCommon {
        downstream_direct_remote_address: socket(address, 40_000),
        ..inbound()
    }
}

/// productpage called reviews through a tunnel, as a gateway behind it logs it.
fn through_a_tunnel() -> AccessLogCommon {
    AccessLogCommon {
        upstream_remote_address: internal("10.0.0.2:9080"),
        ..outbound()
    }
}

fn too_early() -> AccessLogCommon {
    AccessLogCommon {
        start_time: timestamp(STARTED - 6),
        ..outbound()
    }
}

fn without_upstream(common: AccessLogCommon) -> AccessLogCommon {
    AccessLogCommon {
        upstream_remote_address: None,
        ..common
    }
}

#[rstest]
// proves: k8s-mesh/pod-address
#[case::pod(PRODUCTPAGE_NODE, outbound(), &[("source", POD, POD)])]
// proves: k8s-mesh/host-network
#[case::host_network(PRODUCTPAGE_NODE, reached(NODE, 9100, ""), &[("source", POD, "k8s-mesh/host-network")])]
// proves: k8s-mesh/endpoint-id
#[case::endpoint_id(PRODUCTPAGE_NODE, through_a_tunnel(), &[("source", POD, "k8s-mesh/endpoint-id")])]
// proves: k8s-mesh/loopback-caller
#[case::loopback(REVIEWS_NODE, from("127.0.0.1"), &[("destination", "k8s-mesh/loopback-caller", POD)])]
// proves: k8s-mesh/service-address
#[case::service(PRODUCTPAGE_NODE, reached(REVIEWS_SERVICE, 9080, ""), &[("source", POD, "k8s-mesh/service-address")])]
// proves: k8s-mesh/endpoint-without-pod
#[case::endpoint(PRODUCTPAGE_NODE, reached("192.0.2.7", 5432, ""), &[("source", POD, "k8s-mesh/endpoint-without-pod")])]
// proves: k8s-mesh/service-entry-address
#[case::address(PRODUCTPAGE_NODE, reached("198.51.100.9", 443, ""), &[("source", POD, "k8s-mesh/service-entry-address")])]
// proves: directory/service-entry-block
#[case::block(PRODUCTPAGE_NODE, reached("198.51.100.8", 443, ""), &[("source", POD, "directory/service-entry-block")])]
// proves: directory/service-entry-block
#[case::ipv6_block(PRODUCTPAGE_NODE, reached("fd00:1::7", 443, ""), &[("source", POD, "directory/service-entry-block")])]
// proves: k8s-mesh/service-entry-host
#[case::host(PRODUCTPAGE_NODE, reached("203.0.113.5", 443, "outbound|443||api.example.com"),
    &[("source", POD, "k8s-mesh/service-entry-host")])]
#[case::host_that_nobody_names(PRODUCTPAGE_NODE, reached("203.0.113.5", 443, "outbound|443||other.example.com"),
    &[("source", POD, "k8s-mesh/not-found")])]
// proves: k8s-mesh/not-found
#[case::nobody(REVIEWS_NODE, from("203.0.113.5"), &[("destination", "k8s-mesh/not-found", POD)])]
// proves: k8s-mesh/node-address
#[case::node(REVIEWS_NODE, from(NODE), &[("destination", "k8s-mesh/node-address", POD)])]
// proves: directory/before-history
#[case::early(PRODUCTPAGE_NODE, too_early(), &[("source", "directory/before-history", "directory/before-history")])]
// proves: k8s-mesh/no-upstream
#[case::no_upstream(PRODUCTPAGE_NODE, without_upstream(outbound()), &[("source", POD, "k8s-mesh/no-upstream")])]
// proves: k8s-mesh/gateway
#[case::gateway(GATEWAY_NODE, through_gateway(), &[("destination", "k8s-mesh/not-found", POD), ("source", POD, POD)])]
fn what_the_directory_says(
    #[case] node: &str,
    #[case] mut common: AccessLogCommon,
    #[case] expected: &[(&str, &str, &str)],
) {
    if common.upstream_cluster.is_empty() {
        common.upstream_cluster = outside::OUT.into();
    }
    let directory = outside::mesh().directory;
    assert_eq!(rules_of(&[K8sMesh], &directory, node, common), expected);
}

// proves: directory/ambiguous
#[test]
fn two_pods_of_one_address_are_ambiguous() {
    let directory = directory_with([Record::Pod(pod("other", REVIEWS))]);
    let rules = rules_of(&[K8sMesh], &directory, PRODUCTPAGE_NODE, outbound());
    assert_eq!(rules, [("source", POD, "directory/ambiguous")]);
}

fn with(common: AccessLogCommon, peers: &[&str]) -> AccessLogCommon {
    let objects = peers.iter().map(|key| ((*key).to_owned(), peer("mx")));
    AccessLogCommon {
        filter_state_objects: objects.collect(),
        ..common
    }
}

const OWN: &str = "mx-mesh/own-node";

#[rstest]
// proves: mx-mesh/own-node, mx-mesh/upstream-peer
#[case::outbound(PRODUCTPAGE_NODE, with(outbound(), &["upstream_peer"]), &[("source", OWN, "mx-mesh/upstream-peer")])]
// proves: mx-mesh/own-node, mx-mesh/downstream-peer
#[case::inbound(REVIEWS_NODE, with(inbound(), &["downstream_peer"]), &[("destination", "mx-mesh/downstream-peer", OWN)])]
// proves: mx-mesh/no-peer
#[case::other_side(PRODUCTPAGE_NODE, with(outbound(), &["downstream_peer"]), &[("source", OWN, "mx-mesh/no-peer")])]
// proves: mx-mesh/no-upstream
#[case::no_upstream(PRODUCTPAGE_NODE, without_upstream(outbound()), &[("source", OWN, "mx-mesh/no-upstream")])]
fn what_the_proxies_say(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] expected: &[(&str, &str, &str)],
) {
    assert_eq!(rules_of(&[MxMesh], &directory(), node, common), expected);
}

#[rstest]
#[case::directory_first(&[K8sMesh, MxMesh], with(outbound(), &["upstream_peer"]), ("source", POD, POD))]
#[case::proxies_first(&[MxMesh, K8sMesh], with(outbound(), &["upstream_peer"]), ("source", OWN, "mx-mesh/upstream-peer"))]
#[case::filled_by_a_peer(&[K8sMesh, MxMesh], with(reached(NODE, 1, outside::OUT), &["upstream_peer"]),
    ("source", POD, "mx-mesh/upstream-peer"))]
#[case::filled_by_the_directory(&[MxMesh, K8sMesh], outbound(), ("source", OWN, POD))]
#[case::the_first_says_why_not(&[K8sMesh, MxMesh], reached(NODE, 1, outside::OUT), ("source", POD, "k8s-mesh/node-address"))]
#[case::the_other_first(&[MxMesh, K8sMesh], reached(NODE, 1, outside::OUT), ("source", OWN, "mx-mesh/no-peer"))]
fn the_rule_is_of_the_analyzer_that_gave_the_party(
    #[case] chain: &[Analyzer],
    #[case] common: AccessLogCommon,
    #[case] expected: (&str, &str, &str),
) {
    let rules = rules_of(chain, &directory(), PRODUCTPAGE_NODE, common);
    assert_eq!(rules, [expected]);
}

/// Whoever is remembered by the same addresses, the rule is each entry's own.
#[test]
fn an_address_inside_envoy_is_remembered_apart() {
    let mut mesh = Mesh::new();
    for common in [outbound(), through_a_tunnel(), outbound(), through_a_tunnel()] {
        mesh.take(PRODUCTPAGE_NODE, ok(common));
    }
    let snapshot = mesh.snapshot();
    let rows = snapshot.evidence.rows();
    assert_eq!(
        rules(&rows),
        [("source", POD, "k8s-mesh/endpoint-id"), ("source", POD, POD)]
    );
    assert!(rows.iter().all(|row| row.observations == 2), "{rows:?}");
}

type Counts = BTreeMap<Edge, u64>;

/// The observations of each edge by its series, whatever their protocol.
fn by_series(snapshot: &Snapshot) -> Counts {
    let mut counts = Counts::new();
    let http = snapshot.http.iter();
    let http = http.map(|(_, labels, counts)| (labels, counts.requests));
    let tcp = snapshot.tcp.iter();
    let tcp = tcp.map(|(_, labels, counts)| (labels, counts.connections));
    for (labels, count) in http.chain(tcp).filter(|(_, count)| *count > 0) {
        let edge = Edge {
            service: labels.edge.destination.clone(),
            is_answered: true,
            protocol: "any",
            ..labels.edge.clone()
        };
        *counts.entry(edge).or_default() += count;
    }
    counts
}

fn by_evidence(snapshot: &Snapshot) -> Counts {
    let mut counts = Counts::new();
    for row in snapshot.evidence.rows() {
        let evidence = &*row.evidence;
        let edge = Edge {
            source: evidence.source.clone(),
            destination: evidence.destination.clone(),
            service: evidence.destination.clone(),
            is_answered: true,
            protocol: "any",
            reporter: evidence.reporter,
        };
        *counts.entry(edge).or_default() += row.observations;
    }
    counts
}

/// Parties that their rules leave unknown, by the rules' reasons; the accounting counts them by itself.
fn check_reasons(snapshot: &Snapshot) {
    use alscope_analysis::accounting::Unattributed;
    for reason in Unattributed::ALL {
        let rows = snapshot.evidence.rows().into_iter();
        let unknown = rows.map(|row| {
            let rules = [row.evidence.source_rule, row.evidence.destination_rule];
            let of_reason = rules.iter().filter(|rule| rule.unattributed() == Some(*reason));
            of_reason.count() as u64 * row.observations
        });
        let expected = snapshot.accounting.parties_unattributed(*reason);
        assert_eq!(unknown.sum::<u64>(), expected, "{reason:?}");
    }
}

proptest! {
    // proves: why/counts
    #[test]
    fn the_evidence_of_an_edge_adds_up_to_its_observations(
        chain in conservation::chain(),
        messages in prop::collection::vec(
            (conservation::node(), prop::collection::vec(conservation::entry(), 0..8), any::<bool>()), 1..6),
    ) {
        let mut mesh = Mesh::analyzed_by(&chain.iter().collect::<Vec<_>>());
        for (node, entries, is_drained) in messages {
            mesh.take(node, http(entries));
            if is_drained {
                mesh.snapshot();
            }
        }
        let snapshot = mesh.snapshot();
        prop_assert_eq!(by_evidence(&snapshot), by_series(&snapshot));
        prop_assert!(snapshot.evidence.rows().iter().all(|row| row.observations > 0 && row.example.is_some()));
        prop_assert_eq!(snapshot.evidence.overflowed, 0);
        check_reasons(&snapshot);
    }
}

// proves: why/overflow
#[test]
fn evidence_beyond_the_bound_is_counted_as_one() {
    let bounds = RegistryBounds {
        evidence: 1,
        ..RegistryBounds::default()
    };
    let mut mesh = Mesh::with(AnalysisSettings::default(), bounds);
    for common in [outbound(), through_a_tunnel(), through_a_tunnel()] {
        mesh.take(PRODUCTPAGE_NODE, ok(common));
    }
    let snapshot = mesh.snapshot();
    assert_eq!(rules(&snapshot.evidence.rows()), [("source", POD, POD)]);
    let [row] = &snapshot.evidence.rows()[..] else {
        panic!("{snapshot:?}")
    };
    assert_eq!((row.observations, snapshot.evidence.overflowed), (1, 2));
    assert_eq!(snapshot.accounting.observations(Reporter::Source), 3);
}

#[test]
fn each_rule_has_an_id_of_its_own_and_its_analyzers_name_or_the_directorys() {
    let mut ids: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    for rule in Rule::ALL {
        let room = rule.id().split('/').next().unwrap();
        assert!(
            room == rule.analyzer().as_str() || room == "directory",
            "{rule:?}"
        );
    }
    ids.sort_unstable();
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
}
