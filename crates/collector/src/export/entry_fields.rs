//! Every field of a kept entry: its name, its meaning, and how to read it. The exporters and
//! `docs/json-lines.md` both follow this table.

mod readers;

use std::borrow::Cow;
use std::collections::BTreeMap;

use alscope_analysis::analyze::{latency, measure, response_flags};
use alscope_analysis::names::method::Method;
use alscope_analysis::names::redact::Redaction;
use alscope_analysis::persistence::kept_entry::KeptEntry;
use jiff::Timestamp;
use serde::Serialize;

use readers::{address, bytes, headers, messages, number, parts, redacted, request, text, unattributed};

/// A field of a kept entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryField {
    /// The name, in snake case.
    pub name: &'static str,
    /// The meaning, in one sentence.
    pub meaning: &'static str,
    /// Reads the value. `None` leaves the field out.
    pub value: for<'k, 'a> fn(&'k KeptEntry<'k, 'a>) -> Option<FieldValue<'k>>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue<'k> {
    /// A text, cut to the longest length.
    Text(Cow<'k, str>),
    /// A whole number, such as a code, a count or a time in microseconds.
    Number(u64),
    /// Header values by header name.
    Headers(BTreeMap<Cow<'k, str>, String>),
}

impl<'k> FieldValue<'k> {
    fn text(text: impl Into<Cow<'k, str>>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(FieldValue::Text(text))
    }

    /// Returns a label's value, unless it is unknown.
    fn known(text: &'k str) -> Option<Self> {
        (text != "unknown").then_some(text).and_then(Self::text)
    }
}

const fn field(
    name: &'static str,
    value: for<'k, 'a> fn(&'k KeptEntry<'k, 'a>) -> Option<FieldValue<'k>>,
    meaning: &'static str,
) -> EntryField {
    EntryField { name, meaning, value }
}

/// Every field, in the order in which exporters write them.
pub const FIELDS: [EntryField; 50] = [
    field(
        "start_time",
        |entry| {
            Timestamp::from_nanosecond(entry.observed.start().0.into())
                .ok()
                .and_then(|time| FieldValue::text(format!("{time:.6}")))
        },
        "The start of the call, in UTC with microseconds (RFC 3339).",
    ),
    field(
        "kept",
        |entry| FieldValue::text(entry.reason.as_str()),
        "The reason for which the entry is kept: `error`, `flag`, `slow` or `sampled`.",
    ),
    field(
        "reporter",
        |entry| FieldValue::text(entry.parties.reporter.as_str()),
        "The proxy that reported the entry: `source` (the caller's proxy, or a gateway), `destination` or `waypoint`.",
    ),
    field(
        "request_protocol",
        |entry| FieldValue::text(entry.observed.outcome().protocol.as_str()),
        "`http`, `grpc` or `tcp`.",
    ),
    field(
        "method",
        |entry| FieldValue::text(Method::from_number(request(entry)?.1.method).as_str()),
        "The request's method; `_OTHER` if Envoy's protocol has no number for it.",
    ),
    field(
        "authority",
        |entry| redacted(entry, request(entry)?.1.authority, Redaction::authority),
        "The request's authority, without userinfo.",
    ),
    field(
        "path",
        |entry| redacted(entry, request(entry)?.1.path, Redaction::target),
        "The request's path, with the keys of its query and without their values.",
    ),
    field(
        "endpoint",
        |entry| FieldValue::text(entry.endpoint?),
        "The endpoint's name: the method and the template of the path. It is `{other}` once a bound on the number or size of such names is reached.",
    ),
    field(
        "outcome",
        |entry| FieldValue::text(entry.observed.verdict().as_str()),
        "The outcome of the call: `success`, `client-error`, `failed` or `unknown`, as in [Outcomes](outcomes.md).",
    ),
    field(
        "response_code",
        |entry| Some(FieldValue::Number(request(entry)?.2.code.into())),
        "The response's code; 0 if the caller got no response.",
    ),
    field(
        "grpc_response_status",
        |entry| FieldValue::text(request(entry)?.2.protocol.grpc_status_text()),
        "The status of a gRPC call; `unknown` if the proxy did not log it.",
    ),
    field(
        "grpc_request_messages",
        |entry| messages(entry, |messages| messages.requests),
        "The messages from the caller of a gRPC call, if the proxy logs them.",
    ),
    field(
        "grpc_response_messages",
        |entry| messages(entry, |messages| messages.responses),
        "The messages to the caller of a gRPC call, if the proxy logs them.",
    ),
    field(
        "response_flags",
        |entry| {
            FieldValue::text(response_flags::text(entry.observed.outcome().flags))
                .filter(|text| *text != FieldValue::Text("-".into()))
        },
        "Envoy's short codes of all response flags, joined by commas.",
    ),
    field(
        "response_code_details",
        |entry| text(entry, request(entry)?.0.response.as_ref()?.code_details),
        "Envoy's explanation of the response's code.",
    ),
    field(
        "connection_termination_details",
        |entry| text(entry, entry.observed.common.connection_termination_details),
        "Envoy's reason for ending the connection.",
    ),
    field(
        "upstream_transport_failure_reason",
        |entry| text(entry, entry.observed.common.upstream_transport_failure_reason),
        "The reason why the connection to the upstream failed, such as a TLS error.",
    ),
    field(
        "retries",
        |entry| {
            Some(FieldValue::Number(measure::retries(entry.observed.common).into()))
                .filter(|retries| *retries != FieldValue::Number(0))
        },
        "How often the proxy retried the request.",
    ),
    field(
        "duration_microseconds",
        |entry| number(latency::microseconds(entry.observed.common)),
        "The duration of the whole request, or how long the connection was open.",
    ),
    field(
        "request_microseconds",
        |entry| parts(entry, |parts| parts.request),
        "The time from the request's first byte until the proxy began to send it on.",
    ),
    field(
        "upstream_microseconds",
        |entry| parts(entry, |parts| parts.upstream),
        "The time from then until the upstream began to answer.",
    ),
    field(
        "response_microseconds",
        |entry| parts(entry, |parts| parts.response),
        "The time from then until the caller had all of the response.",
    ),
    field(
        "bytes_received",
        |entry| Some(FieldValue::Number(bytes(entry).0)),
        "Bytes from the caller, headers included.",
    ),
    field(
        "bytes_sent",
        |entry| Some(FieldValue::Number(bytes(entry).1)),
        "Bytes to the caller, headers included.",
    ),
    field(
        "source",
        |entry| FieldValue::text(&*entry.parties.source.name),
        "The name of the caller's service.",
    ),
    field(
        "source_workload",
        |entry| FieldValue::text(&*entry.parties.source.workload),
        "The caller's workload.",
    ),
    field(
        "source_workload_namespace",
        |entry| FieldValue::text(&*entry.parties.source.namespace),
        "The caller's namespace.",
    ),
    field(
        "source_principal",
        |entry| FieldValue::known(&entry.parties.source.principal),
        "The SPIFFE identity that the caller proved.",
    ),
    field(
        "source_cluster",
        |entry| FieldValue::known(&entry.parties.source.cluster),
        "The caller's cluster.",
    ),
    field(
        "source_address",
        |entry| {
            let common = entry.observed.common;
            address(common.downstream_direct_remote_address())
                .or_else(|| address(common.downstream_remote_address()))
        },
        "The address and port that the call came from.",
    ),
    field(
        "source_unattributed",
        |entry| unattributed(&entry.parties.source),
        "The reason why the caller is unknown, as in `alscope_parties_unattributed_total`.",
    ),
    field(
        "gateway",
        |entry| FieldValue::text(&*entry.parties.gateway.as_ref()?.name),
        "The name of the gateway's service, if a gateway reports: the call came in at it and went on from it.",
    ),
    field(
        "gateway_workload",
        |entry| FieldValue::text(&*entry.parties.gateway.as_ref()?.workload),
        "The gateway's workload.",
    ),
    field(
        "gateway_workload_namespace",
        |entry| FieldValue::text(&*entry.parties.gateway.as_ref()?.namespace),
        "The gateway's namespace.",
    ),
    field(
        "destination",
        |entry| FieldValue::text(&*entry.parties.destination.name),
        "The name of the called party's service.",
    ),
    field(
        "destination_workload",
        |entry| FieldValue::text(&*entry.parties.destination.workload),
        "The called workload.",
    ),
    field(
        "destination_workload_namespace",
        |entry| FieldValue::text(&*entry.parties.destination.namespace),
        "The called workload's namespace.",
    ),
    field(
        "destination_principal",
        |entry| FieldValue::known(&entry.parties.destination.principal),
        "The SPIFFE identity that the called party proved.",
    ),
    field(
        "destination_address",
        |entry| address(entry.observed.common.upstream_remote_address()),
        "The address and port that the proxy sent the call to.",
    ),
    field(
        "destination_unattributed",
        |entry| unattributed(&entry.parties.destination),
        "The reason why the called party is unknown.",
    ),
    field(
        "destination_service",
        |entry| FieldValue::text(&*entry.parties.service),
        "The host that was called.",
    ),
    field(
        "connection_security_policy",
        |entry| FieldValue::text(entry.parties.security.as_str()),
        "The security of the connection to the proxy: `mutual_tls`, `none`, or `unknown` if the proxy can't know.",
    ),
    field(
        "upstream_cluster",
        |entry| text(entry, entry.observed.common.upstream_cluster),
        "The name of Envoy's upstream cluster.",
    ),
    field(
        "route_name",
        |entry| text(entry, entry.observed.common.route_name),
        "Envoy's route.",
    ),
    field(
        "request_id",
        |entry| text(entry, request(entry)?.1.request_id),
        "The header `x-request-id`, which is the same in the entries of all proxies on the way.",
    ),
    field(
        "user_agent",
        |entry| text(entry, request(entry)?.1.user_agent),
        "The header `user-agent`.",
    ),
    field(
        "referer",
        |entry| text(entry, request(entry)?.1.referer),
        "The header `referer`.",
    ),
    field(
        "x_forwarded_for",
        |entry| text(entry, request(entry)?.1.forwarded_for),
        "The header `x-forwarded-for`, which names the clients that the request was forwarded for.",
    ),
    field(
        "request_headers",
        |entry| headers(entry, request(entry)?.1.headers()),
        "The request headers that the proxy is configured to log.",
    ),
    field(
        "response_headers",
        |entry| {
            let response = request(entry)?.0.response.as_ref()?;
            headers(entry, response.headers().chain(response.trailers()))
        },
        "The response headers and trailers that the proxy is configured to log.",
    ),
];
