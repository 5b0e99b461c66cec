//! Whatever comes in, every entry is accounted for exactly once, and the series add up to the observations.

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use alscope_analysis::accounting::{Rejected, Skipped};
use alscope_analysis::aggregate::totals::Snapshot;
use alscope_analysis::chain::Analyzer::{K8sMesh, MxMesh};
use alscope_analysis::chain::Chain;
use alscope_analysis::reporter::Reporter;
use proptest::prelude::*;
use prost::Message as _;
use prost_types::Any;

use crate::entry::*;
use crate::mesh::*;
use crate::objects::{any_bytes, any_struct, texts};
use crate::peers::peer;

fn address() -> impl Strategy<Value = Option<als_proto::messages::envoy::config::core::v3::Address>> {
    prop_oneof![
        8 => prop::sample::select(vec![PRODUCTPAGE, REVIEWS, GATEWAY, NODE, REVIEWS_SERVICE, "198.51.100.7", "127.0.0.1"])
            .prop_map(|text| socket(text, 9080)),
        1 => Just(socket("no address", 1)),
        1 => Just(internal("10.0.0.2:9080")),
        1 => Just(pipe("/x")),
        1 => Just(None),
    ]
}

fn cluster() -> impl Strategy<Value = String> {
    let names = [
        REVIEWS_CLUSTER,
        "inbound|9080||",
        "",
        "PassthroughCluster",
        "BlackHoleCluster",
        "agent",
        "inbound-vip|1|http|a.b",
    ];
    prop_oneof![9 => prop::sample::select(names.map(str::to_owned).to_vec()), 1 => Just("x".repeat(5000))]
}

/// Objects of the filter state: readable peers, each with few answers so that they meet again, and others.
fn objects() -> impl Strategy<Value = Vec<(String, Any)>> {
    let keys = [
        "upstream_peer",
        "wasm.upstream_peer",
        "downstream_peer",
        "downstream_peer_obj",
        "other",
    ];
    let object = prop_oneof![
        4 => prop::sample::select(vec!["mx-a", "mx-b"]).prop_map(peer),
        1 => Just(any_struct(&texts(&[("namespace", "demo")]))),
        1 => Just(any_bytes(&[0x1c, 0, 0, 0])),
    ];
    prop::collection::vec(
        (prop::sample::select(keys.map(str::to_owned).to_vec()), object),
        0..4,
    )
}

/// Any chain but the empty one.
pub(crate) fn chain() -> impl Strategy<Value = Chain> {
    let chains = [
        vec![K8sMesh],
        vec![MxMesh],
        vec![K8sMesh, MxMesh],
        vec![MxMesh, K8sMesh],
    ];
    prop::sample::select(chains.map(Chain::new).to_vec())
}

prop_compose! {
    pub(crate) fn entry()(
        objects in objects(),
        (remote, local, upstream) in (address(), address(), address()),
        cluster in cluster(),
        access_log_type in 0..15_i32,
        intermediate in prop::bool::weighted(0.1),
        start in prop::sample::select(vec![0_i64, STARTED - 6, NOW]),
        (has_common, has_request) in (prop::bool::weighted(0.95), prop::bool::weighted(0.8)),
        code in prop::option::of(0_u32..600),
    ) -> HttpAccessLogEntry {
        let mut common = common(remote, local, upstream, &cluster);
        common.access_log_type = if access_log_type > 10 { access_log_type } else { 6 };
        common.intermediate_log_entry = intermediate;
        common.start_time = timestamp(start);
        common.filter_state_objects = objects.into_iter().collect();
        let mut entry = request(common, code);
        if !has_common {
            entry.common_properties = None;
        }
        if !has_request {
            entry.request = None;
        }
        entry
    }
}

pub(crate) fn node() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        PRODUCTPAGE_NODE,
        REVIEWS_NODE,
        GATEWAY_NODE,
        WAYPOINT_NODE,
        "edge",
    ])
}

pub(crate) fn check(snapshot: &Snapshot) {
    let accounting = &snapshot.accounting;
    let rejected: u64 = Rejected::ALL
        .iter()
        .map(|reason| accounting.rejected(*reason))
        .sum();
    let skipped: u64 = Skipped::ALL
        .iter()
        .map(|reason| accounting.skipped(*reason))
        .sum();
    assert_eq!(accounting.received, accounting.analyzed + rejected);
    assert_eq!(accounting.analyzed, accounting.observed + skipped);
    assert_eq!(
        accounting.observed,
        accounting.attributed + accounting.unattributed
    );
    for reporter in Reporter::ALL {
        let of_reporter =
            |labels: &alscope_analysis::aggregate::labels::SeriesLabels| labels.edge.reporter == *reporter;
        let http: u64 = snapshot
            .http
            .iter()
            .filter(|(_, labels, _)| of_reporter(labels))
            .map(|(_, _, counts)| counts.requests)
            .sum();
        let tcp: u64 = snapshot
            .tcp
            .iter()
            .filter(|(_, labels, _)| of_reporter(labels))
            .map(|(_, _, counts)| counts.connections)
            .sum();
        assert_eq!(http + tcp, accounting.observations(*reporter), "{reporter:?}");
    }
    for (_, _, counts) in snapshot.http.iter() {
        assert_eq!(counts.duration.count(), counts.requests);
        assert_eq!(counts.request_bytes.count(), counts.requests);
        assert_eq!(counts.response_bytes.count(), counts.requests);
    }
}

proptest! {
    #[test]
    fn every_entry_is_accounted_for_once(
        chain in chain(),
        messages in prop::collection::vec((node(), prop::collection::vec(entry(), 0..8)), 1..6),
    ) {
        let mut mesh = Mesh::analyzed_by(&chain.iter().collect::<Vec<_>>());
        let sent: usize = messages.iter().map(|(_, entries)| entries.len()).sum();
        for (node, entries) in messages {
            mesh.take(node, http(entries));
        }
        let snapshot = mesh.snapshot();
        prop_assert_eq!(snapshot.accounting.received, sent as u64);
        check(&snapshot);
    }

    #[test]
    fn damaged_messages_break_no_law(
        chain in chain(),
        entries in prop::collection::vec(entry(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let identifier = StreamAccessLogsMessage { identifier: Some(identifier(GATEWAY_NODE)), log_entries: None };
        let identifier = identifier.encode_to_vec();
        let mut bytes = StreamAccessLogsMessage { identifier: None, log_entries: Some(http(entries)) }.encode_to_vec();
        for (index, byte) in damage {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        let whole = [identifier, bytes].concat();
        let mut mesh = Mesh::analyzed_by(&chain.iter().collect::<Vec<_>>());
        let readable = als_proto::Message::read(&whole).is_ok_and(|message| matches!(message.identifier(), Ok(Some(_))));
        if readable {
            mesh.take_bytes(&whole);
        }
        check(&mesh.snapshot());
    }
}

#[test]
fn the_last_entry_was_when_one_was_received() {
    let mut mesh = Mesh::new();
    assert_eq!(mesh.snapshot().last_entry, None);
    mesh.take(PRODUCTPAGE_NODE, http([request(outbound(), Some(200))]));
    assert_eq!(mesh.snapshot().last_entry, Some(at(NOW)));
}
