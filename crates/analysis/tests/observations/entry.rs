//! Builders of Envoy's messages.

use als_proto::messages::envoy::config::core::v3::{
    Address, EnvoyInternalAddress, Node, Pipe, SocketAddress, address, envoy_internal_address, socket_address,
};
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::{
    SubjectAltName, subject_alt_name,
};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, ConnectionProperties, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
    TcpAccessLogEntry, TlsProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries, TcpAccessLogEntries,
};
use prost::Message as _;
use prost_types::{Duration, Struct, Timestamp};

use crate::mesh::NOW;
use crate::objects::{texts, with_labels};

pub(crate) type Logs = LogEntries;

pub(crate) const PRODUCTPAGE_NODE: &str = "sidecar~10.0.0.1~productpage-7d9f-x.demo~demo.svc.cluster.local";
pub(crate) const REVIEWS_NODE: &str = "sidecar~10.0.0.2~reviews-7d9f-x.demo~demo.svc.cluster.local";
pub(crate) const GATEWAY_NODE: &str = "router~10.0.0.3~gateway-7d9f-x.demo~demo.svc.cluster.local";
pub(crate) const WAYPOINT_NODE: &str = "waypoint~10.0.0.9~waypoint-x.demo~demo.svc.cluster.local";
pub(crate) const REVIEWS_CLUSTER: &str = "outbound|9080||reviews.demo.svc.cluster.local";

pub(crate) fn identifier(node_id: &str) -> Identifier {
    identifier_with(node_id, texts(&[("CLUSTER_ID", "Kubernetes")]))
}

/// The identifier of a node that says of itself which workload it is.
pub(crate) fn identifier_of(node_id: &str, workload: &str) -> Identifier {
    let fields = [
        ("CLUSTER_ID", "Kubernetes"),
        ("NAMESPACE", "demo"),
        ("WORKLOAD_NAME", workload),
    ];
    identifier_with(node_id, with_labels(&fields, "LABELS", &[("version", "v1")]))
}

pub(crate) fn identifier_with(node_id: &str, metadata: Struct) -> Identifier {
    let node = Node {
        id: node_id.into(),
        metadata: Some(metadata),
        ..Node::default()
    };
    Identifier {
        node: Some(node),
        log_name: "http_envoy_accesslog".into(),
    }
}

pub(crate) fn socket(address: &str, port: u32) -> Option<Address> {
    let port_specifier = Some(socket_address::PortSpecifier::PortValue(port));
    let socket = SocketAddress {
        address: address.into(),
        port_specifier,
        ..SocketAddress::default()
    };
    Some(Address {
        address: Some(address::Address::SocketAddress(socket)),
    })
}

pub(crate) fn internal(endpoint_id: &str) -> Option<Address> {
    let listener =
        envoy_internal_address::AddressNameSpecifier::ServerListenerName("connect_originate".into());
    let internal = EnvoyInternalAddress {
        address_name_specifier: Some(listener),
        endpoint_id: endpoint_id.into(),
    };
    Some(Address {
        address: Some(address::Address::EnvoyInternalAddress(internal)),
    })
}

pub(crate) fn pipe(path: &str) -> Option<Address> {
    let pipe = Pipe {
        path: path.into(),
        mode: 0,
    };
    Some(Address {
        address: Some(address::Address::Pipe(pipe)),
    })
}

