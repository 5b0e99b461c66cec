//! The messages of gRPC calls, as Envoy's `grpc_stats` filter counted them.

use als_proto::GrpcMessages;
use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use alscope_analysis::accounting::ClampedField;
use alscope_analysis::aggregate::series::HttpCounts;
use alscope_analysis::analyze::measure::MAX_MESSAGES;
use prost::Message as _;
use prost_types::Any;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

const GRPC_STATS: &str = "envoy.filters.http.grpc_stats";
const FILTER_OBJECT: &str = "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterObject";

/// `envoy.extensions.filters.http.grpc_stats.v3.FilterObject`.
#[derive(Clone, PartialEq, prost::Message)]
struct FilterObject {
    #[prost(uint64, tag = "1")]
    request_message_count: u64,
    #[prost(uint64, tag = "2")]
    response_message_count: u64,
}

fn filter_object(requests: u64, responses: u64) -> Vec<u8> {
    let object = FilterObject {
        request_message_count: requests,
        response_message_count: responses,
    };
    object.encode_to_vec()
}

/// A call of this content type whose filter state has this object.
fn call(content_type: &str, object: Option<(&str, &str, Vec<u8>)>) -> HttpAccessLogEntry {
    let mut entry = request(
        AccessLogCommon {
            filter_state_objects: object
                .map(|(key, type_url, value)| {
                    let type_url = type_url.to_owned();
                    (key.to_owned(), Any { type_url, value })
                })
                .into_iter()
                .collect(),
            ..outbound()
        },
        Some(200),
    );
    let headers = &mut entry.request.as_mut().unwrap().request_headers;
    headers.insert("content-type".to_owned(), content_type.to_owned());
    entry
}

fn grpc_call(requests: u64, responses: u64) -> HttpAccessLogEntry {
    let object = (GRPC_STATS, FILTER_OBJECT, filter_object(requests, responses));
    call("application/grpc", Some(object))
}

const fn messages(requests: u64, responses: u64) -> GrpcMessages {
    GrpcMessages { requests, responses }
}

/// What the only series counted.
fn counted(mesh: &mut Mesh) -> HttpCounts {
    let mut series = mesh.http();
    assert_eq!(series.len(), 1, "{series:#?}");
    series.remove(0).1
}

#[rstest]
// proves: protocol/grpc-messages
#[case::of_a_call(grpc_call(3, 40), messages(3, 40))]
// proves: protocol/grpc-messages
#[case::of_http(call("text/html", Some((GRPC_STATS, FILTER_OBJECT, filter_object(3, 40)))), messages(0, 0))]
// proves: protocol/grpc-messages
#[case::of_another_filter(
    call("application/grpc", Some(("envoy.filters.http.lua", FILTER_OBJECT, filter_object(3, 40)))),
    messages(0, 0)
)]
// proves: protocol/grpc-messages
#[case::of_another_type(
    call("application/grpc", Some((GRPC_STATS, "type.googleapis.com/google.protobuf.Struct", filter_object(3, 40)))),
    messages(0, 0)
)]
#[case::malformed(call("application/grpc", Some((GRPC_STATS, FILTER_OBJECT, vec![8]))), messages(0, 0))]
#[case::not_logged(call("application/grpc", None), messages(0, 0))]
fn messages_are_those_of_the_filter(#[case] entry: HttpAccessLogEntry, #[case] expected: GrpcMessages) {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let counts = counted(&mut mesh);
    assert_eq!((counts.requests, counts.messages), (1, expected));
}

// proves: protocol/grpc-messages
#[test]
fn messages_of_all_calls_add_up_over_drains() {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([grpc_call(1, 1), grpc_call(0, 7)]));
    assert_eq!(counted(&mut mesh).messages, messages(1, 8));
    mesh.take(
        PRODUCTPAGE_NODE,
        http([grpc_call(10, 0), call("application/grpc", None)]),
    );
    assert_eq!(counted(&mut mesh).messages, messages(11, 8));
}

#[rstest]
// proves: measure/clamped
#[case::sense(MAX_MESSAGES, MAX_MESSAGES, &[])]
// proves: measure/clamped
#[case::requests_beyond(MAX_MESSAGES + 1, 2, &[ClampedField::RequestMessages])]
// proves: measure/clamped
#[case::responses_beyond(2, u64::MAX, &[ClampedField::ResponseMessages])]
fn messages_beyond_sense_are_as_many_as_are_believed(
    #[case] requests: u64,
    #[case] responses: u64,
    #[case] fields: &[ClampedField],
) {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([grpc_call(requests, responses)]));
    let expected = messages(requests.min(MAX_MESSAGES), responses.min(MAX_MESSAGES));
    assert_eq!(counted(&mut mesh).messages, expected);
    let accounting = mesh.accounting();
    let clamped = ClampedField::ALL.iter().copied();
    let clamped: Vec<_> = clamped.filter(|field| accounting.clamped(*field) == 1).collect();
    assert_eq!(clamped, fields);
}
