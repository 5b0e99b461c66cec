//! The recording rules of failed, client-error and unknown calls take exactly the series that the
//! definition of an outcome names.

use als_proto::HttpEntry;
use als_proto::ResponseFlags;
use als_proto::messages::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use alscope_analysis::analyze::outcome::Outcome;
use alscope_analysis::analyze::outcome::{FLAG_MEANINGS, Verdict};
use alscope_analysis::analyze::protocol::Protocol;
use alscope_analysis::analyze::response_flags;
use prost::Message as _;

use crate::selector::{Labels, Selector, selectors};

/// Returns the flags with these field numbers.
fn flags_of(numbers: &[u32]) -> ResponseFlags {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| {
            // `unauthorized_details` alone is a message; the others are `true`.
            let (wire_type, value) = if *number == 13 { (2, 0) } else { (0, 1) };
            let mut field = Vec::new();
            prost::encoding::encode_varint(u64::from(number << 3 | wire_type), &mut field);
            field.push(value);
            field
        })
        .collect();
    let message = prost::Message::decode(bytes.as_slice()).unwrap();
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
    entry.common_properties().unwrap().response_flags
}

fn labels(outcome: Outcome) -> Labels {
    let Outcome {
        protocol,
        code,
        flags: set,
    } = outcome;
    let labels = [
        ("source_workload", "productpage".to_owned()),
        ("request_protocol", protocol.as_str().to_owned()),
        ("response_code", code.to_string()),
        ("response_flags", response_flags::text(set)),
        ("grpc_response_status", protocol.grpc_status_text()),
    ];
    labels
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Returns no flag, each flag, and each pair of flags.
fn sets() -> Vec<ResponseFlags> {
    let numbers = FLAG_MEANINGS.map(|(number, _)| number);
    let mut sets = vec![flags_of(&[])];
    for one in numbers {
        sets.push(flags_of(&[one]));
        for other in numbers.into_iter().filter(|other| *other > one) {
            sets.push(flags_of(&[one, other]));
        }
    }
    sets
}

/// Returns outcomes of requests: every status and code with each flag, and the telling ones also with each
/// pair.
fn outcomes() -> Vec<Outcome> {
    let statuses = (0..=20).chain([99, 100, 255]).map(Protocol::Grpc);
    let protocols: Vec<Protocol> = [Protocol::Http, Protocol::GrpcUnknown]
        .into_iter()
        .chain(statuses)
        .collect();
    let codes = [
        0, 100, 101, 102, 199, 200, 204, 302, 399, 400, 404, 408, 429, 499, 500, 503, 599, 600,
    ];
    let mut outcomes = Vec::new();
    for flags in sets() {
        let is_pair = flags.bits().count_ones() > 1;
        for protocol in &protocols {
            for code in codes {
                let is_telling = matches!(code, 0 | 101 | 200 | 404 | 503)
                    && !matches!(protocol, Protocol::Grpc(1..=4 | 6..=255));
                if !is_pair || is_telling {
                    let protocol = *protocol;
                    outcomes.push(Outcome {
                        protocol,
                        code,
                        flags,
                    });
                }
            }
        }
    }
    outcomes
}

fn takes(selectors: &[Selector], labels: &Labels) -> bool {
    selectors.iter().any(|selector| selector.takes(labels))
}

#[test]
fn requests_are_recorded_as_they_are_judged() {
    let rules = [
        (Verdict::Failed, "edge:alscope_requests_failed:rate5m"),
        (Verdict::ClientError, "edge:alscope_requests_client_error:rate5m"),
        (Verdict::Unknown, "edge:alscope_requests_unknown:rate5m"),
    ];
    let rules = rules.map(|(verdict, record)| (verdict, selectors(record)));
    for outcome in outcomes() {
        let (labels, judged) = (labels(outcome), Verdict::of(outcome));
        for (verdict, selectors) in &rules {
            assert_eq!(
                takes(selectors, &labels),
                judged == *verdict,
                "{verdict:?}: {labels:?}"
            );
        }
    }
}

#[test]
fn connections_are_recorded_as_they_are_judged() {
    let failed = selectors("edge:alscope_tcp_connections_failed:rate5m");
    for flags in sets() {
        let outcome = Outcome {
            protocol: Protocol::Tcp,
            code: 0,
            flags,
        };
        let labels = labels(outcome);
        assert_eq!(
            takes(&failed, &labels),
            Verdict::of(outcome) == Verdict::Failed,
            "{labels:?}"
        );
    }
}
