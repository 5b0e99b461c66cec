//! Which entries the analyzer `persistence` keeps, and what is known of them.

mod endpoints;
mod sampled;

use std::sync::Arc;
use std::time::Duration;

use als_proto::Message;
use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry, ResponseFlags};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use alscope_analysis::accounting::KeepReason;
use alscope_analysis::aggregate::registry::{Registry, RegistryBounds};
use alscope_analysis::names::endpoint::{self, Endpoints};
use alscope_analysis::names::endpoint_rule::EndpointRule;
use alscope_analysis::node::Node;
use alscope_analysis::persistence::Persistence;
use alscope_analysis::persistence::kept_entry::KeptEntry;
use alscope_analysis::persistence::reason::SamplingRules;
use alscope_analysis::persistence::sample::Share;
use alscope_analysis::persistence::sink::{Batch, EntrySink};
use alscope_analysis::shard::{AnalysisSettings, MessageProgress, Shard};
use proptest::prelude::*;
use prost::Message as _;
use rstest::rstest;

use self::endpoints::failed;
use crate::conservation;
use crate::entry::*;
use crate::mesh::*;

const RULES: SamplingRules = SamplingRules {
    requests: true,
    connections: true,
    errors: true,
    slow: Some(Duration::from_millis(100)),
    sampled: Share::NONE,
};

/// One line: reason, reporter, parties, endpoint.
fn line(entry: &KeptEntry<'_, '_>, batch: &mut Vec<u8>) {
    let parties = entry.parties;
    let gateway = parties.gateway.as_ref().map_or("", |gateway| &gateway.name);
    let line = format!(
        "{} {} {}>{}>{} {}\n",
        entry.reason.as_str(),
        parties.reporter.as_str(),
        parties.source.name,
        gateway,
        parties.destination.name,
        entry.endpoint.unwrap_or("-")
    );
    batch.extend_from_slice(line.as_bytes());
}

fn persistence(rules: SamplingRules, entries_per_minute: usize) -> Arc<Persistence> {
    with_sinks(vec![EntrySink { rules, encode: line }], entries_per_minute)
}

fn with_sinks(sinks: Vec<EntrySink>, entries_per_minute: usize) -> Arc<Persistence> {
    let rule = EndpointRule::parse("GET /users/{name}", None).unwrap();
    let endpoints = Endpoints::new(endpoint::EndpointBounds::default(), vec![rule]);
    Arc::new(Persistence::new(sinks, entries_per_minute, endpoints))
}

/// Takes the batch of the only sink, if it has at least `bytes`.
fn batch(mesh: &mut Mesh, bytes: usize) -> Option<Batch> {
    let mut batches = mesh.shard.take_batches(bytes);
    assert!(batches.len() <= 1, "{batches:?}");
    batches.pop().map(|(_, batch)| batch)
}

fn keeping(persistence: &Arc<Persistence>) -> Mesh {
    let mut mesh = Mesh::new();
    let shard = Shard::new(
        AnalysisSettings::default(),
        Arc::new(Registry::new(RegistryBounds::default())),
    );
    mesh.shard = shard.with_persistence(persistence.clone());
    mesh
}

/// What is kept of the messages, line by line.
fn kept(mesh: &mut Mesh) -> Vec<String> {
    let batch = batch(mesh, 0).unwrap_or_default();
    let text = String::from_utf8(batch.bytes).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, batch.entries);
    lines
}

fn flagged(mut common: AccessLogCommon) -> AccessLogCommon {
    common.response_flags = Some(ResponseFlags {
        upstream_remote_reset: true,
        ..ResponseFlags::default()
    });
    common
}

fn delayed(mut common: AccessLogCommon) -> AccessLogCommon {
    common.response_flags = Some(ResponseFlags {
        delay_injected: true,
        ..ResponseFlags::default()
    });
    common
}

fn unreached(mut common: AccessLogCommon) -> AccessLogCommon {
    common.response_flags = Some(ResponseFlags {
        upstream_connection_failure: true,
        ..ResponseFlags::default()
    });
    common
}

