mod page;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use als_proto::Message;
use als_proto::messages::envoy::config::core::v3::{Address, Node, SocketAddress, address, socket_address};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, ConnectionProperties, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
    ResponseFlags, TcpAccessLogEntry,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries, TcpAccessLogEntries,
};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::{PodRecord, Record};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::moment::Moment;
use alscope_analysis::names::endpoint::{self, Endpoints};
use alscope_analysis::persistence::Persistence;
use alscope_analysis::persistence::reason::SamplingRules;
use alscope_analysis::persistence::sample::Share;
use alscope_analysis::persistence::sink::{Batch, EntrySink};
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use parking_lot::Mutex;
use prost::Message as _;
use prost_types::{Any, Duration, Timestamp};
use rstest::rstest;

use super::*;
use crate::export::deliver::delivery_thread::DeliveryThread;
use crate::export::deliver::queue::DropReason;

const SIDECAR: &str = "sidecar~10.0.0.1~productpage.demo~demo.svc.cluster.local";
const GATEWAY: &str = "router~10.0.0.3~gateway.demo~demo.svc.cluster.local";

fn pod(name: &str, address: &str) -> Record {
    Record::Pod(PodRecord {
        name: name.to_owned(),
        namespace: "demo".to_owned(),
        uid: name.to_owned(),
        labels: [("app".to_owned(), name.to_owned())].into(),
        annotations: BTreeMap::default(),
        controller: None,
        addresses: vec![address.parse().expect("an address")],
        host_network: false,
        ports: vec![],
        started: None,
        finished: None,
        ..PodRecord::default()
    })
}

fn directory() -> Directory {
    let mut state = DirectoryState::default();
    for (name, address) in [
        ("productpage", "10.0.0.1"),
        ("reviews", "10.0.0.2"),
        ("gateway", "10.0.0.3"),
    ] {
        state.apply(pod(name, address), Moment(0));
    }
    state.publish().expect("the directory has changed")
}

fn socket(address: &str, port: u32) -> Address {
    let socket = SocketAddress {
        address: address.to_owned(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    let address = Some(address::Address::SocketAddress(socket));
    Address { address }
}

fn microseconds(microseconds: i32) -> Duration {
    Duration {
        seconds: 0,
        nanos: microseconds * 1000,
    }
}

fn common(source: &str, destination: &str) -> AccessLogCommon {
    AccessLogCommon {
        downstream_direct_remote_address: Some(socket(source, 40_000)),
        downstream_local_address: Some(socket("10.0.0.3", 8080)),
        upstream_remote_address: Some(socket(destination, 9080)),
        upstream_cluster: "outbound|9080||reviews.demo.svc.cluster.local".to_owned(),
        route_name: "default".to_owned(),
        start_time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 123_456_789,
        }),
        duration: Some(microseconds(2_500)),
        time_to_first_upstream_tx_byte: Some(microseconds(100)),
        time_to_first_upstream_rx_byte: Some(microseconds(1_700)),
        response_flags: Some(ResponseFlags {
            upstream_connection_failure: true,
            upstream_retry_limit_exceeded: true,
            ..ResponseFlags::default()
        }),
        upstream_request_attempt_count: 3,
        upstream_transport_failure_reason: "TLS_error".to_owned(),
        connection_termination_details: "too bad".to_owned(),
        downstream_wire_bytes_received: 200,
        downstream_wire_bytes_sent: 1000,
        ..AccessLogCommon::default()
    }
}

fn headers(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    headers.iter().map(owned).collect()
}

/// What Envoy's `grpc_stats` filter counted of a call: messages from and to the caller.
fn messages(requests: u8, responses: u8) -> (String, Any) {
    let object = Any {
        type_url: "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterObject".to_owned(),
        value: vec![0x08, requests, 0x10, responses],
    };
    ("envoy.filters.http.grpc_stats".to_owned(), object)
}

fn request(common: AccessLogCommon) -> LogEntries {
    let common = AccessLogCommon {
        filter_state_objects: [messages(3, 0)].into(),
        ..common
    };
    let entry = HttpAccessLogEntry {
        common_properties: Some(common),
        protocol_version: 3,
        request: Some(HttpRequestProperties {
            request_method: 3,
            authority: "bob:hunter2@reviews:9080".to_owned(),
            path: "/demo.Reviews/Get?token=hunter2".to_owned(),
            user_agent: "grpc \"go\"".to_owned(),
            referer: "http://shop/?token=hunter2".to_owned(),
            forwarded_for: "203.0.113.9".to_owned(),
            request_id: "9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d".to_owned(),
            request_headers: headers(&[("content-type", "application/grpc"), ("cookie", "hunter2")]),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(503),
            response_code_details: "upstream_reset".to_owned(),
            response_headers: headers(&[("server", "envoy")]),
            response_trailers: headers(&[("grpc-status", "14")]),
            ..HttpResponseProperties::default()
        }),
    };
    let log_entry = vec![entry];
    LogEntries::HttpLogs(HttpAccessLogEntries { log_entry })
}

