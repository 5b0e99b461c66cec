//! Chains of analyzers: an earlier one's party is final, a later one fills what is missing.

use std::collections::BTreeMap;

use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use alscope_analysis::accounting::{Rejected, Skipped, Unattributed};
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use alscope_analysis::chain::Chain;
use alscope_analysis::shard::AnalysisSettings;
use proptest::prelude::*;
use rstest::rstest;

use crate::conservation;
use crate::entry::*;
use crate::mesh::*;
use crate::peers::peer;

/// An entry with a peer on both sides, called other than the directory calls them.
fn with_peers(mut common: AccessLogCommon) -> AccessLogCommon {
    common.filter_state_objects = [
        ("upstream_peer".to_owned(), peer("mx-upstream")),
        ("downstream_peer".to_owned(), peer("mx-downstream")),
    ]
    .into();
    common
}

/// An entry whose upstream the directory does not know.
fn upstream_unknown(mut common: AccessLogCommon) -> AccessLogCommon {
    common.upstream_remote_address = socket("198.51.100.7", 443);
    common
}

/// An entry whose upstream is a Service.
fn to_a_service(mut common: AccessLogCommon) -> AccessLogCommon {
    common.upstream_remote_address = socket(REVIEWS_SERVICE, 9080);
    common
}

/// An entry whose caller the directory does not know.
fn caller_unknown(mut common: AccessLogCommon) -> AccessLogCommon {
    common.downstream_direct_remote_address = socket("198.51.100.7", 443);
    common
}

#[rstest]
// proves: k8s-mesh/no-peers
#[case::k8s_alone("k8s-mesh alone reads no peer", &[K8sMesh], PRODUCTPAGE_NODE, upstream_unknown(with_peers(outbound())),
    &["source: productpage -> unknown"])]
// proves: mx-mesh/no-directory
#[case::mx_alone("mx-mesh alone looks nobody up", &[MxMesh], PRODUCTPAGE_NODE, outbound(),
    &["source: mx-own -> unknown"])]
// proves: chain/earlier-is-final
#[case::k8s_first("k8s-mesh,mx-mesh: the directory's parties are final", &[K8sMesh, MxMesh], PRODUCTPAGE_NODE,
    with_peers(outbound()), &["source: productpage -> reviews"])]
// proves: chain/earlier-is-final
#[case::mx_first("mx-mesh,k8s-mesh: the peers are final", &[MxMesh, K8sMesh], PRODUCTPAGE_NODE,
    with_peers(outbound()), &["source: mx-own -> mx-upstream"])]
// proves: chain/later-fills
#[case::mx_fills("k8s-mesh,mx-mesh: a peer fills the party that the directory lacks", &[K8sMesh, MxMesh], PRODUCTPAGE_NODE,
    upstream_unknown(with_peers(outbound())), &["source: productpage -> mx-upstream"])]
// proves: chain/later-fills
#[case::mx_fills_inbound("k8s-mesh,mx-mesh: the caller's party by itself", &[K8sMesh, MxMesh], REVIEWS_NODE,
    caller_unknown(with_peers(inbound())), &["destination: mx-downstream -> reviews"])]
// proves: chain/service-is-no-workload
#[case::mx_names_the_workload(
    "k8s-mesh,mx-mesh: a Service's address names no workload, the peer does", &[K8sMesh, MxMesh], PRODUCTPAGE_NODE,
    to_a_service(with_peers(outbound())), &["source: productpage -> mx-upstream"]
)]
// proves: chain/later-fills
#[case::k8s_fills("mx-mesh,k8s-mesh: the directory fills the party that has no peer", &[MxMesh, K8sMesh], PRODUCTPAGE_NODE,
    outbound(), &["source: mx-own -> reviews"])]
// proves: chain/nobody-knows
#[case::nobody_knows("a party that no analyzer knows is unknown", &[MxMesh, K8sMesh], PRODUCTPAGE_NODE,
    upstream_unknown(outbound()), &["source: mx-own -> unknown"])]
// proves: chain/each-end
#[case::gateway_k8s_first("k8s-mesh,mx-mesh: each side of a gateway by itself", &[K8sMesh, MxMesh], GATEWAY_NODE,
    with_peers(through_gateway()), &["destination: mx-downstream -> gateway", "source: gateway -> productpage"])]
// proves: chain/each-end
#[case::gateway_mx_first("mx-mesh,k8s-mesh: each side of a gateway by itself", &[MxMesh, K8sMesh], GATEWAY_NODE,
    through_gateway(), &["destination: unknown -> mx-own", "source: mx-own -> productpage"])]
fn an_earlier_analyzers_party_is_final(
    #[case] rule: &str,
    #[case] chain: &[Analyzer],
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] expected: &[&str],
) {
    for logs in [ok(common.clone()), tcp(common, 1, 1)] {
        let mut mesh = Mesh::analyzed_by(chain);
        mesh.take_from(identifier_of(node, "mx-own"), logs);
        assert_eq!(mesh.edges(), expected, "{rule}");
    }
}

