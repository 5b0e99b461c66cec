use als_proto::Message;
use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::data::accesslog::v3::AccessLogCommon;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use alscope_analysis::accounting::{Rejected, Skipped};
use alscope_analysis::aggregate::registry::RegistryBounds;
use alscope_analysis::chain::{Analyzer, Chain};
use alscope_analysis::shard::AnalysisSettings;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

/// Takes a bad entry between two good ones: only it may be affected.
fn between_good_ones(bad: AccessLogCommon) -> Mesh {
    let mut mesh = Mesh::new();
    mesh.take(
        PRODUCTPAGE_NODE,
        http([
            request(outbound(), Some(200)),
            request(bad, Some(200)),
            request(outbound(), Some(200)),
        ]),
    );
    let (labels, counts) = mesh.http().remove(0);
    assert_eq!(
        (labels.edge().as_str(), counts.requests),
        ("source: productpage -> reviews", 2)
    );
    assert_eq!(mesh.accounting().received, 3);
    mesh
}

// proves: k8s-mesh/bad-address
#[test]
fn an_address_that_is_none_rejects_its_entry() {
    let bad = common(
        socket("not-an-address", 1),
        socket(REVIEWS_SERVICE, 9080),
        socket(REVIEWS, 9080),
        REVIEWS_CLUSTER,
    );
    let mut mesh = between_good_ones(bad);
    assert_eq!(mesh.accounting().rejected(Rejected::BadAddress), 1);
}

#[test]
fn a_string_above_the_limit_rejects_its_entry() {
    let mut bad = outbound();
    bad.upstream_cluster = "x".repeat(4097);
    let mut mesh = between_good_ones(bad);
    assert_eq!(mesh.accounting().rejected(Rejected::StringTooLong), 1);
}

// proves: final/periodic
#[test]
fn a_periodic_entry_is_no_request() {
    let mut bad = outbound();
    bad.access_log_type = 5;
    let mut mesh = between_good_ones(bad);
    assert_eq!(mesh.accounting().skipped(Skipped::Periodic), 1);
}

// proves: k8s-mesh/infrastructure
#[test]
fn a_call_to_the_proxys_own_infrastructure_is_no_call() {
    let mut bad = outbound();
    bad.upstream_cluster = "xds-grpc".into();
    let mut mesh = between_good_ones(bad);
    assert_eq!(mesh.accounting().skipped(Skipped::NotACall), 1);
}

// proves: entry/no-common-properties
#[test]
fn an_entry_without_common_properties_is_skipped() {
    let mut mesh = Mesh::new();
    let mut entry = request(outbound(), Some(200));
    entry.common_properties = None;
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    assert_eq!(mesh.accounting().skipped(Skipped::NoCommonProperties), 1);
}

#[test]
fn entries_beyond_the_limit_of_a_message_are_counted_and_not_read() {
    let settings = AnalysisSettings {
        entries_per_message: 2,
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    mesh.take(
        PRODUCTPAGE_NODE,
        http((0..5).map(|_| request(outbound(), Some(200)))),
    );
    let accounting = mesh.accounting();
    assert_eq!((accounting.received, accounting.analyzed), (5, 2));
    assert_eq!(accounting.rejected(Rejected::TooManyEntries), 3);
}

// proves: chain/empty, chain/http-and-tcp
#[test]
fn a_kind_without_an_analyzer_is_skipped() {
    let mut mesh = Mesh::with(
        AnalysisSettings {
            tcp: Chain::default(),
            ..AnalysisSettings::default()
        },
        RegistryBounds::default(),
    );
    mesh.take(PRODUCTPAGE_NODE, tcp(outbound(), 1, 1));
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    let accounting = mesh.accounting();
    assert_eq!(
        (accounting.skipped(Skipped::NoAnalyzer), accounting.observed),
        (1, 1)
    );
}

#[test]
fn damaged_bytes_within_an_entry_reject_that_entry() {
    let good = request(outbound(), Some(200));
    let mut bad = good.clone();
    bad.request.as_mut().unwrap().authority = "broken-here".into();
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier(PRODUCTPAGE_NODE)),
        log_entries: Some(http([good.clone(), bad, good])),
    };
    let mut bytes = message.encode_to_vec();
    let place = bytes
        .windows(11)
        .position(|window| window == b"broken-here")
        .unwrap();
    // The authority's length now reaches beyond the request.
    bytes[place - 1] = 0x7f;
    let mut mesh = Mesh::new();
    mesh.take_bytes(&bytes);
    let accounting = mesh.accounting();
    assert_eq!((accounting.received, accounting.observed), (3, 2));
    assert_eq!(accounting.rejected(Rejected::MalformedEntry), 1);
}