fn connection(common: AccessLogCommon) -> LogEntries {
    let entry = TcpAccessLogEntry {
        common_properties: Some(common),
        connection_properties: Some(ConnectionProperties::default()),
    };
    let log_entry = vec![entry];
    LogEntries::TcpLogs(TcpAccessLogEntries { log_entry })
}

/// Returns the batch of one entry.
fn kept(node_id: &str, log_entries: LogEntries) -> Batch {
    let rules = SamplingRules {
        requests: true,
        connections: true,
        errors: true,
        slow: None,
        sampled: Share::new(1.0),
    };
    let endpoints = Endpoints::new(endpoint::EndpointBounds::default(), vec![]);
    let persistence = Arc::new(Persistence::new(vec![EntrySink { rules, encode }], 10, endpoints));
    let settings = AnalysisSettings {
        http: Chain::new([Analyzer::K8sMesh]),
        ..AnalysisSettings::default()
    };
    let mut shard = Shard::new(settings, Arc::new(Registry::default())).with_persistence(persistence);
    let node = Node {
        id: node_id.to_owned(),
        ..Node::default()
    };
    let message = StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: Some(node),
            log_name: String::new(),
        }),
        log_entries: Some(log_entries),
    };
    let bytes = message.encode_to_vec();
    let message = Message::read(&bytes).expect("a message");
    let identifier = message.identifier().expect("an identifier").expect("it is there");
    let node = alscope_analysis::node::Node::identify(&identifier, shard.registry()).expect("a node");
    let mut progress = MessageProgress::new(message.entries(), Moment(0));
    assert!(!shard.read_entries(&directory(), &node, &mut progress, 2));
    let (_, batch) = shard.take_batches(0).pop().expect("the entry is kept");
    batch
}

fn line(node_id: &str, log_entries: LogEntries) -> String {
    let batch = kept(node_id, log_entries);
    assert_eq!(batch.entries, 1);
    String::from_utf8(batch.bytes).expect("JSON is text")
}

const CLIENT_SIDE: &str = r#"{"start_time":"2023-11-14T22:13:20.123456Z","kept":"error","reporter":"source","request_protocol":"grpc","method":"POST","authority":"reviews:9080","path":"/demo.Reviews/Get?token={redacted}","endpoint":"/demo.Reviews/Get","outcome":"failed","response_code":503,"grpc_response_status":"14","grpc_request_messages":3,"grpc_response_messages":0,"response_flags":"UF,URX","response_code_details":"upstream_reset","connection_termination_details":"too bad","upstream_transport_failure_reason":"TLS_error","retries":2,"duration_microseconds":2500,"request_microseconds":100,"upstream_microseconds":1600,"response_microseconds":800,"bytes_received":200,"bytes_sent":1000,"source":"productpage.demo","source_workload":"productpage","source_workload_namespace":"demo","source_address":"10.0.0.1:40000","destination":"reviews.demo","destination_workload":"reviews","destination_workload_namespace":"demo","destination_address":"10.0.0.2:9080","destination_service":"reviews.demo.svc.cluster.local","connection_security_policy":"unknown","upstream_cluster":"outbound|9080||reviews.demo.svc.cluster.local","route_name":"default","request_id":"9f1b6a3e-52d4-4c8b-9d07-0e6a7f1c2b3d","user_agent":"grpc \"go\"","referer":"http://shop/?token={redacted}","x_forwarded_for":"203.0.113.9","request_headers":{"content-type":"application/grpc","cookie":"{redacted}"},"response_headers":{"grpc-status":"14","server":"envoy"}}
"#;

const CONNECTION: &str = r#"{"start_time":"2023-11-14T22:13:20.123456Z","kept":"error","reporter":"source","request_protocol":"tcp","outcome":"failed","response_flags":"UF,URX","connection_termination_details":"too bad","upstream_transport_failure_reason":"TLS_error","retries":2,"duration_microseconds":2500,"request_microseconds":100,"upstream_microseconds":1600,"response_microseconds":800,"bytes_received":200,"bytes_sent":1000,"source":"productpage.demo","source_workload":"productpage","source_workload_namespace":"demo","source_address":"10.0.0.1:40000","destination":"unknown","destination_workload":"unknown","destination_workload_namespace":"unknown","destination_address":"[fd00::9]:9080","destination_unattributed":"not-found","destination_service":"reviews.demo.svc.cluster.local","connection_security_policy":"unknown","upstream_cluster":"outbound|9080||reviews.demo.svc.cluster.local","route_name":"default"}
"#;

