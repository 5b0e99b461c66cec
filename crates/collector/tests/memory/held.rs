//! Measures that the things of which there may be many take no more memory than the page says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, ResponseFlags, TcpAccessLogEntry};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    LogEntries, TcpAccessLogEntries,
};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::{
    Controller, EndpointSliceRecord, PodEndpoint, PodRecord, Record, ServiceRecord,
};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::moment::Moment;
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use alscope_collector::export::prometheus::{PIECE_BYTES, Prometheus};
use prost::Message as _;
use rstest::rstest;

use crate::entries::{first_message, known, message};
use crate::terms::{self, HTTP_LABEL_SET, POD, READER, TCP_LABEL_SET};

const NOW: Moment = Moment(1_000_000_000_000);

/// Returns how many bytes the result of `make` holds.
fn held<T>(make: impl FnOnce() -> T) -> usize {
    let mut what = None;
    let allocated = allocation_counter::measure(|| what = Some(make()));
    drop(what);
    usize::try_from(allocated.bytes_current).unwrap()
}

/// Just above where tables double.
const LABEL_SETS: u32 = 1800;

/// Counts the entries of a message, and returns what counted them.
fn counted(message: &StreamAccessLogsMessage) -> (Shard, Totals) {
    let mut shard = Shard::new(AnalysisSettings::default(), Arc::new(Registry::default()));
    let mut totals = Totals::new(NOW);
    let first = first_message().encode_to_vec();
    let identifier = Message::read(&first).unwrap().identifier().unwrap().unwrap();
    let stream = shard.read_node(&identifier).unwrap();
    let bytes = message.encode_to_vec();
    let mut progress = MessageProgress::new(Message::read(&bytes).unwrap().entries(), NOW);
    while shard.read_entries(&Directory::default(), &stream, &mut progress, 512) {}
    while shard.drain_into(&mut totals, 512, NOW) {}
    (shard, totals)
}

fn text(prometheus: &Prometheus, snapshot: Arc<Snapshot>) -> impl Iterator<Item = String> + use<> {
    prometheus.render(
        snapshot,
        Format::Text,
        &ScrapeGauges::default(),
        &Proxies::default(),
    )
}

/// Returns the bytes of each label set of these messages: in the worker, in the totals, in the snapshots
/// and as text.
fn each_label_set(message: impl Fn(u32) -> StreamAccessLogsMessage) -> usize {
    let [one, all] = [1, LABEL_SETS].map(|count| {
        held(|| {
            let (shard, mut totals) = counted(&message(count));
            let published = [totals.publish(NOW), totals.publish(NOW)].map(Arc::new);
            let prometheus = Prometheus::default();
            drop(text(&prometheus, published[0].clone()));
            (shard, totals, published, prometheus)
        })
    });
    (all - one) / (LABEL_SETS as usize - 1)
}

/// Returns this many requests, each with a code of its own, and with flags where the codes end.
fn requests(count: u32) -> StreamAccessLogsMessage {
    let of = |number| {
        let mut entry = known();
        entry.response.as_mut().unwrap().response_code = Some(100 + number % 900);
        entry.common_properties.as_mut().unwrap().response_flags = Some(ResponseFlags {
            no_healthy_upstream: number >= 900,
            ..ResponseFlags::default()
        });
        entry
    };
    message((0..count).map(of).collect())
}

/// Returns this many connections, each with a set of flags of its own.
fn connections(count: u32) -> StreamAccessLogsMessage {
    let of = |number: u32| {
        let has = |bit: u32| number & 1 << bit != 0;
        let flags = ResponseFlags {
            failed_local_healthcheck: has(0),
            no_healthy_upstream: has(1),
            upstream_request_timeout: has(2),
            local_reset: has(3),
            upstream_remote_reset: has(4),
            upstream_connection_failure: has(5),
            upstream_connection_termination: has(6),
            upstream_overflow: has(7),
            no_route_found: has(8),
            delay_injected: has(9),
            fault_injected: has(10),
            ..ResponseFlags::default()
        };
        let common = known().common_properties.unwrap();
        TcpAccessLogEntry {
            common_properties: Some(AccessLogCommon {
                response_flags: Some(flags),
                ..common
            }),
            ..TcpAccessLogEntry::default()
        }
    };
    let log_entry = (0..count).map(of).collect();
    StreamAccessLogsMessage {
        identifier: None,
        log_entries: Some(LogEntries::TcpLogs(TcpAccessLogEntries { log_entry })),
    }
}

