//! HTTP, gRPC or TCP; what came of a call; entries of one call that are counted once.

use als_proto::messages::envoy::data::accesslog::v3::{HttpAccessLogEntry, ResponseFlags, response_flags};
use alscope_analysis::accounting::Skipped;
use alscope_analysis::directory::Port;
use alscope_analysis::directory::records::{EndpointSliceRecord, Record, ServiceRecord};
use alscope_analysis::port_protocol::PortProtocol;
use rstest::rstest;

use crate::entry::*;
use crate::mesh::*;

/// The mesh where the Service `reviews` declares `protocol`, for callers and for its pods.
fn declaring(protocol: PortProtocol) -> Mesh {
    let ports = vec![Port {
        number: 9080,
        protocol,
    }];
    let service = ServiceRecord {
        name: "reviews".into(),
        namespace: "demo".into(),
        labels: [].into(),
        annotations: [].into(),
        selector: None,
        addresses: vec![REVIEWS_SERVICE.parse().unwrap()],
        ports: ports.clone(),
        created: at(STARTED),
    };
    let slice = EndpointSliceRecord {
        name: "reviews-abc".into(),
        namespace: "demo".into(),
        service: "reviews".into(),
        ports,
        pods: vec!["uid-reviews".into()],
        addresses: vec![],
        created: at(STARTED),
    };
    let mut mesh = Mesh::new();
    mesh.directory = directory_with([Record::Service(service), Record::EndpointSlice(slice)]);
    mesh
}

/// A request of this HTTP version, method and path, with this content type if it is logged.
fn shaped(version: i32, method: i32, path: &str, content_type: Option<&str>) -> HttpAccessLogEntry {
    let mut entry = request(outbound(), Some(200));
    entry.protocol_version = version;
    let request = entry.request.as_mut().unwrap();
    (request.request_method, request.path) = (method, path.into());
    let content_type = content_type.map(|text| ("content-type".to_owned(), text.to_owned()));
    request.request_headers.extend(content_type);
    entry
}

const HTTP10: i32 = 1;
const HTTP11: i32 = 2;
const HTTP2: i32 = 3;
const HTTP3: i32 = 4;
const GET: i32 = 1;
const POST: i32 = 3;
const CALL: &str = "/demo.Reviews/List";
const GRPC: Option<&str> = Some("application/grpc");

use PortProtocol::{Grpc, Http, Undeclared};

#[rstest]
#[case::http10(Undeclared, shaped(HTTP10, GET, "/", None), "http")]
#[case::http11(Undeclared, shaped(HTTP11, POST, CALL, None), "http")]
#[case::http2(Undeclared, shaped(HTTP2, POST, "/reviews", None), "http")]
#[case::http3(Undeclared, shaped(HTTP3, POST, CALL, None), "http")]
// proves: protocol/grpc-shape
#[case::shape(Undeclared, shaped(HTTP2, POST, CALL, None), "grpc")]
// proves: protocol/grpc-shape
#[case::shape_with_get(Undeclared, shaped(HTTP2, GET, CALL, None), "http")]
// proves: protocol/grpc-content-type
#[case::content_type(Undeclared, shaped(HTTP11, POST, "/x", GRPC), "grpc")]
// proves: protocol/content-type-first
#[case::content_type_before_port(Http, shaped(HTTP2, POST, CALL, GRPC), "grpc")]
// proves: protocol/content-type-first
#[case::other_content_type(Grpc, shaped(HTTP2, POST, CALL, Some("application/json")), "http")]
// proves: protocol/grpc-port
#[case::port(Grpc, shaped(HTTP2, POST, "/Reviews/List", None), "grpc")]
// proves: protocol/grpc-port
#[case::port_with_get(Grpc, shaped(HTTP2, GET, "/healthz", None), "http")]
// proves: protocol/http-port
#[case::http_port(Http, shaped(HTTP2, POST, CALL, None), "http")]
fn the_protocol(#[case] port: PortProtocol, #[case] entry: HttpAccessLogEntry, #[case] expected: &str) {
    let mut mesh = declaring(port);
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    assert_eq!(mesh.only_http().get("request_protocol"), expected);
}