#[rstest]
#[case::client_side(request(common("10.0.0.1", "10.0.0.2")), CLIENT_SIDE)]
#[case::connection(connection(common("10.0.0.1", "fd00::9")), CONNECTION)]
fn a_line_says_what_is_known_of_the_call(#[case] entries: LogEntries, #[case] expected: &str) {
    assert_eq!(line(SIDECAR, entries), expected);
}

#[test]
fn a_gateway_stands_between_the_caller_and_the_called_one() {
    let line = line(GATEWAY, request(common("198.51.100.7", "10.0.0.2")));
    let value: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    let texts = [
        "reporter",
        "source",
        "source_unattributed",
        "gateway",
        "gateway_workload",
        "gateway_workload_namespace",
        "destination",
        "connection_security_policy",
    ];
    assert_eq!(
        texts.map(|key| value[key].as_str().unwrap_or_default()),
        [
            "source",
            "unknown",
            "not-found",
            "gateway.demo",
            "gateway",
            "demo",
            "reviews.demo",
            "none"
        ]
    );
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let mut common = common("10.0.0.1", "10.0.0.2");
    common.route_name = "ä".repeat(3000);
    let line = line(SIDECAR, connection(common));
    let value: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    assert_eq!(value["route_name"], "ä".repeat(2048) + "…");
}

#[test]
fn a_text_that_no_json_may_hold_is_escaped_within_its_line() {
    let mut common = common("10.0.0.1", "10.0.0.2");
    common.route_name = "a\n{\"kept\":\"x\"}\u{7}\u{2028}".to_owned();
    let line = line(SIDECAR, connection(common));
    assert_eq!(line.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    assert_eq!(value["kept"], "error");
    assert_eq!(value["route_name"], "a\u{fffd}{\"kept\":\"x\"}\u{fffd}\u{2028}");
}

/// An output that stores what is written, until it fails.
#[derive(Clone, Debug, Default)]
struct Output {
    written: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock();
        if written.len() + bytes.len() > self.room {
            return Err(ErrorKind::BrokenPipe.into());
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[rstest]
#[case::all(100, "one\ntwo\nthree\n", [6, 6, 0, 0])]
#[case::what_fits(8, "one\ntwo\n", [6, 3, 3, 0])]
#[tokio::test]
async fn what_was_offered_is_written_before_the_end(
    #[case] room: usize,
    #[case] expected: &str,
    #[case] counts: [u64; 4],
) {
    let output = Output {
        room,
        ..Output::default()
    };
    let written = output.written.clone();
    let (queue, thread) =
        DeliveryThread::start(EXPORTER_NAME, QUEUE_BOUNDS, deliver(output)).expect("a thread");
    for (line, entries) in [("one\n", 1), ("two\n", 2), ("three\n", 3)] {
        let bytes = line.as_bytes().to_vec();
        queue.offer(Batch { bytes, entries });
    }
    let counted = queue.counted();
    drop(queue);
    thread.end().await;
    assert_eq!(&**written.lock(), expected.as_bytes());
    let now = counted.now();
    let failed = now.dropped(DropReason::WriteFailed);
    assert_eq!([now.queued, now.exported, failed, now.waiting], counts);
}

/// An output that takes nothing until the test ends.
struct Blocked(std::sync::mpsc::Receiver<()>);

impl io::Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.recv() {
            Ok(()) | Err(_) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_takes_nothing_holds_up_neither_workers_nor_the_end() {
    let (unblock, blocked) = std::sync::mpsc::channel();
    let (queue, thread) =
        DeliveryThread::start(EXPORTER_NAME, QUEUE_BOUNDS, deliver(Blocked(blocked))).expect("a thread");
    for _ in 0..3000 {
        let bytes = b"x\n".to_vec();
        queue.offer(Batch { bytes, entries: 1 });
    }
    let counts = queue.counted().now();
    let full = counts.dropped(DropReason::QueueFull);
    assert!((1000..3000).contains(&full), "{full}");
    assert_eq!(
        (counts.queued, counts.exported, counts.waiting),
        (3000, 0, 3000 - full)
    );
    drop(queue);
    thread.end().await;
    drop(unblock);
}
