//! One access-log entry as an Istio proxy of today sends it. Every entry of a shape is brought to the same size. Its start is
//! written when it is sent.

use als_proto::messages::envoy::config::core::v3::{
    Address, EnvoyInternalAddress, RequestMethod, SocketAddress, address, envoy_internal_address,
    socket_address,
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
use anyhow::ensure;
use prost::Message as _;
use prost_types::{Duration, Timestamp};

use crate::mesh::{PORT, Party};
use crate::peers::described;
use crate::random::Random;
use crate::shape::Shape;
use crate::traffic::Call;

/// The key and the value of `Timestamp.seconds` in an entry that is not sent yet. The
/// seconds of other times are as many bytes long, until the year 3058.
pub const START: [u8; 6] = seconds(NOON.cast_unsigned());
/// After every pod's start: noon of 22 November 2026.
const NOON: i64 = 1_795_348_800;
/// `TLS_AES_256_GCM_SHA384`.
const CIPHER: u32 = 0x1302;
/// A longer string would have a longer length, which this size does not foresee.
const LONGEST_PADDED: usize = 127;

/// The key and the value of `Timestamp.seconds` on the wire: a varint of five bytes.
pub const fn seconds(since_epoch: u64) -> [u8; 6] {
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

/// The entry of one call.
pub fn entry(call: &Call<'_>, shape: Shape, random: &mut Random) -> anyhow::Result<HttpAccessLogEntry> {
    let mut entry = match shape {
        Shape::Short => short(call, random),
        Shape::Sidecar => sidecar(call, random),
        Shape::TwoPeers => two_peers(call, random),
    };
    // Here, because the length of this string and of the message around it always have the same number of bytes.
    let missing = shape.bytes().saturating_sub(entry.encoded_len());
    if let Some(common) = &mut entry.common_properties {
        common.route_name.extend(std::iter::repeat_n('x', missing));
        ensure!(
            common.route_name.len() <= LONGEST_PADDED,
            "an entry's padding of {missing} bytes is too long; give the entry more of its own"
        );
    }
    let bytes = entry.encoded_len();
    ensure!(
        bytes == shape.bytes(),
        "an entry has {bytes} bytes instead of {}; shorten its strings",
        shape.bytes()
    );
    Ok(entry)
}

/// Of a listener that knows neither certificates nor most of the times.
fn short(call: &Call<'_>, random: &mut Random) -> HttpAccessLogEntry {
    let scale = 400_000 << random.below(10);
    let spent = 400_000 + random.below(scale);
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            downstream_remote_address: Some(caller(call, random)),
            downstream_local_address: Some(socket(call.called, PORT.into())),
            upstream_remote_address: Some(socket(call.called, PORT.into())),
            start_time: Some(start(random)),
            duration: Some(nanoseconds(spent.cast_signed())),
            upstream_cluster: format!("inbound|{PORT}||"),
            route_name: "default".to_owned(),
            ..AccessLogCommon::default()
        }),
        request: Some(HttpRequestProperties {
            request_method: RequestMethod::Get.into(),
            authority: call.called.workload.name.clone(),
            path: format!("/orders/{}", digits(6, random)),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(call.code),
            response_body_bytes: random.below(16_000).into(),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

fn sidecar(call: &Call<'_>, random: &mut Random) -> HttpAccessLogEntry {
    let (downstream, local) = (caller(call, random), socket(call.called, PORT.into()));
    let common = AccessLogCommon {
        downstream_remote_address: Some(downstream.clone()),
        downstream_direct_remote_address: Some(downstream),
        downstream_local_address: Some(local.clone()),
        upstream_remote_address: Some(local),
        tls_properties: Some(mutual_tls(call)),
        upstream_cluster: format!("inbound|{PORT}||"),
        ..timed(random)
    };
    http(call, common, random)
}

/// TLS ends before the waypoint's own listener, and it reaches the pod through its tunnel.
fn two_peers(call: &Call<'_>, random: &mut Random) -> HttpAccessLogEntry {
    let downstream = caller(call, random);
    let Party { workload, pod } = call.called;
    let (name, namespace) = (&workload.name, &workload.namespace);
    let tunnel = EnvoyInternalAddress {
        address_name_specifier: Some(envoy_internal_address::AddressNameSpecifier::ServerListenerName(
            "connect_originate".to_owned(),
        )),
        endpoint_id: format!("{}:{PORT}", pod.address),
    };
    let common = AccessLogCommon {
        downstream_remote_address: Some(downstream.clone()),
        downstream_direct_remote_address: Some(downstream),
        downstream_local_address: Some(socket_at(workload.service_address.to_string(), PORT.into())),
        upstream_remote_address: Some(Address {
            address: Some(address::Address::EnvoyInternalAddress(tunnel)),
        }),
        upstream_cluster: format!("inbound-vip|{PORT}|http|{name}.{namespace}.svc.cluster.local"),
        filter_state_objects: [("downstream_peer", call.caller), ("upstream_peer", call.called)]
            .map(|(key, party)| (key.to_owned(), described(party, random)))
            .into(),
        stream_id: uuid(random),
        ..timed(random)
    };
    http(call, common, random)
}

/// What entries say of times and bytes.
fn timed(random: &mut Random) -> AccessLogCommon {
    // From 0.4 ms to half a second, so that many buckets of the histogram are in use.
    let scale = 400_000 << random.below(10);
    let mut spent = (scale + random.below(scale)).cast_signed();
    let mut earlier = || {
        spent -= spent / 16;
        Some(nanoseconds(spent))
    };
    let whole = earlier();
    AccessLogCommon {
        start_time: Some(start(random)),
        duration: whole,
        time_to_last_downstream_tx_byte: earlier(),
        time_to_first_downstream_tx_byte: earlier(),
        time_to_last_upstream_rx_byte: earlier(),
        time_to_first_upstream_rx_byte: earlier(),
        time_to_last_upstream_tx_byte: earlier(),
        time_to_first_upstream_tx_byte: earlier(),
        time_to_last_rx_byte: earlier(),
        route_name: "default".to_owned(),
        upstream_request_attempt_count: 1,
        downstream_wire_bytes_sent: (200 + random.below(16_000)).into(),
        downstream_wire_bytes_received: (300 + random.below(2_000)).into(),
        access_log_type: AccessLogType::DownstreamEnd.into(),
        ..AccessLogCommon::default()
    }
}

fn http(call: &Call<'_>, common: AccessLogCommon, random: &mut Random) -> HttpAccessLogEntry {
    HttpAccessLogEntry {
        common_properties: Some(common),
        protocol_version: HttpVersion::Http11.into(),
        request: Some(HttpRequestProperties {
            request_method: RequestMethod::Get.into(),
            scheme: "http".to_owned(),
            authority: format!("{}:{PORT}", call.called.workload.name),
            path: path(random),
            user_agent: "curl/8.14.1".to_owned(),
            request_id: uuid(random),
            request_headers_bytes: (300 + random.below(500)).into(),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(call.code),
            response_headers_bytes: (130 + random.below(100)).into(),
            response_body_bytes: random.below(16_000).into(),
            response_code_details: "via_upstream".to_owned(),
            ..HttpResponseProperties::default()
        }),
    }
}

/// With an id and a query, as many as there are calls.
fn path(random: &mut Random) -> String {
    format!("/api/orders/{}?page={}", digits(6, random), random.below(10))
}

fn uuid(random: &mut Random) -> String {
    [8, 4, 4, 4, 12].map(|count| digits(count, random)).join("-")
}

fn digits(count: usize, random: &mut Random) -> String {
    let digit = |number| char::from_digit(number, 16).unwrap_or('0');
    (0..count).map(|_| digit(random.below(16))).collect()
}

fn caller(call: &Call<'_>, random: &mut Random) -> Address {
    socket(call.caller, 32_768 + random.below(28_000))
}

fn socket(party: Party<'_>, port: u32) -> Address {
    socket_at(party.pod.address.to_string(), port)
}

fn socket_at(address: String, port: u32) -> Address {
    let socket = SocketAddress {
        address,
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

fn start(random: &mut Random) -> Timestamp {
    Timestamp {
        seconds: NOON,
        nanos: random.below(1_000_000_000).cast_signed(),
    }
}

fn nanoseconds(nanos: i32) -> Duration {
    Duration { seconds: 0, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Size, mesh};
    use crate::traffic::Traffic;

    #[test]
    fn every_entry_has_its_size() {
        let mesh = mesh(Size::LARGE);
        let mut random = Random::new(1);
        for shape in Shape::ALL {
            for (_, calls) in Traffic::MANY.reports(&mesh).step_by(100) {
                for call in calls.all() {
                    assert_eq!(
                        entry(call, shape, &mut random).unwrap().encoded_len(),
                        shape.bytes()
                    );
                }
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
        let mesh = mesh(Size::LARGE);
        let (_, calls) = Traffic::FEW.reports(&mesh).next().unwrap();
        let common = entry(&calls.all()[0], Shape::Sidecar, &mut Random::new(7))
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