/// A CONNECT that was answered with 200.
fn tunnel(common: AccessLogCommon) -> HttpAccessLogEntry {
    let mut entry = request(common, Some(200));
    entry.request.as_mut().unwrap().request_method = 6;
    entry
}

fn lasting(mut common: AccessLogCommon, microseconds: i32) -> AccessLogCommon {
    common.duration = Some(prost_types::Duration {
        seconds: 0,
        nanos: microseconds * 1000,
    });
    common
}

/// A gRPC call with this status.
fn grpc(status: &str) -> HttpAccessLogEntry {
    let mut entry = request(outbound(), Some(200));
    entry.protocol_version = 3;
    let request = entry.request.as_mut().unwrap();
    request.request_method = 3;
    request.path = "/demo.Reviews/Get".into();
    let response = entry.response.as_mut().unwrap();
    response.response_trailers = [("grpc-status".to_owned(), status.to_owned())].into();
    entry
}

#[rstest]
#[case::success(ok(outbound()), None)]
#[case::redirect(http([request(outbound(), Some(399))]), None)]
// proves: persistence/error
#[case::client_error(http([request(outbound(), Some(400))]), Some(KeepReason::Error))]
// proves: persistence/error
#[case::server_error(http([request(outbound(), Some(503))]), Some(KeepReason::Error))]
#[case::no_code(http([request(outbound(), Some(0))]), Some(KeepReason::Error))]
#[case::no_response(http([request(outbound(), None)]), Some(KeepReason::Error))]
#[case::grpc_error(http([grpc("14")]), Some(KeepReason::Error))]
#[case::grpc_client_error(http([grpc("5")]), Some(KeepReason::Error))]
#[case::grpc_success(http([grpc("0")]), None)]
#[case::grpc_unknown(http([grpc("")]), None)]
// proves: persistence/error-first
#[case::error_with_flag(http([request(flagged(outbound()), Some(503))]), Some(KeepReason::Error))]
// proves: persistence/error
#[case::cut(ok(flagged(outbound())), Some(KeepReason::Error))]
// proves: persistence/flag
#[case::flag(ok(delayed(outbound())), Some(KeepReason::Flag))]
// proves: persistence/flag, lasting/success
#[case::upgraded(http([request(flagged(outbound()), Some(101))]), Some(KeepReason::Flag))]
// proves: lasting/success
#[case::tunnel(http([tunnel(flagged(outbound()))]), Some(KeepReason::Flag))]
// proves: persistence/flag-tcp
#[case::tcp_flag(tcp(flagged(outbound()), 1, 2), Some(KeepReason::Flag))]
// proves: persistence/error-tcp
#[case::tcp_error(tcp(unreached(outbound()), 1, 2), Some(KeepReason::Error))]
#[case::tcp(tcp(outbound(), 1, 2), None)]
// proves: persistence/slow
#[case::slow(ok(lasting(outbound(), 100_000)), Some(KeepReason::Slow))]
// proves: persistence/slow
#[case::not_slow(ok(lasting(outbound(), 99_999)), None)]
// proves: persistence/slow-lasting
#[case::tcp_is_not_slow(tcp(lasting(outbound(), 100_000), 1, 2), None)]
// proves: persistence/slow-lasting
#[case::websocket_is_not_slow(http([request(lasting(outbound(), 100_000), Some(101))]), None)]
#[case::slow_error(http([request(lasting(outbound(), 100_000), Some(500))]), Some(KeepReason::Error))]
// proves: persistence/observed
#[case::not_observed(http([request(AccessLogCommon { access_log_type: 5, ..outbound() }, Some(500))]), None)]
fn an_entry_is_kept_for_the_first_reason(#[case] logs: Logs, #[case] expected: Option<KeepReason>) {
    let mut mesh = keeping(&persistence(RULES, 10));
    mesh.take(PRODUCTPAGE_NODE, logs);
    let accounting = mesh.accounting();
    for reason in KeepReason::ALL {
        let count = u64::from(expected == Some(*reason));
        assert_eq!(accounting.kept(*reason), count, "{reason:?}");
    }
    let reasons: Vec<String> = kept(&mut mesh)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let expected: Vec<&str> = expected.map(KeepReason::as_str).into_iter().collect();
    assert_eq!(reasons, expected);
}

