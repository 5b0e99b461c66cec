use als_proto::HttpEntry;
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, ResponseFlags as Message, response_flags::Unauthorized,
};
use prost::Message as _;
use rstest::rstest;

use super::*;
use Protocol::{Grpc, GrpcUnknown, Http, Tcp};
use Verdict::{ClientError, Failed, Success, Unknown};

/// Flags by their short codes.
fn flags(codes: &str) -> ResponseFlags {
    let has = |code| codes.split(',').any(|one| one == code);
    let message = Message {
        failed_local_healthcheck: has("LH"),
        no_healthy_upstream: has("UH"),
        upstream_request_timeout: has("UT"),
        local_reset: has("LR"),
        upstream_remote_reset: has("UR"),
        upstream_connection_failure: has("UF"),
        upstream_connection_termination: has("UC"),
        upstream_overflow: has("UO"),
        no_route_found: has("NR"),
        delay_injected: has("DI"),
        fault_injected: has("FI"),
        rate_limited: has("RL"),
        unauthorized_details: has("UAEX").then(Unauthorized::default),
        rate_limit_service_error: has("RLSE"),
        downstream_connection_termination: has("DC"),
        upstream_retry_limit_exceeded: has("URX"),
        stream_idle_timeout: has("SI"),
        invalid_envoy_request_headers: has("IH"),
        downstream_protocol_error: has("DPE"),
        upstream_max_stream_duration_reached: has("UMSDR"),
        response_from_cache_filter: has("RFCF"),
        no_filter_config_found: has("NFCF"),
        duration_timeout: has("DT"),
        upstream_protocol_error: has("UPE"),
        no_cluster_found: has("NC"),
        overload_manager: has("OM"),
        dns_resolution_failure: has("DF"),
        downstream_remote_reset: has("DR"),
    };
    let entry = HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            response_flags: Some(message),
            ..AccessLogCommon::default()
        }),
        ..HttpAccessLogEntry::default()
    };
    let bytes = entry.encode_to_vec();
    let mut entry = HttpEntry::default();
    entry.read(&bytes).unwrap();
    let flags = entry.common_properties().unwrap().response_flags;
    assert_eq!(flags.short_codes().collect::<Vec<_>>().join(","), codes);
    flags
}

fn verdict(protocol: Protocol, code: u32, codes: &str) -> Verdict {
    Verdict::of(Outcome {
        protocol,
        code,
        flags: flags(codes),
    })
}

#[rstest]
#[case(Http, 200, "", Success)]
#[case(Http, 302, "", Success)]
// proves: outcome/client-error
#[case(Http, 400, "", ClientError)]
// proves: outcome/client-error
#[case(Http, 499, "", ClientError)]
// proves: outcome/server-error
#[case(Http, 500, "", Failed)]
#[case(Http, 599, "", Failed)]
// proves: outcome/no-answer
#[case(Http, 0, "", Failed)]
// proves: outcome/no-answer
#[case(Http, 0, "DC", Failed)]
#[case(Http, 0, "DR", Failed)]
#[case(Http, 0, "UR", Failed)]
// proves: outcome/cut
#[case(Http, 200, "UC", Failed)]
// proves: outcome/caller-left
#[case(Http, 200, "DC", Success)]
#[case(Http, 200, "DR", Success)]
#[case(Http, 200, "DI", Success)]
#[case(Http, 200, "RLSE", Success)]
#[case(Http, 200, "RFCF", Success)]
// proves: outcome/upgraded
#[case(Http, 101, "", Success)]
// proves: outcome/upgraded
#[case(Http, 101, "UC", Success)]
#[case(Http, 101, "DC", Success)]
#[case(Http, 101, "UR", Success)]
#[case(Http, 101, "DPE", Success)]
// proves: outcome/refused
#[case(Http, 404, "NR", ClientError)]
#[case(Http, 429, "RL", ClientError)]
#[case(Http, 403, "UAEX", ClientError)]
#[case(Http, 400, "IH", ClientError)]
// proves: outcome/refused
#[case(Http, 0, "DPE", ClientError)]
#[case(Http, 500, "RLSE", Failed)]
#[case(Http, 503, "RL", Failed)]
#[case(Http, 408, "SI", ClientError)]
#[case(Http, 504, "SI", Failed)]
#[case(Http, 409, "URX", ClientError)]
#[case(Http, 503, "FI", Failed)]
fn a_request_is_judged_by_its_code_and_flags(
    #[case] protocol: Protocol,
    #[case] code: u32,
    #[case] codes: &str,
    #[case] expected: Verdict,
) {
    assert_eq!(verdict(protocol, code, codes), expected);
}