#[rstest]
#[case::http(requests, HTTP_LABEL_SET)]
#[case::tcp(connections, TCP_LABEL_SET)]
fn a_label_set(#[case] message: fn(u32) -> StreamAccessLogsMessage, #[case] most: usize) {
    let each = each_label_set(message);
    assert!((most / 2..=most).contains(&each), "{each}");
}

#[test]
fn a_scrape_is_its_snapshot_and_a_piece_of_text() {
    let (_, mut totals) = counted(&requests(LABEL_SETS));
    let snapshot = held(|| totals.publish(NOW)) * terms::LABEL_SETS / LABEL_SETS as usize;
    assert!(snapshot + 4 * PIECE_BYTES <= READER, "{snapshot}");
    let pieces: Vec<usize> = text(&Prometheus::default(), Arc::new(totals.publish(NOW)))
        .map(|piece| piece.len())
        .collect();
    assert!(pieces.iter().sum::<usize>() > 64 * PIECE_BYTES);
    assert!(pieces.iter().all(|piece| *piece < 2 * PIECE_BYTES), "{pieces:?}");
}

fn labels<const N: usize>(labels: [(&str, String); N]) -> BTreeMap<String, String> {
    labels.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Returns a workload of eight pods with its Service and its slice, as Kubernetes describes them.
fn workload(number: u32) -> Vec<Record> {
    let name = format!("workload-with-a-long-name-{number}");
    let namespace = format!("namespace-{}", number % 10);
    let address = |place: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number * 9 + place));
    let uid = |place: u32| format!("01234567-89ab-cdef-{number:04x}-{place:012x}");
    let endpoint = |place: u32| PodEndpoint {
        target: uid(place),
        address: Some(address(place)),
    };
    let pods = (0..8).map(|place| {
        Record::Pod(PodRecord {
            name: format!("{name}-7d9f5c6b8-{place:05}"),
            namespace: namespace.clone(),
            uid: uid(place),
            labels: labels([
                ("app", name.clone()),
                ("version", "v1".to_owned()),
                ("pod-template-hash", "7d9f5c6b8".to_owned()),
            ]),
            annotations: BTreeMap::new(),
            controller: Some(Controller {
                kind: "ReplicaSet".to_owned(),
                name: format!("{name}-7d9f5c6b8"),
            }),
            is_generated: true,
            addresses: vec![address(place)],
            host_network: false,
            ports: vec![],
            started: Some(NOW),
            finished: None,
            ..PodRecord::default()
        })
    });
    let service = Record::Service(ServiceRecord {
        name: name.clone(),
        namespace: namespace.clone(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        selector: None,
        addresses: vec![address(8)],
        ports: vec![],
        created: NOW,
    });
    let slice = Record::EndpointSlice(EndpointSliceRecord {
        name: format!("{name}-abcde"),
        namespace: namespace.clone(),
        service: name.clone(),
        ports: vec![],
        pods: (0..8).map(endpoint).collect(),
        addresses: vec![],
        created: NOW,
    });
    pods.chain([service, slice]).collect()
}

#[test]
fn a_pod() {
    // Just above where tables double.
    let workloads = 240;
    let bytes = held(|| {
        let mut state = DirectoryState::default();
        (0..workloads)
            .flat_map(workload)
            .for_each(|record| state.apply(record, NOW));
        let published = state.publish();
        state.apply(workload(workloads).remove(0), NOW);
        // One version is being read while the next is published.
        let next = state.publish();
        (state, published, next)
    });
    let each = bytes / (8 * workloads as usize);
    assert!(each <= POD, "{each}");
}
