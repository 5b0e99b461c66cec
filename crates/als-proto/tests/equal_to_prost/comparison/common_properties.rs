//! What HTTP and TCP entries share.

use std::collections::BTreeMap;

use als_proto::messages::envoy::config::core::v3 as core;
use als_proto::messages::envoy::config::core::v3::envoy_internal_address::AddressNameSpecifier;
use als_proto::messages::envoy::config::core::v3::socket_address::PortSpecifier;
use als_proto::messages::envoy::data::accesslog::v3 as accesslog;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use als_proto::messages::envoy::data::accesslog::v3::tls_properties::certificate_properties::subject_alt_name;
use als_proto::{
    Address, Certificate, CommonProperties, Duration, Malformed, ResponseFlags, Timestamp, TlsProperties,
};

use prost::Message as _;

use super::both;

pub(super) fn compare(common: Option<&CommonProperties<'_>>, expected: Option<&accesslog::AccessLogCommon>) {
    let Some((common, expected)) = both(common, expected, "set of common properties") else {
        return;
    };
    compare_strings(common, expected);
    compare_numbers(common, expected);
    compare_addresses(common, expected);
    compare_times(common, expected);
    compare_tls(common.tls_properties(), expected.tls_properties.as_ref());
    compare_as_sent(common, expected);
    compare_flags(common.response_flags, expected.response_flags.unwrap_or_default());
    compare_filter_state(common, expected);
}

fn compare_strings(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    for (read, expected) in [
        (common.upstream_cluster, &expected.upstream_cluster),
        (
            common.upstream_transport_failure_reason,
            &expected.upstream_transport_failure_reason,
        ),
        (common.route_name, &expected.route_name),
        (
            common.connection_termination_details,
            &expected.connection_termination_details,
        ),
        (common.stream_id, &expected.stream_id),
        (
            common.downstream_transport_failure_reason,
            &expected.downstream_transport_failure_reason,
        ),
    ] {
        assert_eq!(read, expected.as_bytes());
    }
}

#[expect(deprecated, reason = "Envoy still sends intermediate_log_entry")]
fn compare_numbers(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    assert_eq!(
        common.upstream_request_attempt_count,
        expected.upstream_request_attempt_count
    );
    assert_eq!(common.intermediate_log_entry, expected.intermediate_log_entry);
    assert_eq!(
        common.downstream_wire_bytes_sent,
        expected.downstream_wire_bytes_sent
    );
    assert_eq!(
        common.downstream_wire_bytes_received,
        expected.downstream_wire_bytes_received
    );
    assert_eq!(common.upstream_wire_bytes_sent, expected.upstream_wire_bytes_sent);
    assert_eq!(
        common.upstream_wire_bytes_received,
        expected.upstream_wire_bytes_received
    );
    assert_eq!(common.access_log_type, expected.access_log_type);
}

fn compare_addresses(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    for (read, expected) in [
        (
            common.downstream_remote_address(),
            &expected.downstream_remote_address,
        ),
        (
            common.downstream_local_address(),
            &expected.downstream_local_address,
        ),
        (
            common.upstream_remote_address(),
            &expected.upstream_remote_address,
        ),
        (common.upstream_local_address(), &expected.upstream_local_address),
        (
            common.downstream_direct_remote_address(),
            &expected.downstream_direct_remote_address,
        ),
    ] {
        assert_eq!(read, Ok(expected.as_ref().map(address)));
    }
}

fn address(address: &core::Address) -> Address<'_> {
    match &address.address {
        Some(core::address::Address::SocketAddress(socket)) => Address::Socket {
            address: socket.address.as_bytes(),
            port: match socket.port_specifier {
                Some(PortSpecifier::PortValue(port)) => port,
                Some(PortSpecifier::NamedPort(_)) | None => 0,
            },
        },
        Some(core::address::Address::Pipe(pipe)) => Address::Pipe {
            path: pipe.path.as_bytes(),
        },
        Some(core::address::Address::EnvoyInternalAddress(internal)) => Address::Internal {
            server_listener_name: match &internal.address_name_specifier {
                Some(AddressNameSpecifier::ServerListenerName(name)) => name.as_bytes(),
                None => &[],
            },
            endpoint_id: internal.endpoint_id.as_bytes(),
        },
        None => Address::Unset,
    }
}

fn compare_times(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    let start_time = expected.start_time.map(|time| Timestamp {
        seconds: time.seconds,
        nanos: time.nanos,
    });
    assert_eq!(common.start_time(), Ok(start_time));
    for (read, expected) in [
        (common.time_to_last_rx_byte(), expected.time_to_last_rx_byte),
        (
            common.time_to_first_upstream_tx_byte(),
            expected.time_to_first_upstream_tx_byte,
        ),
        (
            common.time_to_last_upstream_tx_byte(),
            expected.time_to_last_upstream_tx_byte,
        ),
        (
            common.time_to_first_upstream_rx_byte(),
            expected.time_to_first_upstream_rx_byte,
        ),
        (
            common.time_to_last_upstream_rx_byte(),
            expected.time_to_last_upstream_rx_byte,
        ),
        (
            common.time_to_first_downstream_tx_byte(),
            expected.time_to_first_downstream_tx_byte,
        ),
        (
            common.time_to_last_downstream_tx_byte(),
            expected.time_to_last_downstream_tx_byte,
        ),
        (common.duration(), expected.duration),
    ] {
        let expected = expected.map(|time| Duration {
            seconds: time.seconds,
            nanos: time.nanos,
        });
        assert_eq!(read, Ok(expected));
    }
}

