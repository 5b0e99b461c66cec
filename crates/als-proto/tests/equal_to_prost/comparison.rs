//! What the readers owe to prost, checked on the bytes of any message. The fuzz target includes this file too.
//!
//! Where prost accepts the bytes, [`check`] compares every field that a reader offers with prost's. Where prost
//! rejects them, it uses every reader on what can be found: nothing may panic, and every iterator must end.

mod common_properties;
mod http;
mod identifier;
mod rejected;

use std::collections::BTreeMap;

use als_proto::messages::envoy::data::accesslog::v3::{HttpAccessLogEntry, TcpAccessLogEntry};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use als_proto::{Entry, Malformed, Message, Unreadable};
use prost::Message as _;

/// Panics if the readers do with `bytes` anything else than they should.
pub(crate) fn check(bytes: &[u8]) {
    match StreamAccessLogsMessage::decode(bytes) {
        Ok(expected) => compare(bytes, &expected),
        Err(_) => rejected::read_all(bytes),
    }
}

fn compare(bytes: &[u8], expected: &StreamAccessLogsMessage) {
    let message = Message::read(bytes);
    assert!(message.is_ok(), "prost accepts the message");
    let Ok(message) = message else { return };
    identifier::compare(message.identifier(), expected.identifier.as_ref());
    let entries: Vec<_> = message.entries().collect();
    match &expected.log_entries {
        Some(LogEntries::HttpLogs(list)) => {
            assert_eq!(entries.len(), list.log_entry.len());
            entries
                .iter()
                .zip(&list.log_entry)
                .for_each(|(entry, expected)| compare_http(entry, expected));
        }
        Some(LogEntries::TcpLogs(list)) => {
            assert_eq!(entries.len(), list.log_entry.len());
            entries
                .iter()
                .zip(&list.log_entry)
                .for_each(|(entry, expected)| compare_tcp(entry, expected));
        }
        None => assert_eq!(entries.len(), 0),
    }
}

fn compare_http(entry: &Result<Entry<'_>, Unreadable>, expected: &HttpAccessLogEntry) {
    assert!(
        matches!(entry, Ok(Entry::Http(_))),
        "prost accepts the HTTP entry"
    );
    let Ok(Entry::Http(entry)) = entry else { return };
    assert_eq!(entry.protocol_version, expected.protocol_version);
    common_properties::compare(entry.common_properties(), expected.common_properties.as_ref());
    http::compare_request(entry.request.as_ref(), expected.request.as_ref());
    http::compare_response(entry.response.as_ref(), expected.response.as_ref());
}

fn compare_tcp(entry: &Result<Entry<'_>, Unreadable>, expected: &TcpAccessLogEntry) {
    assert!(matches!(entry, Ok(Entry::Tcp(_))), "prost accepts the TCP entry");
    let Ok(Entry::Tcp(entry)) = entry else { return };
    common_properties::compare(entry.common_properties(), expected.common_properties.as_ref());
    assert_eq!(
        entry.has_connection_properties,
        expected.connection_properties.is_some()
    );
    let expected = expected.connection_properties.unwrap_or_default();
    assert_eq!(entry.received_bytes, expected.received_bytes);
    assert_eq!(entry.sent_bytes, expected.sent_bytes);
}

/// Asserts that both are there or neither, and returns them if they are.
fn both<'r, 'p, R, P>(reader: Option<&'r R>, prost: Option<&'p P>, what: &str) -> Option<(&'r R, &'p P)> {
    assert_eq!(reader.is_some(), prost.is_some(), "whether there is a {what}");
    reader.zip(prost)
}

/// Asserts that a map that readers search by name has what prost's has, and nothing else.
fn compare_map<'a>(
    value_of: impl Fn(&[u8]) -> Result<Option<&'a [u8]>, Malformed>,
    expected: &BTreeMap<String, String>,
) {
    for (name, value) in expected {
        assert_eq!(
            value_of(name.as_bytes()),
            Ok(Some(value.as_bytes())),
            "the value of {name}"
        );
    }
    let absent = expected
        .keys()
        .fold(String::from("absent"), |absent, name| absent + name);
    assert_eq!(value_of(absent.as_bytes()), Ok(None));
}

/// Headers in the order they were sent are the map's, when the last value of a name counts.
fn compare_headers<'a>(
    headers: impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>>,
    expected: &BTreeMap<String, String>,
) {
    let headers: Result<BTreeMap<&[u8], &[u8]>, Malformed> = headers.collect();
    let expected = expected
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    assert_eq!(headers, Ok(expected.collect()));
}
