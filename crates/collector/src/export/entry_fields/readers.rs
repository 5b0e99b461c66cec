//! Reads the values of fields from a kept entry. A part of the entry that can't be read is left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use als_proto::{Address, GrpcMessages, HttpEntry, HttpRequest, Malformed};
use alscope_analysis::analyze::latency;
use alscope_analysis::analyze::measure::{self, HttpMeasure};
use alscope_analysis::analyze::party_address::endpoint;
use alscope_analysis::names::redact::{Redaction, bounded};
use alscope_analysis::persistence::kept_entry::{KeptEntry, MeasuredCall, PartyTexts};

use super::FieldValue;

/// The longest text in bytes. A longer one is cut and ends in `…`.
const TEXT_BYTES: usize = 4096;

pub(super) fn request<'k, 'a>(
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

/// Returns the messages of a gRPC call one way, if the proxy logged any of the call.
pub(super) fn messages(
    entry: &KeptEntry<'_, '_>,
    of: fn(GrpcMessages) -> u64,
) -> Option<FieldValue<'static>> {
    let observed = entry.observed;
    let is_grpc = observed.subject.is_grpc();
    let messages = is_grpc.then(|| measure::messages(observed.common).messages)?;
    (messages != GrpcMessages::default()).then(|| FieldValue::Number(of(messages)))
}

pub(super) fn bytes(entry: &KeptEntry<'_, '_>) -> (u64, u64) {
    match entry.observed.subject {
        MeasuredCall::Request { measure, .. } => (measure.request_bytes, measure.response_bytes),
        MeasuredCall::Connection { measure } => (measure.received_bytes, measure.sent_bytes),
    }
}

/// Returns a number. A part of the entry that can't be read is left out.
pub(super) fn number(number: Result<u64, Malformed>) -> Option<FieldValue<'static>> {
    number.ok().map(FieldValue::Number)
}

pub(super) fn parts(
    entry: &KeptEntry<'_, '_>,
    part: fn(latency::LatencyParts) -> u64,
) -> Option<FieldValue<'static>> {
    let parts = latency::parts(entry.observed.common).ok()??;
    Some(FieldValue::Number(part(parts)))
}

pub(super) fn address(address: Result<Option<Address<'_>>, Malformed>) -> Option<FieldValue<'static>> {
    let endpoint = endpoint(address.ok()?)?;
    let (ip, port) = (String::from_utf8_lossy(endpoint.ip), endpoint.port);
    FieldValue::text(if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    })
}

pub(super) fn unattributed(party: &PartyTexts) -> Option<FieldValue<'static>> {
    FieldValue::text(party.missing?.as_str())
}

pub(super) fn redacted(
    entry: &KeptEntry<'_, '_>,
    text: &[u8],
    redact: fn(&Redaction, &[u8], &mut String),
) -> Option<FieldValue<'static>> {
    let mut shown = String::new();
    redact(entry.redaction, text, &mut shown);
    FieldValue::text(bounded(shown, TEXT_BYTES))
}

/// Returns a text that is not a header. It is redacted like a header whose name does not mark a secret.
pub(super) fn text(entry: &KeptEntry<'_, '_>, text: &[u8]) -> Option<FieldValue<'static>> {
    redacted(entry, text, |redaction, text, shown| {
        redaction.header(b"", text, shown);
    })
}

pub(super) fn headers<'k, 'a: 'k>(
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