#[rstest]
// proves: k8s-mesh/bad-address
#[case::k8s(&[K8sMesh], 1, &[])]
// proves: chain/bad-address
#[case::k8s_first(&[K8sMesh, MxMesh], 0, &["source: mx-own -> reviews"])]
// proves: chain/bad-address
#[case::mx_first(&[MxMesh, K8sMesh], 0, &["source: mx-own -> reviews"])]
fn an_address_that_is_none_ends_only_what_depends_on_it(
    #[case] chain: &[Analyzer],
    #[case] rejected: u64,
    #[case] expected: &[&str],
) {
    let mut common = outbound();
    common.downstream_direct_remote_address = socket("no address", 1);
    let mut mesh = Mesh::analyzed_by(chain);
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "mx-own"), ok(common));
    assert_eq!(mesh.edges(), expected);
    assert_eq!(mesh.accounting().rejected(Rejected::BadAddress), rejected);
}

// proves: chain/service-without-peer
#[test]
fn a_services_address_is_attributed_when_there_is_no_peer() {
    for chain in [[MxMesh, K8sMesh], [K8sMesh, MxMesh]] {
        let mut mesh = Mesh::analyzed_by(&chain);
        mesh.take_from(
            identifier_of(PRODUCTPAGE_NODE, "mx-own"),
            ok(to_a_service(outbound())),
        );
        assert_eq!(mesh.accounting().attributed, 1);
        assert_eq!(mesh.only_http().get("destination_workload_namespace"), "demo");
    }
}

#[rstest]
// proves: chain/first-says-why
#[case::k8s_first([K8sMesh, MxMesh], Unattributed::NodeAddress)]
// proves: chain/first-says-why
#[case::mx_first([MxMesh, K8sMesh], Unattributed::NotFound)]
fn the_first_analyzer_says_why_a_party_is_unknown(
    #[case] chain: [Analyzer; 2],
    #[case] reason: Unattributed,
) {
    let mut common = outbound();
    common.upstream_remote_address = socket(NODE, 9080);
    let mut mesh = Mesh::analyzed_by(&chain);
    mesh.take_from(identifier_of(PRODUCTPAGE_NODE, "mx-own"), ok(common));
    assert_eq!(mesh.accounting().parties_unattributed(reason), 1);
}

