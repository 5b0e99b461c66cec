//! One access-log entry as an Istio side-car of today sends it for a call that came in: addresses, times, mutual TLS, request
//! and response. Every entry is brought to the same size, so that figures in entries can be compared. Its start is written when
//! it is sent.

use als_proto::messages::envoy::config::core::v3::{
    Address, Node, RequestMethod, SocketAddress, address, socket_address,
};
use als_proto::messages::envoy::data::accesslog::v3::http_access_log_entry::HttpVersion;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::{
    SubjectAltName, subject_alt_name::San,
};
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::{CertificateProperties, TlsVersion};
use als_proto::messages::envoy::data::accesslog::v3::{
    AccessLogCommon, AccessLogType, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
    TlsProperties,
};
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use anyhow::ensure;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Duration, Struct, Timestamp, Value};

use crate::mesh::{PORT, Party};
use crate::traffic::Call;

/// Bytes of an entry: what the design's figures were measured with.
pub(crate) const ENTRY_BYTES: usize = 497;

/// The key and the value of `Timestamp.seconds` in an entry that is not sent yet. The
/// seconds of other times are as many bytes long, until the year 3058.
pub(crate) const START: [u8; 6] = seconds(NOON.cast_unsigned());
/// After every pod's start: noon of 22 November 2026.
const NOON: i64 = 1_795_348_800;
/// Bytes of metadata in an identifier, about: Istio 1.30's are 62 KB long.
const IDENTIFIER_BYTES: usize = 62_000;
/// `TLS_AES_256_GCM_SHA384`.
const CIPHER: u32 = 0x1302;
/// A longer string would have a longer length, which this size does not foresee.
const LONGEST_PADDED: usize = 127;

/// The key and the value of `Timestamp.seconds` on the wire: a varint of five bytes.
pub(crate) const fn seconds(since_epoch: u64) -> [u8; 6] {
    const MORE: u8 = 0x80;
    [
        0x08,
        since_epoch as u8 | MORE,
        (since_epoch >> 7) as u8 | MORE,
        (since_epoch >> 14) as u8 | MORE,
        (since_epoch >> 21) as u8 | MORE,
        (since_epoch >> 28) as u8 & !MORE,
    ]
}

/// Numbers that look random and are the same in every run (Steele, Lea and Flood's `SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers that differ with `seed`.
    pub(crate) fn new(seed: usize) -> Self {
        Random(seed as u64)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as u32 % limit.max(1)
    }
}

/// The entry of one call, of [`ENTRY_BYTES`].
pub(crate) fn entry(call: &Call<'_>, random: &mut Random) -> anyhow::Result<HttpAccessLogEntry> {
    let mut entry = HttpAccessLogEntry {
        common_properties: Some(common(call, random)),
        protocol_version: HttpVersion::Http11.into(),
        request: Some(request(call, random)),
        response: Some(HttpResponseProperties {
            response_code: Some(call.code),
            response_headers_bytes: (130 + random.below(100)).into(),
            response_body_bytes: random.below(16_000).into(),
            response_code_details: "via_upstream".to_owned(),
            ..HttpResponseProperties::default()
        }),
    };
    // Here, because the length of this string and of the message around it always have the same number of bytes.
    let missing = ENTRY_BYTES.saturating_sub(entry.encoded_len());
    if let Some(common) = &mut entry.common_properties {
        common.route_name.extend(std::iter::repeat_n('x', missing));
        ensure!(
            common.route_name.len() <= LONGEST_PADDED,
            "an entry's padding of {missing} bytes is too long; give the entry more of its own"
        );
    }
    let bytes = entry.encoded_len();
    ensure!(
        bytes == ENTRY_BYTES,
        "an entry has {bytes} bytes instead of {ENTRY_BYTES}; shorten its strings"
    );
    Ok(entry)
}

/// The identifier that the stream of a pod's side-car begins with, as long as Istio's are.
pub(crate) fn identifier(reporter: Party<'_>) -> Identifier {
    let Party { workload, pod } = reporter;
    let namespace = &workload.namespace;
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    let metadata = [
        ("CLUSTER_ID", text("Kubernetes")),
        // Istio's agent tells the proxy's whole configuration and its environment.
        ("PROXY_CONFIG", text(&"x".repeat(IDENTIFIER_BYTES))),
    ];
    let node = Node {
        id: format!(
            "sidecar~{}~{}.{namespace}~{namespace}.svc.cluster.local",
            pod.address, pod.name
        ),
        cluster: format!("{}.{namespace}", workload.name),
        metadata: Some(Struct {
            fields: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        }),
        ..Node::default()
    };
    Identifier {
        node: Some(node),
        log_name: "http_envoy_accesslog".to_owned(),
    }
}