pub(crate) fn timestamp(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

/// A finished call of 2.5 ms from `remote` to `upstream`, by way of `local`.
pub(crate) fn common(
    remote: Option<Address>,
    local: Option<Address>,
    upstream: Option<Address>,
    cluster: &str,
) -> AccessLogCommon {
    AccessLogCommon {
        downstream_remote_address: remote.clone(),
        downstream_direct_remote_address: remote,
        downstream_local_address: local,
        upstream_remote_address: upstream,
        upstream_cluster: cluster.into(),
        start_time: timestamp(NOW),
        duration: Some(Duration {
            seconds: 0,
            nanos: 2_500_000,
        }),
        downstream_wire_bytes_received: 200,
        downstream_wire_bytes_sent: 1000,
        access_log_type: 6,
        ..AccessLogCommon::default()
    }
}

/// productpage calls reviews, as productpage's sidecar logs it.
pub(crate) fn outbound() -> AccessLogCommon {
    common(
        socket("10.0.0.1", 40_000),
        socket("10.96.0.2", 9080),
        socket("10.0.0.2", 9080),
        REVIEWS_CLUSTER,
    )
}

/// productpage calls reviews, as reviews' sidecar logs it.
pub(crate) fn inbound() -> AccessLogCommon {
    let mut common = common(
        socket("10.0.0.1", 41_000),
        socket("10.0.0.2", 9080),
        socket("10.0.0.2", 9080),
        "inbound|9080||",
    );
    common.tls_properties = Some(mutual_tls());
    common
}

/// A client outside calls productpage through the gateway, as the gateway logs it.
pub(crate) fn through_gateway() -> AccessLogCommon {
    let cluster = "outbound|9080||productpage.demo.svc.cluster.local";
    common(
        socket("203.0.113.9", 50_000),
        socket("10.0.0.3", 8080),
        socket("10.0.0.1", 9080),
        cluster,
    )
}

fn mutual_tls() -> TlsProperties {
    let certificate = |account: &str| CertificateProperties {
        subject_alt_name: vec![SubjectAltName {
            san: Some(subject_alt_name::San::Uri(format!(
                "spiffe://cluster.local/ns/demo/sa/{account}"
            ))),
        }],
        ..CertificateProperties::default()
    };
    TlsProperties {
        local_certificate_properties: Some(certificate("reviews")),
        peer_certificate_properties: Some(certificate("productpage")),
        ..TlsProperties::default()
    }
}

pub(crate) fn request(common: AccessLogCommon, code: Option<u32>) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(common),
        protocol_version: 2,
        request: Some(HttpRequestProperties {
            request_method: 1,
            scheme: "http".into(),
            authority: "reviews:9080".into(),
            path: "/reviews/1?token=secret".into(),
            ..HttpRequestProperties::default()
        }),
        response: code.map(|code| HttpResponseProperties {
            response_code: Some(code),
            ..HttpResponseProperties::default()
        }),
    }
}

pub(crate) fn http(entries: impl IntoIterator<Item = HttpAccessLogEntry>) -> Logs {
    LogEntries::HttpLogs(HttpAccessLogEntries {
        log_entry: entries.into_iter().collect(),
    })
}

/// One answered request.
pub(crate) fn ok(common: AccessLogCommon) -> Logs {
    http([request(common, Some(200))])
}

pub(crate) fn tcp(common: AccessLogCommon, received_bytes: u64, sent_bytes: u64) -> Logs {
    let connection_properties = Some(ConnectionProperties {
        received_bytes,
        sent_bytes,
    });
    let entry = TcpAccessLogEntry {
        common_properties: Some(common),
        connection_properties,
    };
    LogEntries::TcpLogs(TcpAccessLogEntries {
        log_entry: vec![entry],
    })
}

/// A message with one TCP entry whose common properties are sent in pieces.
pub(crate) fn message_in_pieces(identifier: Identifier, pieces: &[AccessLogCommon]) -> Vec<u8> {
    let entry = |common: &AccessLogCommon| TcpAccessLogEntry {
        common_properties: Some(common.clone()),
        connection_properties: None,
    };
    let pieces: Vec<_> = pieces
        .iter()
        .flat_map(|piece| entry(piece).encode_to_vec())
        .collect();
    message_of_bytes(identifier, &pieces)
}

/// A message with one TCP entry of these bytes.
pub(crate) fn message_of_bytes(identifier: Identifier, entry: &[u8]) -> Vec<u8> {
    let message = StreamAccessLogsMessage {
        identifier: Some(identifier),
        log_entries: None,
    };
    // StreamAccessLogsMessage.tcp_logs and TCPAccessLogEntries.log_entry.
    let logs = field(3, &field(1, entry));
    [message.encode_to_vec(), logs].concat()
}

/// A length-delimited field.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut field).unwrap();
    field.extend_from_slice(bytes);
    field
}