#[test]
fn series_beyond_the_bound_go_into_one_and_are_counted() {
    let bounds = RegistryBounds {
        samples: 2 * 69,
        ..RegistryBounds::default()
    };
    let mut mesh = Mesh::with(AnalysisSettings::default(), bounds);
    mesh.take(
        PRODUCTPAGE_NODE,
        http((200..210).map(|code| request(outbound(), Some(code)))),
    );
    let series = mesh.http();
    assert_eq!(series.len(), 3);
    let overflow = series
        .iter()
        .find(|(labels, _)| labels.get("source_workload") == "overflow")
        .unwrap();
    assert_eq!(overflow.1.requests, 8);
    assert_eq!(mesh.accounting().overflowed, 8);
}

#[test]
fn series_whose_labels_are_beyond_the_bound_go_into_one_and_are_counted() {
    let of_outcome = [
        "reporter",
        "request_protocol",
        "response_flags",
        "connection_security_policy",
        "response_code",
        "grpc_response_status",
    ];
    let entries = || http((200..210).map(|code| request(outbound(), Some(code))));
    let mut unbounded = Mesh::new();
    unbounded.take(PRODUCTPAGE_NODE, entries());
    let (labels, _) = unbounded.http().remove(0);
    let of_call = labels
        .all()
        .into_iter()
        .filter(|(name, _)| !of_outcome.contains(name));
    let label_bytes: usize = of_call.map(|(_, value)| value.len()).sum();
    for (bound, kept) in [
        (2 * label_bytes, 2),
        (3 * label_bytes - 1, 2),
        (3 * label_bytes, 3),
    ] {
        let bounds = RegistryBounds {
            label_bytes: bound,
            ..RegistryBounds::default()
        };
        let mut mesh = Mesh::with(AnalysisSettings::default(), bounds);
        mesh.take(PRODUCTPAGE_NODE, entries());
        assert_eq!(
            (mesh.http().len(), mesh.accounting().overflowed),
            (kept + 1, 10 - kept as u64)
        );
    }
}

/// The identifier of productpage's sidecar, whose pod says that it is called so.
fn called(name: String) -> Identifier {
    let kind = Some(Kind::StringValue(name));
    let metadata = Struct {
        fields: [("NAME".to_owned(), Value { kind })].into(),
    };
    Identifier {
        node: Some(Node {
            id: PRODUCTPAGE_NODE.into(),
            metadata: Some(metadata),
            ..Node::default()
        }),
        log_name: String::new(),
    }
}

#[rstest]
#[case::within_the_bound(Analyzer::MxMesh, 380, 1)]
#[case::beyond_the_bound(Analyzer::MxMesh, 401, 0)]
#[case::beyond_it_where_nobody_asks(Analyzer::K8sMesh, 401, 1)]
fn what_a_node_says_about_itself_is_kept_within_the_bound_of_four_strings(
    #[case] analyzer: Analyzer,
    #[case] bytes: usize,
    #[case] observed: u64,
) {
    let chain = Chain::new([analyzer]);
    let settings = AnalysisSettings {
        http: chain,
        string_bytes: 100,
        ..AnalysisSettings::default()
    };
    let mut mesh = Mesh::with(settings, RegistryBounds::default());
    let message = StreamAccessLogsMessage {
        identifier: Some(called("x".repeat(bytes))),
        log_entries: Some(http([request(outbound(), Some(200))])),
    };
    mesh.take_bytes(&message.encode_to_vec());
    let accounting = mesh.accounting();
    assert_eq!(accounting.observed, observed);
    assert_eq!(accounting.rejected(Rejected::StringTooLong), 1 - observed);
}

#[rstest]
#[case::longest("a".repeat(255), 255)]
#[case::longer("a".repeat(256), "cluster.local".len())]
fn a_domain_that_is_too_long_for_dns_is_none(#[case] domain: String, #[case] expected: usize) {
    let mut identifier = called(String::new());
    identifier.node.as_mut().unwrap().id = format!("sidecar~10.0.0.1~productpage.demo~demo.svc.{domain}");
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier),
        log_entries: None,
    }
    .encode_to_vec();
    let message = Message::read(&message).unwrap();
    let node = Mesh::new()
        .shard
        .read_node(&message.identifier().unwrap().unwrap())
        .unwrap();
    assert_eq!(node.domain.len(), expected);
}

#[rstest]
#[case::whole(&[], 0)]
#[case::another_list_behind_them_is_cut_short(&[0x12, 2, 0x0a, 0x7f], 1)]
fn entries_before_their_stream_said_whose_they_are_are_rejected(
    #[case] rest: &[u8],
    #[case] broken_messages: u64,
) {
    let message = StreamAccessLogsMessage {
        identifier: None,
        log_entries: Some(http([200, 503].map(|code| request(outbound(), Some(code))))),
    };
    let bytes = [message.encode_to_vec(), rest.to_vec()].concat();
    let mut mesh = Mesh::new();
    mesh.shard
        .reject_entries(Message::read(&bytes).unwrap().entries());
    let accounting = mesh.accounting();
    assert_eq!(accounting.received, 2);
    assert_eq!(accounting.rejected(Rejected::MalformedMessage), 2);
    assert_eq!(
        accounting.messages_rejected(Rejected::MalformedMessage),
        broken_messages
    );
}