fn common(call: &Call<'_>, random: &mut Random) -> AccessLogCommon {
    let caller_port = 32_768 + random.below(28_000);
    let downstream = socket(call.caller, caller_port);
    let local = socket(call.called, PORT.into());
    // From 0.4 ms to half a second, so that many buckets of the histogram are in use.
    let scale = 400_000 << random.below(10);
    let mut spent = (scale + random.below(scale)).cast_signed();
    let mut earlier = || {
        spent -= spent / 16;
        Some(nanoseconds(spent))
    };
    let whole = earlier();
    AccessLogCommon {
        downstream_remote_address: Some(downstream.clone()),
        downstream_direct_remote_address: Some(downstream),
        downstream_local_address: Some(local.clone()),
        upstream_remote_address: Some(local),
        tls_properties: Some(mutual_tls(call)),
        start_time: Some(Timestamp {
            seconds: NOON,
            nanos: random.below(1_000_000_000).cast_signed(),
        }),
        duration: whole,
        time_to_last_downstream_tx_byte: earlier(),
        time_to_first_downstream_tx_byte: earlier(),
        time_to_last_upstream_rx_byte: earlier(),
        time_to_first_upstream_rx_byte: earlier(),
        time_to_last_upstream_tx_byte: earlier(),
        time_to_first_upstream_tx_byte: earlier(),
        time_to_last_rx_byte: earlier(),
        upstream_cluster: format!("inbound|{PORT}||"),
        route_name: "default".to_owned(),
        upstream_request_attempt_count: 1,
        downstream_wire_bytes_sent: (200 + random.below(16_000)).into(),
        downstream_wire_bytes_received: (300 + random.below(2_000)).into(),
        access_log_type: AccessLogType::DownstreamEnd.into(),
        ..AccessLogCommon::default()
    }
}

fn request(call: &Call<'_>, random: &mut Random) -> HttpRequestProperties {
    let mut digits = |count: usize| -> String {
        let digit = |number| char::from_digit(number, 16).unwrap_or('0');
        (0..count).map(|_| digit(random.below(16))).collect()
    };
    let request_id = [8, 4, 4, 4, 12].map(&mut digits).join("-");
    HttpRequestProperties {
        request_method: RequestMethod::Get.into(),
        scheme: "http".to_owned(),
        authority: format!("{}:{PORT}", call.called.workload.name),
        path: format!("/api/orders/{}?page={}", digits(6), random.below(10)),
        user_agent: "curl/8.14.1".to_owned(),
        request_id,
        request_headers_bytes: (300 + random.below(500)).into(),
        ..HttpRequestProperties::default()
    }
}

fn socket(party: Party<'_>, port: u32) -> Address {
    let socket = SocketAddress {
        address: party.pod.address.to_string(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Address {
        address: Some(address::Address::SocketAddress(socket)),
    }
}

fn mutual_tls(call: &Call<'_>) -> TlsProperties {
    let certificate = |party: Party<'_>| CertificateProperties {
        subject_alt_name: vec![SubjectAltName {
            san: Some(San::Uri(party.workload.principal())),
        }],
        ..CertificateProperties::default()
    };
    TlsProperties {
        tls_version: TlsVersion::TlSv13.into(),
        tls_cipher_suite: Some(CIPHER),
        local_certificate_properties: Some(certificate(call.called)),
        peer_certificate_properties: Some(certificate(call.caller)),
        ..TlsProperties::default()
    }
}

fn nanoseconds(nanos: i32) -> Duration {
    Duration { seconds: 0, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::mesh;
    use crate::traffic::Traffic;

    #[test]
    fn every_entry_has_its_size() {
        let mesh = mesh();
        let mut random = Random::new(1);
        for (_, calls) in Traffic::MANY.reports(&mesh).step_by(100) {
            for call in calls.all() {
                assert_eq!(entry(call, &mut random).unwrap().encoded_len(), ENTRY_BYTES);
            }
        }
    }

    #[test]
    fn seconds_are_what_prost_writes() {
        for since_epoch in [NOON, NOON + 123_456_789] {
            let timestamp = Timestamp {
                seconds: since_epoch,
                nanos: 0,
            };
            assert_eq!(timestamp.encode_to_vec(), seconds(since_epoch.cast_unsigned()));
        }
    }

    #[test]
    fn an_entry_has_all_the_times_that_envoy_logs() {
        let mesh = mesh();
        let (_, calls) = Traffic::FEW.reports(&mesh).next().unwrap();
        let common = entry(&calls.all()[0], &mut Random::new(7))
            .unwrap()
            .common_properties
            .unwrap();
        let times = [
            common.time_to_last_rx_byte,
            common.time_to_first_upstream_tx_byte,
            common.time_to_last_upstream_tx_byte,
            common.time_to_first_upstream_rx_byte,
            common.time_to_last_upstream_rx_byte,
            common.time_to_first_downstream_tx_byte,
            common.time_to_last_downstream_tx_byte,
            common.duration,
        ];
        let nanos = times.map(|time| time.unwrap().nanos);
        assert!(nanos.is_sorted() && nanos[0] > 0, "{nanos:?}");
    }
}