#[rstest]
// proves: persistence/kinds
#[case::requests(SamplingRules { connections: false, ..RULES }, 1, 0)]
// proves: persistence/kinds
#[case::connections(SamplingRules { requests: false, ..RULES }, 0, 1)]
// proves: persistence/errors-off
#[case::no_errors(SamplingRules { errors: false, ..RULES }, 0, 0)]
#[case::never_slow(SamplingRules { slow: None, ..RULES }, 1, 1)]
// proves: persistence/sampled
#[case::all_are_sampled(SamplingRules { sampled: Share::new(1.0), ..RULES }, 2, 2)]
fn what_is_not_asked_for_is_not_kept(
    #[case] rules: SamplingRules,
    #[case] requests: usize,
    #[case] connections: usize,
) {
    let mut mesh = keeping(&persistence(rules, 10));
    mesh.take(PRODUCTPAGE_NODE, ok(flagged(outbound())));
    mesh.take(PRODUCTPAGE_NODE, ok(outbound()));
    assert_eq!(kept(&mut mesh).len(), requests);
    mesh.take(PRODUCTPAGE_NODE, tcp(flagged(outbound()), 1, 2));
    mesh.take(PRODUCTPAGE_NODE, tcp(outbound(), 1, 2));
    assert_eq!(kept(&mut mesh).len(), connections);
}

#[test]
fn a_shard_without_persistence_keeps_nothing() {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([request(outbound(), Some(500))]));
    assert_eq!(batch(&mut mesh, 0), None);
    assert_eq!(mesh.accounting().kept(KeepReason::Error), 0);
}

#[rstest]
#[case::client_side(
    PRODUCTPAGE_NODE,
    outbound(),
    "error source productpage.demo>>reviews.demo GET /reviews/{int}"
)]
#[case::server_side(
    REVIEWS_NODE,
    inbound(),
    "error destination productpage.demo>>reviews.demo GET /reviews/{int}"
)]
// proves: persistence/gateway
#[case::gateway(
    GATEWAY_NODE,
    through_gateway(),
    "error source unknown>gateway.demo>productpage.demo GET /reviews/{int}"
)]
fn an_entry_is_kept_once_with_its_parties(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] expected: &str,
) {
    let mut mesh = keeping(&persistence(RULES, 10));
    mesh.take(node, http([request(common, Some(500))]));
    assert_eq!(kept(&mut mesh), [expected]);
}

/// Entries of the reporting service with one code, of which two a minute are kept.
#[rstest]
// proves: persistence/rate
#[case::one_kind(&[(PRODUCTPAGE_NODE, outbound(), 500), (PRODUCTPAGE_NODE, outbound(), 500), (PRODUCTPAGE_NODE, outbound(), 500)], 2)]
// proves: persistence/rate-kind
#[case::two_codes(&[(PRODUCTPAGE_NODE, outbound(), 500), (PRODUCTPAGE_NODE, outbound(), 500), (PRODUCTPAGE_NODE, outbound(), 503)], 3)]
// proves: persistence/rate-kind
#[case::flags_and_not_the_code(&[(PRODUCTPAGE_NODE, flagged(outbound()), 500), (PRODUCTPAGE_NODE, flagged(outbound()), 502), (PRODUCTPAGE_NODE, flagged(outbound()), 503)], 2)]
// proves: persistence/rate-service
#[case::each_side_is_a_service(&[(PRODUCTPAGE_NODE, outbound(), 500), (REVIEWS_NODE, inbound(), 500), (REVIEWS_NODE, inbound(), 500), (PRODUCTPAGE_NODE, outbound(), 500)], 4)]
fn so_many_of_a_kind_are_kept_in_a_minute(
    #[case] entries: &[(&str, AccessLogCommon, u32)],
    #[case] expected: usize,
) {
    let mut mesh = keeping(&persistence(RULES, 2));
    for (node, common, code) in entries {
        mesh.take(node, http([request(common.clone(), Some(*code))]));
    }
    let accounting = mesh.accounting();
    assert_eq!(kept(&mut mesh).len(), expected);
    assert_eq!(accounting.kept(KeepReason::Error), expected as u64);
    assert_eq!(accounting.over_rate, (entries.len() - expected) as u64);
}