// proves: chain/http-and-tcp
#[test]
fn http_and_tcp_have_chains_of_their_own() {
    let settings = AnalysisSettings {
        http: Chain::new([MxMesh]),
        tcp: Chain::new([K8sMesh]),
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    // TCP entries have no authority, and neither has this: apart from the chain they are the same identity.
    mesh.take_from(
        identifier_of(PRODUCTPAGE_NODE, "mx-own"),
        ok(with_peers(outbound())),
    );
    mesh.take_from(
        identifier_of(PRODUCTPAGE_NODE, "mx-own"),
        tcp(with_peers(outbound()), 1, 1),
    );
    let edges = |labels: Vec<String>| labels.join(", ");
    let http = edges(mesh.http().iter().map(|(labels, _)| labels.edge()).collect());
    let tcp = edges(mesh.tcp().iter().map(|(labels, _)| labels.edge()).collect());
    assert_eq!(http, "source: mx-own -> mx-upstream");
    assert_eq!(tcp, "source: productpage -> reviews");
}

#[rstest]
// proves: role/tcp-alone
#[case::sidecar(PRODUCTPAGE_NODE, outbound(), &["source: productpage -> reviews"])]
// proves: role/tcp-alone
#[case::gateway(GATEWAY_NODE, through_gateway(), &["destination: unknown -> gateway", "source: gateway -> productpage"])]
fn where_tcp_alone_is_analyzed_the_proxys_role_is_known_too(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] expected: &[&str],
) {
    let settings = AnalysisSettings {
        http: Chain::default(),
        tcp: Chain::new([K8sMesh]),
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    mesh.take(node, tcp(common, 1, 1));
    assert_eq!(mesh.edges(), expected);
}

// proves: chain/empty
#[test]
fn without_analyzers_every_entry_is_skipped() {
    let mut mesh = Mesh::analyzed_by(&[]);
    mesh.take(PRODUCTPAGE_NODE, ok(with_peers(outbound())));
    mesh.take(PRODUCTPAGE_NODE, tcp(with_peers(outbound()), 1, 1));
    assert_eq!(mesh.accounting().skipped(Skipped::NoAnalyzer), 2);
}

/// Who reports, and the two ends as far as they are known.
type Known = BTreeMap<String, [Option<String>; 2]>;

/// What `chain` finds in one entry.
fn known(chain: &[Analyzer], node: &str, logs: Logs) -> Known {
    let mut mesh = Mesh::analyzed_by(chain);
    mesh.take_from(identifier_of(node, "mx-own"), logs);
    let snapshot = mesh.snapshot();
    conservation::check(&snapshot);
    let ends = |labels: &Labels| {
        ["source_workload", "destination_workload"].map(|name| {
            let name = labels.get(name);
            (name != "unknown").then(|| name.to_owned())
        })
    };
    let http = mesh.http().into_iter().map(|(labels, _)| labels);
    let tcp = mesh.tcp().into_iter().map(|(labels, _)| labels);
    http.chain(tcp)
        .map(|labels| (labels.get("reporter").to_owned(), ends(&labels)))
        .collect()
}

/// An entry, its node, and the workload that the node says it is.
#[derive(Clone, Debug)]
struct Sent {
    node: &'static str,
    own: &'static str,
    entry: HttpAccessLogEntry,
}

prop_compose! {
    fn sent()(
        node in conservation::node(),
        own in prop::sample::select(vec!["mx-own", "mx-other"]),
        entry in conservation::entry(),
    ) -> Sent {
        Sent { node, own, entry }
    }
}

impl Sent {
    /// The same with one aspect of `other`.
    fn with(mut self, aspect: usize, other: &Sent) -> Self {
        let empty = AccessLogCommon::default();
        let theirs = other.entry.common_properties.as_ref().unwrap_or(&empty);
        let mut unused = AccessLogCommon::default();
        let ours = self.entry.common_properties.as_mut().unwrap_or(&mut unused);
        match aspect {
            0 => self.node = other.node,
            1 => self.own = other.own,
            2 => self.entry.request.clone_from(&other.entry.request),
            3 => ours
                .downstream_direct_remote_address
                .clone_from(&theirs.downstream_direct_remote_address),
            4 => ours
                .downstream_local_address
                .clone_from(&theirs.downstream_local_address),
            5 => ours
                .upstream_remote_address
                .clone_from(&theirs.upstream_remote_address),
            6 => ours.upstream_cluster.clone_from(&theirs.upstream_cluster),
            7 => ours.start_time = theirs.start_time,
            8 => ours.tls_properties.clone_from(&theirs.tls_properties),
            _ => ours.filter_state_objects.clone_from(&theirs.filter_state_objects),
        }
        self
    }
}

/// Series by their labels.
type Counts = BTreeMap<String, u64>;

/// What the entries count, one after the other in one mesh.
fn counts<'a>(chain: Chain, entries: impl IntoIterator<Item = &'a Sent>) -> Counts {
    let mut mesh = Mesh::analyzed_by(&chain.iter().collect::<Vec<_>>());
    for Sent { node, own, entry } in entries {
        mesh.take_from(identifier_of(node, own), http([entry.clone()]));
    }
    let http = mesh
        .http()
        .into_iter()
        .map(|(labels, counts)| (labels, counts.requests));
    let http: Vec<_> = http.collect();
    let tcp = mesh
        .tcp()
        .into_iter()
        .map(|(labels, counts)| (labels, counts.connections));
    http.into_iter()
        .chain(tcp)
        .map(|(labels, count)| (format!("{:?}", labels.all()), count))
        .collect()
}

proptest! {
    #[test]
    fn no_order_loses_what_an_analyzer_finds(entry in conservation::entry(), node in conservation::node()) {
        let logs = http([entry]);
        let [k8s, mx] = [K8sMesh, MxMesh].map(|analyzer| known(&[analyzer], node, logs.clone()));
        for (chain, earlier, later) in [([K8sMesh, MxMesh], &k8s, &mx), ([MxMesh, K8sMesh], &mx, &k8s)] {
            let both = known(&chain, node, logs.clone());
            let reporters: Vec<&String> = both.keys().collect();
            for reporter in k8s.keys().chain(mx.keys()) {
                prop_assert!(reporters.contains(&reporter), "{chain:?} loses {reporter}");
            }
            // An analyzer that rejects an entry for one end may in a chain still answer for the other.
            let is_observed_by_each = !k8s.is_empty() && !mx.is_empty();
            for (reporter, ends) in &both {
                let none = [None, None];
                let (earlier, later) =
                    (earlier.get(reporter).unwrap_or(&none), later.get(reporter).unwrap_or(&none));
                for ((end, earlier), later) in ends.iter().zip(earlier).zip(later) {
                    let expected = earlier.as_ref().or(later.as_ref());
                    if is_observed_by_each {
                        prop_assert_eq!(end.as_ref(), expected, "{:?}", chain);
                    } else {
                        prop_assert!(end.is_some() || expected.is_none(), "{chain:?} loses {expected:?}");
                    }
                }
            }
        }
    }

    /// What is remembered of an entry says nothing about an entry that differs in anything that decides.
    #[test]
    fn entries_count_the_same_together_and_alone(
        chain in conservation::chain(),
        first in sent(),
        other in sent(),
        aspects in prop::collection::vec(0_usize..10, 1..3),
    ) {
        let second = aspects.into_iter().fold(first.clone(), |sent, aspect| sent.with(aspect, &other));
        let mut expected = counts(chain, [&first]);
        for (labels, count) in counts(chain, [&second]) {
            *expected.entry(labels).or_default() += count;
        }
        prop_assert_eq!(&counts(chain, [&first, &second]), &expected);
        prop_assert_eq!(&counts(chain, [&second, &first]), &expected);
    }
}