// proves: protocol/port-of-endpoint
#[test]
fn the_server_side_knows_the_port_by_its_endpoint() {
    let mut mesh = declaring(Grpc);
    let mut entry = shaped(HTTP2, POST, "/Reviews/List", None);
    entry.common_properties = Some(inbound());
    mesh.take(REVIEWS_NODE, http([entry]));
    assert_eq!(mesh.only_http().get("request_protocol"), "grpc");
}

// proves: protocol/port-of-upstream
#[test]
fn at_a_gateway_the_upstreams_port_counts_for_both_observations() {
    let mut mesh = declaring(Grpc);
    let mut entry = shaped(HTTP2, POST, "/Reviews/List", None);
    let mut common = through_gateway();
    common.upstream_cluster = REVIEWS_CLUSTER.into();
    entry.common_properties = Some(common);
    mesh.take(GATEWAY_NODE, http([entry]));
    let protocols: Vec<String> = mesh
        .http()
        .iter()
        .map(|(labels, _)| labels.get("request_protocol").to_owned())
        .collect();
    assert_eq!(protocols, ["grpc", "grpc"]);
}

#[rstest]
// proves: protocol/grpc-status-trailer
#[case::trailer(Some("0"), None, "0")]
// proves: protocol/grpc-status-header
#[case::trailers_only(None, Some("14"), "14")]
// proves: protocol/grpc-status-trailer
#[case::both(Some("5"), Some("0"), "5")]
// proves: protocol/grpc-status-unknown
#[case::neither(None, None, "unknown")]
// proves: protocol/grpc-status-unknown
#[case::no_number(Some("OK"), None, "unknown")]
fn the_status_of_a_grpc_call(
    #[case] trailer: Option<&str>,
    #[case] header: Option<&str>,
    #[case] expected: &str,
) {
    let mut entry = shaped(HTTP2, POST, CALL, GRPC);
    let response = entry.response.as_mut().unwrap();
    let named = |value: Option<&str>| value.map(|value| ("grpc-status".to_owned(), value.to_owned()));
    response.response_trailers.extend(named(trailer));
    response.response_headers.extend(named(header));
    let mut mesh = Mesh::new();
    mesh.take(PRODUCTPAGE_NODE, http([entry]));
    assert_eq!(mesh.only_http().get("grpc_response_status"), expected);
}

#[rstest]
// proves: final/start, final/end
#[case::with_its_start(&[4, 6], 1)]
// proves: final/periodic, final/end
#[case::with_periodic_entries(&[4, 5, 5, 6], 1)]
// proves: final/tunnel-established
#[case::websocket(&[4, 10, 5, 6], 1)]
// proves: final/upstream-end
#[case::with_its_attempts(&[9, 9, 6], 1)]
// proves: final/not-set
#[case::old_proxies(&[0, 0], 2)]
fn a_request_is_counted_once(#[case] types: &[i32], #[case] requests: u64) {
    let mut mesh = Mesh::new();
    mesh.take(
        PRODUCTPAGE_NODE,
        http(types.iter().map(|access_log_type| {
            let mut entry = request(outbound(), Some(101));
            entry.common_properties.as_mut().unwrap().access_log_type = *access_log_type;
            entry
        })),
    );
    let counted: u64 = mesh.http().iter().map(|(_, counts)| counts.requests).sum();
    assert_eq!(counted, requests);
    let skipped = [Skipped::Periodic, Skipped::NotACall].map(|reason| mesh.accounting().skipped(reason));
    assert_eq!(skipped.iter().sum::<u64>() + requests, types.len() as u64);
}