#[rstest]
#[case(Grpc(0), 200, "", Success)]
// proves: outcome/grpc-status
#[case(Grpc(5), 200, "", ClientError)]
// proves: outcome/grpc-status
#[case(Grpc(14), 200, "", Failed)]
#[case(Grpc(0), 503, "", Failed)]
// proves: outcome/grpc-status
#[case(Grpc(0), 200, "UC", Success)]
#[case(Grpc(1), 200, "DC", ClientError)]
#[case(Grpc(14), 200, "UH", Failed)]
// proves: outcome/refused
#[case(Grpc(12), 200, "NR", ClientError)]
#[case(Grpc(14), 200, "RL", ClientError)]
// proves: outcome/unknown
#[case(GrpcUnknown, 200, "", Unknown)]
#[case(GrpcUnknown, 200, "DI", Unknown)]
#[case(GrpcUnknown, 503, "", Failed)]
#[case(GrpcUnknown, 404, "", ClientError)]
#[case(GrpcUnknown, 0, "DC", Failed)]
// proves: outcome/undelivered
#[case(GrpcUnknown, 200, "UH", Failed)]
// proves: outcome/undelivered
#[case(GrpcUnknown, 200, "UF,URX", Failed)]
// proves: outcome/cut
#[case(GrpcUnknown, 200, "UT", Failed)]
// proves: outcome/refused
#[case(GrpcUnknown, 200, "NR", ClientError)]
// proves: outcome/caller-left
#[case(GrpcUnknown, 200, "DC", ClientError)]
#[case(GrpcUnknown, 200, "DR", ClientError)]
#[case(GrpcUnknown, 200, "UC,DC", Failed)]
#[case(GrpcUnknown, 101, "UC", Success)]
fn a_grpc_call_is_judged_by_its_status_else_by_its_flags(
    #[case] protocol: Protocol,
    #[case] code: u32,
    #[case] codes: &str,
    #[case] expected: Verdict,
) {
    assert_eq!(verdict(protocol, code, codes), expected);
}

#[rstest]
// proves: outcome/connection
#[case("", Success)]
// proves: outcome/connection
#[case("UH", Failed)]
#[case("UF,URX", Failed)]
#[case("UO", Failed)]
#[case("NC", Failed)]
#[case("DF", Failed)]
// proves: outcome/connection
#[case("NR", ClientError)]
#[case("RL", ClientError)]
#[case("UAEX", ClientError)]
// proves: outcome/connection
#[case("UC", Success)]
#[case("DC", Success)]
#[case("LR", Success)]
#[case("SI", Success)]
#[case("DT", Success)]
fn of_a_connection_only_its_delivery_is_judged(#[case] codes: &str, #[case] expected: Verdict) {
    assert_eq!(verdict(Tcp, 0, codes), expected);
}

/// Each flag beside 200, where only the flag tells: of HTTP, of gRPC without a status, and of a connection.
// proves: outcome/undelivered, outcome/cut, outcome/refused, outcome/caller-left
#[test]
fn every_flag_tells_what_became_of_the_call() {
    let [undelivered, cut] = [[Failed; 3], [Failed, Failed, Success]];
    let [refused, left, nothing] = [
        [ClientError; 3],
        [Success, ClientError, Success],
        [Success, Unknown, Success],
    ];
    let expected = [
        ("LH", undelivered),
        ("UH", undelivered),
        ("UT", cut),
        ("LR", cut),
        ("UR", cut),
        ("UF", undelivered),
        ("UC", cut),
        ("UO", undelivered),
        ("NR", refused),
        ("DI", nothing),
        ("FI", undelivered),
        ("RL", refused),
        ("UAEX", refused),
        ("RLSE", nothing),
        ("DC", left),
        ("URX", undelivered),
        ("SI", cut),
        ("IH", refused),
        ("DPE", refused),
        ("UMSDR", cut),
        ("RFCF", nothing),
        ("NFCF", undelivered),
        ("DT", cut),
        ("UPE", cut),
        ("NC", undelivered),
        ("OM", undelivered),
        ("DF", undelivered),
        ("DR", left),
    ];
    let numbers: Vec<u32> = FLAG_MEANINGS.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=28).collect::<Vec<_>>());
    for ((code, expected), number) in expected.into_iter().zip(numbers) {
        assert!(flags(code).contains(number), "{code}");
        let verdicts = [(Http, 200), (GrpcUnknown, 200), (Tcp, 0)]
            .map(|(protocol, answer)| verdict(protocol, answer, code));
        assert_eq!(verdicts, expected, "{code}");
    }
}

#[rstest]
// proves: outcome/answered
#[case(Http, 200, "", true)]
#[case(Http, 503, "", true)]
#[case(Http, 404, "", true)]
// proves: outcome/answered
#[case(Http, 0, "DC", false)]
#[case(Http, 503, "UF,URX", false)]
#[case(Http, 504, "UT", false)]
#[case(Http, 404, "NR", false)]
#[case(Http, 200, "DC", false)]
// proves: outcome/answered
#[case(Http, 101, "UC", true)]
#[case(GrpcUnknown, 200, "UH", false)]
#[case(Grpc(14), 200, "", true)]
// proves: outcome/answered
#[case(Tcp, 0, "", true)]
#[case(Tcp, 0, "UC", true)]
#[case(Tcp, 0, "UH", false)]
fn a_call_is_answered_or_not(
    #[case] protocol: Protocol,
    #[case] code: u32,
    #[case] codes: &str,
    #[case] expected: bool,
) {
    let flags = flags(codes);
    assert_eq!(
        is_answered(Outcome {
            protocol,
            code,
            flags
        }),
        expected
    );
}

// proves: outcome/grpc-status
#[test]
fn every_grpc_status_is_the_callers_or_the_servers() {
    let of = |expected| (0..=20).filter(move |status| of_grpc_status(*status) == expected);
    assert_eq!(of(Success).collect::<Vec<_>>(), [0]);
    assert_eq!(
        of(ClientError).collect::<Vec<_>>(),
        [1, 3, 5, 6, 7, 8, 9, 10, 11, 16]
    );
    assert_eq!(
        of(Failed).collect::<Vec<_>>(),
        [2, 4, 12, 13, 14, 15, 17, 18, 19, 20]
    );
}
