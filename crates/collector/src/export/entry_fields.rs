//! Every field of a kept entry: its name, what it holds, and how it is read. What an exporter sends and what `docs/json-lines.md` says
//! come from this table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use als_proto::{Address, HttpEntry, HttpRequest, Malformed};
use alscope_analysis::analyze::measure::{self, HttpMeasure};
use alscope_analysis::analyze::party_address::endpoint;
use alscope_analysis::analyze::{latency, response_flags};
use alscope_analysis::names::method::Method;
use alscope_analysis::names::redact::{Redaction, bounded};
use alscope_analysis::persistence::kept_entry::{KeptEntry, MeasuredCall, PartyTexts};
use jiff::Timestamp;
use serde::Serialize;

/// Bytes of one text; what is longer ends in `…`.
const TEXT_BYTES: usize = 4096;

/// A field of a kept entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryField {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What it holds, in one sentence.
    pub meaning: &'static str,
    /// The value; `None` leaves the field out.
    pub value: for<'k, 'a> fn(&'k KeptEntry<'k, 'a>) -> Option<FieldValue<'k>>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue<'k> {
    /// A text.
    Text(Cow<'k, str>),
    /// A number.
    Number(u64),
    /// Headers by name.
    Headers(BTreeMap<Cow<'k, str>, String>),
}

impl<'k> FieldValue<'k> {
    fn text(text: impl Into<Cow<'k, str>>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(FieldValue::Text(text))
    }

    /// A label's value, if it is known.
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

/// Every field, in the order in which they are written.
pub const FIELDS: [EntryField; 48] = [
    field(
        "start_time",
        |entry| {
            Timestamp::from_nanosecond(entry.observed.start().0.into())
                .ok()
                .and_then(|time| FieldValue::text(format!("{time:.6}")))
        },
        "When the call began, in UTC with microseconds (RFC 3339).",
    ),
    field(
        "kept",
        |entry| FieldValue::text(entry.reason.as_str()),
        "Why the entry is kept: `error`, `flag`, `slow` or `sampled`.",
    ),
    field(
        "reporter",
        |entry| FieldValue::text(entry.parties.reporter.as_str()),
        "Whose entry it is: `source` (the caller's proxy, or a gateway), `destination` or `waypoint`.",
    ),
    field(
        "request_protocol",
        |entry| FieldValue::text(entry.observed.outcome().protocol.as_str()),
        "`http`, `grpc` or `tcp`.",
    ),
    field(
        "method",
        |entry| FieldValue::text(Method::from_number(request(entry)?.1.method).as_str()),
        "The request's method; `_OTHER` for one that Envoy has no number for.",
    ),
    field(
        "authority",
        |entry| redacted(entry, request(entry)?.1.authority, Redaction::authority),
        "The request's authority, without userinfo.",
    ),
    field(
        "path",
        |entry| redacted(entry, request(entry)?.1.path, Redaction::target),
        "The request's path, and the keys of its query.",
    ),
    field(
        "endpoint",
        |entry| FieldValue::text(entry.endpoint?),
        "The endpoint's name: method and template of the path; `{other}` when it has none.",
    ),
    field(
        "outcome",
        |entry| FieldValue::text(entry.observed.verdict().as_str()),
        "What it came to: `success`, `client-error`, `failed` or `unknown`, as in [Outcomes](outcomes.md).",
    ),
    field(
        "response_code",
        |entry| Some(FieldValue::Number(request(entry)?.2.code.into())),
        "The response's code; 0 when the caller got none.",
    ),
    field(
        "grpc_response_status",
        |entry| FieldValue::text(request(entry)?.2.protocol.grpc_status_text()),
        "The status of a gRPC call; `unknown` when the proxy did not log it.",
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
        "Why the response has its code, in Envoy's words.",
    ),
    field(
        "connection_termination_details",
        |entry| text(entry, entry.observed.common.connection_termination_details),
        "Why Envoy ended the connection.",
    ),
    field(
        "upstream_transport_failure_reason",
        |entry| text(entry, entry.observed.common.upstream_transport_failure_reason),
        "Why the connection to the upstream failed, such as a TLS error.",
    ),
    field(
        "retries",
        |entry| {
            Some(FieldValue::Number(measure::retries(entry.observed.common).into()))
                .filter(|retries| *retries != FieldValue::Number(0))
        },
        "How often the proxy tried an upstream again.",
    ),
    field(
        "duration_microseconds",
        |entry| number(latency::microseconds(entry.observed.common)),
        "The whole request, or how long the connection was open.",
    ),
    field(
        "request_microseconds",
        |entry| parts(entry, |parts| parts.request),
        "From the request's first byte until the proxy began to send it on.",
    ),
    field(
        "upstream_microseconds",
        |entry| parts(entry, |parts| parts.upstream),
        "From there until the upstream began to answer.",
    ),
    field(
        "response_microseconds",
        |entry| parts(entry, |parts| parts.response),
        "From there until the caller had all of the response.",
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
        "Why the caller is unknown, as in `alscope_parties_unattributed_total`.",
    ),
    field(
        "gateway",
        |entry| FieldValue::text(&*entry.parties.gateway.as_ref()?.name),
        "The name of the gateway's service, when a gateway reports; the call came to it and went on from it.",
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
        "The address and port that the proxy sent it to.",
    ),
    field(
        "destination_unattributed",
        |entry| unattributed(&entry.parties.destination),
        "Why the called party is unknown.",
    ),
    field(
        "destination_service",
        |entry| FieldValue::text(&*entry.parties.service),
        "The called host.",
    ),
    field(
        "connection_security_policy",
        |entry| FieldValue::text(entry.parties.security.as_str()),
        "The TLS of the connection to the proxy: `mutual_tls`, `none`, or `unknown` where the proxy can't know.",
    ),
    field(
        "upstream_cluster",
        |entry| text(entry, entry.observed.common.upstream_cluster),
        "Envoy's cluster of the upstream.",
    ),
    field(
        "route_name",
        |entry| text(entry, entry.observed.common.route_name),
        "Envoy's route.",
    ),
    field(
        "request_id",
        |entry| text(entry, request(entry)?.1.request_id),
        "The header `x-request-id`: the same in the entries of all proxies on the way.",
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
        "The header `x-forwarded-for`: whom the request was forwarded for, as it says.",
    ),
    field(
        "request_headers",
        |entry| headers(entry, request(entry)?.1.headers()),
        "The request's headers that the proxy was told to log.",
    ),
    field(
        "response_headers",
        |entry| {
            let response = request(entry)?.0.response.as_ref()?;
            headers(entry, response.headers().chain(response.trailers()))
        },
        "The response's headers and trailers that the proxy was told to log.",
    ),
];

fn request<'k, 'a>(
    entry: &KeptEntry<'k, 'a>,
) -> Option<(&'k HttpEntry<'a>, &'k HttpRequest<'a>, &'k HttpMeasure)> {
    match entry.observed.subject {
        MeasuredCall::Request {
            entry,
            request,
            measure,
        } => Some((entry, request, measure)),
        MeasuredCall::Connection { .. } => None,
    }
}

fn bytes(entry: &KeptEntry<'_, '_>) -> (u64, u64) {
    match entry.observed.subject {
        MeasuredCall::Request { measure, .. } => (measure.request_bytes, measure.response_bytes),
        MeasuredCall::Connection { measure } => (measure.received_bytes, measure.sent_bytes),
    }
}

/// A part of the entry that can't be read is left out.
fn number(number: Result<u64, Malformed>) -> Option<FieldValue<'static>> {
    number.ok().map(FieldValue::Number)
}

fn parts(entry: &KeptEntry<'_, '_>, part: fn(latency::LatencyParts) -> u64) -> Option<FieldValue<'static>> {
    let parts = latency::parts(entry.observed.common).ok()??;
    Some(FieldValue::Number(part(parts)))
}

fn address(address: Result<Option<Address<'_>>, Malformed>) -> Option<FieldValue<'static>> {
    let endpoint = endpoint(address.ok()?)?;
    let (ip, port) = (String::from_utf8_lossy(endpoint.ip), endpoint.port);
    FieldValue::text(if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    })
}

fn unattributed(party: &PartyTexts) -> Option<FieldValue<'static>> {
    FieldValue::text(party.missing?.as_str())
}

fn redacted(
    entry: &KeptEntry<'_, '_>,
    text: &[u8],
    redact: fn(&Redaction, &[u8], &mut String),
) -> Option<FieldValue<'static>> {
    let mut shown = String::new();
    redact(entry.redaction, text, &mut shown);
    FieldValue::text(bounded(shown, TEXT_BYTES))
}

/// A text that is no header is shown by the rules of those that hold no secret by name.
fn text(entry: &KeptEntry<'_, '_>, text: &[u8]) -> Option<FieldValue<'static>> {
    redacted(entry, text, |redaction, text, shown| {
        redaction.header(b"", text, shown);
    })
}

fn headers<'k, 'a: 'k>(
    entry: &KeptEntry<'k, 'a>,
    headers: impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>>,
) -> Option<FieldValue<'k>> {
    let shown = headers.flatten().map(|(name, value)| {
        let mut shown = String::new();
        entry.redaction.header(name, value, &mut shown);
        (String::from_utf8_lossy(name), bounded(shown, TEXT_BYTES))
    });
    let shown: BTreeMap<Cow<'k, str>, String> = shown.collect();
    (!shown.is_empty()).then_some(FieldValue::Headers(shown))
}