// proves: final/periodic, measure/tcp-connection
#[test]
fn the_bytes_of_a_connection_are_those_of_its_end() {
    let mut mesh = Mesh::new();
    for (access_log_type, bytes) in [(2, 100), (2, 200), (3, 300)] {
        let mut common = outbound();
        common.access_log_type = access_log_type;
        (
            common.downstream_wire_bytes_received,
            common.downstream_wire_bytes_sent,
        ) = (bytes, bytes);
        mesh.take(PRODUCTPAGE_NODE, tcp(common, 0, 0));
    }
    let (_, counts) = mesh.tcp().remove(0);
    assert_eq!(
        (counts.connections, counts.received_bytes, counts.sent_bytes),
        (1, 300, 300)
    );
}

fn flags(set: impl FnOnce(&mut ResponseFlags)) -> ResponseFlags {
    let mut flags = ResponseFlags::default();
    set(&mut flags);
    flags
}

#[rstest]
// proves: flags/none
#[case(flags(|_| {}), "-")]
// proves: flags/short-code
#[case(flags(|flags| flags.failed_local_healthcheck = true), "LH")]
// proves: flags/short-code
#[case(flags(|flags| flags.no_healthy_upstream = true), "UH")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_request_timeout = true), "UT")]
// proves: flags/short-code
#[case(flags(|flags| flags.local_reset = true), "LR")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_remote_reset = true), "UR")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_connection_failure = true), "UF")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_connection_termination = true), "UC")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_overflow = true), "UO")]
// proves: flags/short-code
#[case(flags(|flags| flags.no_route_found = true), "NR")]
// proves: flags/short-code
#[case(flags(|flags| flags.delay_injected = true), "DI")]
// proves: flags/short-code
#[case(flags(|flags| flags.fault_injected = true), "FI")]
// proves: flags/short-code
#[case(flags(|flags| flags.rate_limited = true), "RL")]
// proves: flags/short-code
#[case(flags(|flags| flags.unauthorized_details = Some(response_flags::Unauthorized::default())), "UAEX")]
// proves: flags/short-code
#[case(flags(|flags| flags.rate_limit_service_error = true), "RLSE")]
// proves: flags/short-code
#[case(flags(|flags| flags.downstream_connection_termination = true), "DC")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_retry_limit_exceeded = true), "URX")]
// proves: flags/short-code
#[case(flags(|flags| flags.stream_idle_timeout = true), "SI")]
// proves: flags/short-code
#[case(flags(|flags| flags.invalid_envoy_request_headers = true), "IH")]
// proves: flags/short-code
#[case(flags(|flags| flags.downstream_protocol_error = true), "DPE")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_max_stream_duration_reached = true), "UMSDR")]
// proves: flags/short-code
#[case(flags(|flags| flags.response_from_cache_filter = true), "RFCF")]
// proves: flags/short-code
#[case(flags(|flags| flags.no_filter_config_found = true), "NFCF")]
// proves: flags/short-code
#[case(flags(|flags| flags.duration_timeout = true), "DT")]
// proves: flags/short-code
#[case(flags(|flags| flags.upstream_protocol_error = true), "UPE")]
// proves: flags/short-code
#[case(flags(|flags| flags.no_cluster_found = true), "NC")]
// proves: flags/short-code
#[case(flags(|flags| flags.overload_manager = true), "OM")]
// proves: flags/short-code
#[case(flags(|flags| flags.dns_resolution_failure = true), "DF")]
// proves: flags/short-code
#[case(flags(|flags| flags.downstream_remote_reset = true), "DR")]
// proves: flags/all
#[case(flags(|flags| (flags.no_route_found, flags.downstream_connection_termination, flags.upstream_retry_limit_exceeded) = (true, true, true)), "NR,DC,URX")]
fn flags_have_envoys_short_codes(#[case] flags: ResponseFlags, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    let mut common = outbound();
    common.response_flags = Some(flags);
    mesh.take(PRODUCTPAGE_NODE, http([request(common, None)]));
    let labels = mesh.only_http();
    assert_eq!(
        (labels.get("response_flags"), labels.get("response_code")),
        (expected, "0")
    );
}
