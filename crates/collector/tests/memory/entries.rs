//! Entries as a sidecar logs them for calls that came in with mutual TLS.

use als_proto::messages::envoy::config::core::v3::{Address, Node, SocketAddress, address, socket_address};
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::{
    SubjectAltName, subject_alt_name::San,
};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties, TlsProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use prost::Message as _;

/// Bytes of an entry that a sidecar of today sends.
const ENTRY_BYTES: usize = 497;

fn socket(address: &str, port: u16) -> Option<Address> {
    let socket = SocketAddress {
        address: address.into(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(port.into())),
        ..SocketAddress::default()
    };
    Some(Address {
        address: Some(address::Address::SocketAddress(socket)),
    })
}

fn certificate(service_account: &str) -> Option<CertificateProperties> {
    let uri = format!("spiffe://cluster.local/ns/demo/sa/{service_account}");
    Some(CertificateProperties {
        subject_alt_name: vec![SubjectAltName {
            san: Some(San::Uri(uri)),
        }],
        ..CertificateProperties::default()
    })
}

/// Returns the entry of a call to reviews from an address, with a certificate for this service account.
fn entry(caller: &str, service_account: &str) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            downstream_direct_remote_address: socket(caller, 40_000),
            downstream_remote_address: socket(caller, 40_000),
            downstream_local_address: socket("10.0.0.2", 9080),
            upstream_remote_address: socket("10.0.0.2", 9080),
            upstream_cluster: "inbound|9080||".into(),
            tls_properties: Some(TlsProperties {
                local_certificate_properties: certificate("reviews"),
                peer_certificate_properties: certificate(service_account),
                ..TlsProperties::default()
            }),
            ..AccessLogCommon::default()
        }),
        request: Some(HttpRequestProperties {
            authority: "reviews:9080".into(),
            path: "/reviews/0".into(),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(200),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

/// Returns the entry of a call from an address that nobody has, a different one for each number. Its
/// identity takes `bytes` and some more.
pub(crate) fn unknown(number: usize, bytes: usize) -> HttpAccessLogEntry {
    // All are as long.
    let octet = |hundreds: usize| 100 + number / hundreds % 100;
    let caller = format!("11.{}.{}.{}", octet(10_000), octet(100), octet(1));
    entry(&caller, &"x".repeat(bytes))
}

/// Returns the entry of a call from productpage, as long as a usual one.
pub(crate) fn known() -> HttpAccessLogEntry {
    let mut entry = entry("10.0.0.1", "productpage");
    let missing = ENTRY_BYTES - entry.encoded_len();
    let request = entry.request.as_mut().unwrap();
    // Besides it the string has a key and a length, and what it is in a longer length.
    request.user_agent = "x".repeat(missing - 4);
    assert_eq!(entry.encoded_len(), ENTRY_BYTES);
    entry
}

/// Returns a message of one sidecar.
pub(crate) fn message(entries: Vec<HttpAccessLogEntry>) -> StreamAccessLogsMessage {
    StreamAccessLogsMessage {
        identifier: None,
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: entries })),
    }
}

/// Returns the first message of the sidecar's stream.
pub(crate) fn first_message() -> StreamAccessLogsMessage {
    let node = Node {
        id: "sidecar~10.0.0.2~reviews.demo~demo.svc.cluster.local".into(),
        ..Node::default()
    };
    StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: Some(node),
            log_name: "http_envoy_accesslog".into(),
        }),
        log_entries: None,
    }
}
