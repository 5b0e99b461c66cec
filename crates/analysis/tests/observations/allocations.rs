//! An entry whose identity and series are known allocates nothing, whatever analyzers are asked.

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    LogEntries, TcpAccessLogEntries,
};
use alscope_analysis::accounting::Skipped;
use alscope_analysis::analyze::NotObserved;
use alscope_analysis::chain::Analyzer::{self, K8sMesh, MxMesh};
use alscope_analysis::directory::validity::Validity;
use alscope_analysis::identify::Identified;
use alscope_analysis::identify::identity_cache::{IdentityAnswer, IdentityCache};
use alscope_analysis::node::Node;
use alscope_analysis::shard::MessageProgress;
use prost::Message as _;
use prost_types::Any;
use rstest::rstest;

use crate::entry::*;
use crate::flat_nodes::FlatNode;
use crate::mesh::*;
use crate::objects::any_bytes;
use crate::peers::peer;

/// As many as a sidecar sends in a message.
const ENTRIES: u32 = 33;

/// The peer `workload` as proxies up to Istio 1.23 log it.
fn flat_node(workload: &str) -> Any {
    let node = FlatNode {
        name: Some("pod"),
        namespace: Some("demo"),
        labels: Some(&[
            ("app", "reviews"),
            ("pod-template-hash", "7d9f"),
            ("version", "v1"),
        ]),
        workload_name: Some(workload),
        cluster_id: Some("west"),
        ..FlatNode::default()
    };
    any_bytes(&node.encode())
}

/// An entry with peers on both sides under keys that begin so.
fn described(mut common: AccessLogCommon, prefix: &str, peer: fn(&str) -> Any) -> AccessLogCommon {
    common.filter_state_objects = ["upstream", "downstream"]
        .map(|side| (format!("{prefix}{side}_peer"), peer(side)))
        .into();
    common
}

/// Entries of calls like this one: each connection has a port of its own, and some calls fail.
fn entries(common: &AccessLogCommon, is_http: bool) -> Logs {
    let commons = (0..ENTRIES).map(|number| AccessLogCommon {
        downstream_direct_remote_address: socket(PRODUCTPAGE, 40_000 + number),
        ..common.clone()
    });
    if is_http {
        let code = |number| if number % 7 == 0 { 503 } else { 200 };
        http(
            (0..ENTRIES)
                .zip(commons)
                .map(|(number, common)| request(common, Some(code(number)))),
        )
    } else {
        let log_entry = commons.flat_map(|common| match tcp(common, 30, 70) {
            LogEntries::TcpLogs(logs) => logs.log_entry,
            LogEntries::HttpLogs(_) => Vec::new(),
        });
        LogEntries::TcpLogs(TcpAccessLogEntries {
            log_entry: log_entry.collect(),
        })
    }
}

#[rstest]
#[case::by_addresses(&[K8sMesh], PRODUCTPAGE_NODE, outbound())]
#[case::by_addresses_with_certificates(&[K8sMesh], REVIEWS_NODE, inbound())]
#[case::by_addresses_at_a_gateway(&[K8sMesh], GATEWAY_NODE, through_gateway())]
#[case::by_structs(&[MxMesh], PRODUCTPAGE_NODE, described(outbound(), "", peer))]
#[case::by_structs_at_a_gateway(&[MxMesh], GATEWAY_NODE, described(through_gateway(), "", peer))]
#[case::by_flat_nodes(&[MxMesh], PRODUCTPAGE_NODE, described(outbound(), "wasm.", flat_node))]
#[case::by_both(&[K8sMesh, MxMesh], PRODUCTPAGE_NODE, described(outbound(), "", peer))]
#[case::by_both_with_flat_nodes(&[K8sMesh, MxMesh], GATEWAY_NODE, described(through_gateway(), "wasm.", flat_node))]
fn a_known_entry_allocates_nothing(
    #[case] chain: &[Analyzer],
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[values(true, false)] is_http: bool,
) {
    let mut mesh = Mesh::analyzed_by(chain);
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier_of(node, "own")),
        log_entries: Some(entries(&common, is_http)),
    };
    let bytes = message.encode_to_vec();
    mesh.take_bytes(&bytes);
    // Shards are drained each second.
    assert_eq!(mesh.accounting().observed, u64::from(ENTRIES));
    let node = Message::read(&bytes).unwrap().identifier().unwrap().unwrap();
    let node = Node::identify(&node, mesh.shard.registry()).unwrap();
    let (directory, shard) = (&mesh.directory, &mut mesh.shard);

    let mut of_entries = 0;
    let of_message = allocation_counter::measure(|| {
        let message = Message::read(&bytes).unwrap();
        let mut progress = MessageProgress::new(message.entries(), at(NOW));
        let entries =
            allocation_counter::measure(|| while shard.read_entries(directory, &node, &mut progress, 8) {});
        of_entries = entries.count_total;
    });
    assert_eq!(of_entries, 0);
    assert!(of_message.count_total <= 2, "{of_message:?}");
    assert_eq!(mesh.accounting().observed, 2 * u64::from(ENTRIES));
}

/// A worker that knows as many identities as it may forgets one for each new one, in the same place.
#[rstest]
#[case::short_keys(64, 400_000)]
#[case::long_keys(1000, 500_000)]
fn a_full_cache_allocates_nothing(#[case] length: usize, #[case] enough: u64) {
    let mut cache = IdentityCache::default();
    let answer = IdentityAnswer {
        dependencies: Default::default(),
        validity: Validity::ALWAYS,
        identified: Identified::NotObserved(NotObserved::Skipped(Skipped::NotACall)),
    };
    let mut key = vec![0; length];
    let mut put = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            key[..8].copy_from_slice(&number.to_le_bytes());
            cache.put(cache.hash(&key), &key, answer);
        }
    };
    put(0..enough);
    let of_new = allocation_counter::measure(|| put(enough..enough + 300_000));
    assert_eq!(of_new.count_total, 0);
}