#[test]
fn each_sink_gets_what_it_selects_and_the_entry_is_counted_once() {
    let failed_only = EntrySink {
        rules: RULES,
        encode: line,
    };
    let all = EntrySink {
        rules: SamplingRules {
            errors: false,
            slow: None,
            sampled: Share::new(1.0),
            ..RULES
        },
        encode: |entry, batch| batch.extend_from_slice(entry.reason.as_str().as_bytes()),
    };
    let mut mesh = keeping(&with_sinks(vec![failed_only, all], 10));
    mesh.take(PRODUCTPAGE_NODE, failed("/a", 500, false));
    mesh.take(PRODUCTPAGE_NODE, http([request(outbound(), Some(200))]));
    let batch = |bytes: &[u8], entries| Batch {
        bytes: bytes.to_vec(),
        entries,
    };
    let line = b"error source productpage.demo>>reviews.demo GET /a\n";
    let expected = [(0, batch(line, 1)), (1, batch(b"sampledsampled", 2))];
    assert_eq!(mesh.shard.take_batches(0), expected);
    let accounting = mesh.accounting();
    let kept = [KeepReason::Error, KeepReason::Sampled].map(|reason| accounting.kept(reason));
    assert_eq!(kept, [1, 1]);
}

#[test]
fn a_batch_is_taken_when_it_is_long_enough() {
    let mut mesh = keeping(&persistence(RULES, 10));
    assert_eq!(batch(&mut mesh, 0), None);
    mesh.take(PRODUCTPAGE_NODE, failed("/a", 500, false));
    let line = b"error source productpage.demo>>reviews.demo GET /a\n".to_vec();
    assert_eq!(batch(&mut mesh, line.len() + 1), None);
    let kept = batch(&mut mesh, line.len());
    assert_eq!(
        kept,
        Some(Batch {
            bytes: line,
            entries: 1
        })
    );
    assert_eq!(batch(&mut mesh, 0), None);
}

/// What a shard with a rate of one allocates for 100 entries like those that it has seen before.
fn allocations(entry: HttpAccessLogEntry) -> u64 {
    let mut mesh = keeping(&persistence(RULES, 1));
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier(PRODUCTPAGE_NODE)),
        log_entries: Some(http(vec![entry; 100])),
    };
    let bytes = message.encode_to_vec();
    let message = Message::read(&bytes).unwrap();
    let node = Node::identify(&message.identifier().unwrap().unwrap(), mesh.shard.registry()).unwrap();
    let mut take = || {
        let mut progress = MessageProgress::new(message.entries(), at(NOW));
        while mesh
            .shard
            .read_entries(&mesh.directory, &node, &mut progress, 100)
        {}
    };
    take();
    allocation_counter::measure(take).count_total
}

#[rstest]
#[case::no_reason(request(outbound(), Some(200)))]
#[case::over_the_rate(request(outbound(), Some(500)))]
fn what_is_not_kept_allocates_nothing(#[case] entry: HttpAccessLogEntry) {
    assert_eq!(allocations(entry), 0);
}

proptest! {
    #[test]
    fn what_is_kept_is_counted_once_and_the_laws_hold(
        messages in prop::collection::vec((conservation::node(), prop::collection::vec(conservation::entry(), 0..8)), 1..6),
        per_minute in 1_usize..4,
    ) {
        let rules = SamplingRules { sampled: Share::new(0.5), ..RULES };
        let mut mesh = keeping(&persistence(rules, per_minute));
        for (node, entries) in messages {
            mesh.take(node, http(entries));
        }
        let snapshot = mesh.snapshot();
        conservation::check(&snapshot);
        let accounting = &snapshot.accounting;
        let counted: u64 = KeepReason::ALL.iter().map(|reason| accounting.kept(*reason)).sum();
        prop_assert_eq!(counted, kept(&mut mesh).len() as u64);
        prop_assert!(counted + accounting.over_rate <= accounting.observed);
    }
}