fn compare_tls(
    tls: Result<Option<TlsProperties<'_>>, Malformed>,
    expected: Option<&accesslog::TlsProperties>,
) {
    let expected = expected.map(|expected| TlsProperties {
        version: expected.tls_version,
        sni: expected.tls_sni_hostname.as_bytes(),
        local_certificate: expected.local_certificate_properties.as_ref().map(certificate),
        peer_certificate: expected.peer_certificate_properties.as_ref().map(certificate),
    });
    assert_eq!(tls, Ok(expected));
}

/// What is handed out undecoded is in one piece, or is not handed out.
fn compare_as_sent(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    for (sent, expected) in [
        (
            common.downstream_local_address_as_sent(),
            &expected.downstream_local_address,
        ),
        (
            common.upstream_remote_address_as_sent(),
            &expected.upstream_remote_address,
        ),
    ] {
        if let Some(sent) = sent {
            let sent = core::Address::decode(sent);
            assert_eq!(sent, Ok(expected.clone().unwrap_or_default()));
        }
    }
    let tls = expected.tls_properties.as_ref();
    let server_name = tls.map_or("", |tls| &tls.tls_sni_hostname);
    assert_eq!(common.server_name(), Ok(server_name.as_bytes()));
    let sent = common.certificates_as_sent();
    assert!(sent.is_ok(), "prost accepts the properties");
    if let Ok(Some(sent)) = sent {
        let expected = expected.tls_properties.clone().unwrap_or_default();
        let certificates = accesslog::TlsProperties {
            local_certificate_properties: expected.local_certificate_properties,
            peer_certificate_properties: expected.peer_certificate_properties,
            ..accesslog::TlsProperties::default()
        };
        assert_eq!(accesslog::TlsProperties::decode(sent), Ok(certificates));
    }
}

fn certificate(certificate: &CertificateProperties) -> Certificate<'_> {
    let mut uris = certificate
        .subject_alt_name
        .iter()
        .filter_map(|name| match &name.san {
            Some(subject_alt_name::San::Uri(uri)) if !uri.is_empty() => Some(uri.as_bytes()),
            Some(subject_alt_name::San::Uri(_) | subject_alt_name::San::Dns(_)) | None => None,
        });
    Certificate {
        subject: certificate.subject.as_bytes(),
        uri_san: uris.next().unwrap_or_default(),
    }
}

fn compare_flags(flags: ResponseFlags, expected: accesslog::ResponseFlags) {
    let expected = [
        expected.failed_local_healthcheck,
        expected.no_healthy_upstream,
        expected.upstream_request_timeout,
        expected.local_reset,
        expected.upstream_remote_reset,
        expected.upstream_connection_failure,
        expected.upstream_connection_termination,
        expected.upstream_overflow,
        expected.no_route_found,
        expected.delay_injected,
        expected.fault_injected,
        expected.rate_limited,
        expected.unauthorized_details.is_some(),
        expected.rate_limit_service_error,
        expected.downstream_connection_termination,
        expected.upstream_retry_limit_exceeded,
        expected.stream_idle_timeout,
        expected.invalid_envoy_request_headers,
        expected.downstream_protocol_error,
        expected.upstream_max_stream_duration_reached,
        expected.response_from_cache_filter,
        expected.no_filter_config_found,
        expected.duration_timeout,
        expected.upstream_protocol_error,
        expected.no_cluster_found,
        expected.overload_manager,
        expected.dns_resolution_failure,
        expected.downstream_remote_reset,
    ];
    let bits = (1..)
        .zip(expected)
        .fold(0, |bits, (number, flag)| bits | u64::from(flag) << number);
    assert_eq!(flags.bits(), bits);
    assert_eq!(flags.is_empty(), bits == 0);
    assert!(
        (1..)
            .zip(expected)
            .all(|(number, flag)| flags.contains(number) == flag)
    );
    assert_eq!(flags.short_codes().count() as u32, bits.count_ones());
}

fn compare_filter_state(common: &CommonProperties<'_>, expected: &accesslog::AccessLogCommon) {
    let read: Result<BTreeMap<_, _>, _> = common
        .filter_state_objects()
        .map(|object| object.map(|object| (object.key, (object.type_url, object.value))))
        .collect();
    let expected = expected.filter_state_objects.iter();
    let expected =
        expected.map(|(key, any)| (key.as_bytes(), (any.type_url.as_bytes(), any.value.as_slice())));
    assert_eq!(read, Ok(expected.collect()));
}
