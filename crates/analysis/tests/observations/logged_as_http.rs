//! TCP connections that a logger of HTTP reports: the loggers of an `envoyHttpAls` provider stand at TCP proxies and listeners too.

use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties, ResponseFlags,
};
use alscope_analysis::accounting::Skipped;
use alscope_analysis::aggregate::series::TcpCounts;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

const TCP_UPSTREAM_CONNECTED: i32 = 1;
const TCP_PERIODIC: i32 = 2;
const TCP_CONNECTION_END: i32 = 3;
const DOWNSTREAM_END: i32 = 6;
const NOT_SET: i32 = 0;
const A_LATER_TYPE: i32 = 14;

/// A connection as a logger of HTTP reports it: request and response hold bytes of the body and nothing else.
fn connection(common: AccessLogCommon, received_bytes: u64, sent_bytes: u64) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(common),
        protocol_version: 0,
        request: Some(HttpRequestProperties {
            request_body_bytes: received_bytes,
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_body_bytes: sent_bytes,
            ..HttpResponseProperties::default()
        }),
    }
}

fn of_type(access_log_type: i32, common: AccessLogCommon) -> AccessLogCommon {
    AccessLogCommon {
        access_log_type,
        ..common
    }
}

/// The common properties without the bytes on the wire, as proxies before Envoy 1.23 log them.
fn without_wire_bytes(common: AccessLogCommon) -> AccessLogCommon {
    AccessLogCommon {
        downstream_wire_bytes_received: 0,
        downstream_wire_bytes_sent: 0,
        ..common
    }
}

/// A connection that found no filter chain, as a listener logs it.
fn refused_by_listener() -> AccessLogCommon {
    AccessLogCommon {
        upstream_remote_address: None,
        upstream_cluster: String::new(),
        response_flags: Some(ResponseFlags {
            no_route_found: true,
            ..ResponseFlags::default()
        }),
        ..of_type(NOT_SET, without_wire_bytes(inbound()))
    }
}

fn observed(node: &str, logs: Logs) -> Vec<(Labels, TcpCounts)> {
    let mut mesh = Mesh::new();
    mesh.take(node, logs);
    assert!(mesh.http().is_empty(), "counted as HTTP");
    mesh.tcp()
}

#[rstest]
// proves: protocol/tcp-by-type
#[case::outbound(PRODUCTPAGE_NODE, of_type(TCP_CONNECTION_END, outbound()), 1)]
// proves: protocol/tcp-by-type
#[case::inbound(REVIEWS_NODE, of_type(TCP_CONNECTION_END, inbound()), 1)]
// proves: protocol/tcp-by-type
#[case::through_a_gateway(GATEWAY_NODE, of_type(TCP_CONNECTION_END, through_gateway()), 2)]
// proves: measure/tcp-body-bytes
#[case::of_an_old_proxy(
    PRODUCTPAGE_NODE,
    of_type(TCP_CONNECTION_END, without_wire_bytes(outbound())),
    1
)]
// proves: protocol/tcp-by-content
#[case::of_an_older_proxy(PRODUCTPAGE_NODE, of_type(NOT_SET, without_wire_bytes(outbound())), 1)]
// proves: protocol/tcp-by-content
#[case::refused_by_a_listener(REVIEWS_NODE, refused_by_listener(), 1)]
fn a_connection_is_the_same_observation_from_either_logger(
    #[case] node: &str,
    #[case] common: AccessLogCommon,
    #[case] observations: usize,
) {
    let by_tcp = observed(node, tcp(common.clone(), 30, 70));
    let by_http = observed(node, http([connection(common, 30, 70)]));
    assert_eq!(by_http, by_tcp);
    assert_eq!(by_http.len(), observations);
}

// proves: protocol/tcp-by-type, measure/wire-bytes
#[test]
fn the_bytes_of_a_connection_are_those_on_the_wire() {
    let entry = connection(of_type(TCP_CONNECTION_END, outbound()), 30, 70);
    let (_, counts) = observed(PRODUCTPAGE_NODE, http([entry])).remove(0);
    assert_eq!((counts.received_bytes, counts.sent_bytes), (200, 1000));
}

// proves: final/start, final/periodic, measure/tcp-connection
#[test]
fn a_connection_is_counted_once_however_often_it_is_logged() {
    let mut mesh = Mesh::new();
    for access_log_type in [
        TCP_UPSTREAM_CONNECTED,
        TCP_PERIODIC,
        TCP_PERIODIC,
        TCP_CONNECTION_END,
    ] {
        let entry = connection(of_type(access_log_type, outbound()), 30, 70);
        mesh.take(PRODUCTPAGE_NODE, http([entry]));
    }
    assert_eq!(mesh.tcp().remove(0).1.connections, 1);
    assert_eq!(mesh.accounting().skipped(Skipped::Periodic), 3);
}

/// An entry of this type, HTTP version and method, whose response has this code.
fn entry(access_log_type: i32, version: i32, method: i32, code: Option<u32>) -> HttpAccessLogEntry {
    let mut entry = connection(of_type(access_log_type, outbound()), 0, 0);
    entry.protocol_version = version;
    entry.request.as_mut().unwrap().request_method = method;
    entry.response.as_mut().unwrap().response_code = code;
    entry
}

const HTTP11: i32 = 2;
const GET: i32 = 1;

#[rstest]
// proves: protocol/tcp-by-type
#[case::end_of_a_connection(entry(TCP_CONNECTION_END, 0, 0, None), "tcp")]
// proves: protocol/tcp-by-type
#[case::end_of_a_tunnelled_connection(entry(TCP_CONNECTION_END, HTTP11, GET, Some(200)), "tcp")]
// proves: protocol/tcp-by-type
#[case::end_of_a_request_that_says_nothing(entry(DOWNSTREAM_END, 0, 0, None), "http")]
#[case::reset_before_its_headers(entry(DOWNSTREAM_END, HTTP11, 0, None), "http")]
#[case::reset_before_its_answer(entry(DOWNSTREAM_END, HTTP11, GET, None), "http")]
// proves: protocol/tcp-by-content
#[case::untyped(entry(NOT_SET, 0, 0, None), "tcp")]
// proves: protocol/tcp-by-content
#[case::untyped_and_reset_before_its_headers(entry(NOT_SET, HTTP11, 0, None), "http")]
// proves: protocol/tcp-by-content
#[case::untyped_with_a_method(entry(NOT_SET, 0, GET, None), "http")]
// proves: protocol/tcp-by-content
#[case::untyped_with_a_code(entry(NOT_SET, 0, 0, Some(400)), "http")]
// proves: protocol/tcp-by-content
#[case::of_a_later_type(entry(A_LATER_TYPE, 0, 0, None), "tcp")]
#[case::of_a_later_type_with_a_code(entry(A_LATER_TYPE, HTTP11, GET, Some(200)), "http")]
fn what_an_entry_is_about(#[case] entry: HttpAccessLogEntry, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    let (http, tcp) = (mesh.http(), mesh.tcp());
    let protocols: Vec<&str> = (http.iter().map(|(labels, _)| labels))
        .chain(tcp.iter().map(|(labels, _)| labels))
        .map(|labels| labels.get("request_protocol"))
        .collect();
    assert_eq!(protocols, [expected]);
}
