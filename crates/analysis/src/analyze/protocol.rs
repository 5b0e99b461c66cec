//! Finds the protocol of a call, and the status of a gRPC call.
//!
//! An HTTP entry may be about a TCP connection: Istio puts the loggers of an `envoyHttpAls` provider at TCP proxies and listeners too
//! (istio `pilot/pkg/model` `telemetry_logging.go`). They count such a connection's bytes and know nothing else of a request.

use als_proto::{CommonProperties, HttpEntry, HttpRequest, Malformed};

use crate::port_protocol::PortProtocol;

/// Istio's label `request_protocol`, with the gRPC status where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP that is not gRPC.
    Http,
    /// gRPC with the status code that the proxy logged.
    Grpc(u8),
    /// gRPC of which the proxy logged no status.
    GrpcUnknown,
    /// A TCP connection, whatever it carries.
    Tcp,
}

impl Protocol {
    /// The value of the label `request_protocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Grpc(_) | Protocol::GrpcUnknown => "grpc",
            Protocol::Tcp => "tcp",
        }
    }

    /// Whether it is gRPC.
    #[inline]
    pub fn is_grpc(self) -> bool {
        match self {
            Protocol::Grpc(_) | Protocol::GrpcUnknown => true,
            Protocol::Http | Protocol::Tcp => false,
        }
    }

    /// A number that is unique to the protocol and its status.
    #[inline]
    pub fn number(self) -> u16 {
        match self {
            Protocol::Http => 0,
            Protocol::Tcp => 1,
            Protocol::GrpcUnknown => 2,
            Protocol::Grpc(status) => 3 + u16::from(status),
        }
    }

    /// Istio's label `grpc_response_status`: empty when the call is not gRPC.
    pub fn grpc_status_text(self) -> String {
        match self {
            Protocol::Grpc(status) => status.to_string(),
            Protocol::GrpcUnknown => "unknown".to_owned(),
            Protocol::Http | Protocol::Tcp => String::new(),
        }
    }
}

/// `HTTPAccessLogEntry.HTTPVersion.PROTOCOL_UNSPECIFIED`.
const VERSION_UNSPECIFIED: i32 = 0;
/// `RequestMethod.METHOD_UNSPECIFIED`.
const METHOD_UNSPECIFIED: i32 = 0;
/// `HTTPAccessLogEntry.HTTPVersion.HTTP2`.
const VERSION_HTTP2: i32 = 3;
/// `RequestMethod.POST`.
const METHOD_POST: i32 = 3;

/// Whether an HTTP entry is about a TCP connection, by `access_log_type`. Listeners set no type, nor do proxies before Envoy 1.26
/// (Istio 1.18): then by what the entry lacks. A request always has its version, because Envoy's codec knows it before any header
/// (envoy `conn_manager_impl`), even if it was reset before it had a method or a code.
#[inline]
pub fn is_connection(
    common: &CommonProperties<'_>,
    entry: &HttpEntry<'_>,
    request: &HttpRequest<'_>,
) -> bool {
    if entry.protocol_version == VERSION_UNSPECIFIED {
        return is_connection_without_version(common, entry, request);
    }
    is_tcp_type(common)
}

/// Whether an entry without a version is about a TCP connection. It is not inlined, because nearly all requests have a version.
#[cold]
fn is_connection_without_version(
    common: &CommonProperties<'_>,
    entry: &HttpEntry<'_>,
    request: &HttpRequest<'_>,
) -> bool {
    // From DownstreamStart to DownstreamTunnelSuccessfullyEstablished, all types are of requests.
    let is_request_type = (4..=10).contains(&common.access_log_type);
    let has_code = entry
        .response
        .as_ref()
        .is_some_and(|response| response.code.is_some());
    let is_named = request.method != METHOD_UNSPECIFIED || has_code;
    is_tcp_type(common) || !is_request_type && !is_named
}

/// Whether the type is `TcpUpstreamConnected`, `TcpPeriodic` or `TcpConnectionEnd`.
#[inline]
fn is_tcp_type(common: &CommonProperties<'_>) -> bool {
    (1..=3).contains(&common.access_log_type)
}

/// The protocol of an HTTP entry. It is gRPC by the content type if that is logged, else by what the called port declares, else by
/// the request's shape: POST over HTTP/2 to `/package.Service/Method`. Istio's mesh-config logger logs no headers, so there port
/// and shape decide and the status stays unknown.
pub fn protocol(
    entry: &HttpEntry<'_>,
    request: &HttpRequest<'_>,
    port: PortProtocol,
) -> Result<Protocol, Malformed> {
    let can_be_grpc = entry.protocol_version == VERSION_HTTP2 && request.method == METHOD_POST;
    let is_grpc = match (request.header(b"content-type")?, port) {
        (Some(content_type), _) => is_grpc_content(content_type),
        (None, PortProtocol::Grpc) => can_be_grpc,
        (None, PortProtocol::Http) => false,
        (None, PortProtocol::Undeclared) => can_be_grpc && is_grpc_path(request.path),
    };
    if !is_grpc {
        return Ok(Protocol::Http);
    }
    let Some(response) = &entry.response else {
        return Ok(Protocol::GrpcUnknown);
    };
    let status = match response.trailer(b"grpc-status")? {
        Some(status) => Some(status),
        None => response.header(b"grpc-status")?,
    };
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    Ok(status.map_or(Protocol::GrpcUnknown, Protocol::Grpc))
}

/// `application/grpc`, also with a codec as in `application/grpc+proto`, but not `application/grpc-web` (envoy
/// `source/common/grpc/common.cc` `hasGrpcContentType`).
fn is_grpc_content(content_type: &[u8]) -> bool {
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// `/package.Service/Method`: two segments, the first with a dot, neither with a character that names can't have.
fn is_grpc_path(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/');
    let (Some(b""), Some(service), Some(method), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return false;
    };
    let is_name = |name: &[u8]| {
        !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    service.contains(&b'.') && service.split(|byte| *byte == b'.').all(is_name) && is_name(method)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    // proves: protocol/grpc-content-type
    #[case("application/grpc", true)]
    // proves: protocol/grpc-content-type
    #[case("application/grpc+proto", true)]
    #[case("application/grpc; charset=utf-8", true)]
    // proves: protocol/grpc-web
    #[case("application/grpc-web", false)]
    // proves: protocol/grpc-web
    #[case("application/grpc-web+proto", false)]
    #[case("application/json", false)]
    #[case("", false)]
    fn grpc_has_a_content_type_of_its_own(#[case] content_type: &str, #[case] expected: bool) {
        assert_eq!(is_grpc_content(content_type.as_bytes()), expected);
    }

    #[rstest]
    // proves: protocol/grpc-shape
    #[case("/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs", true)]
    #[case("/helloworld.Greeter/SayHello", true)]
    // proves: protocol/grpc-shape
    #[case("/Greeter/SayHello", false)]
    #[case("/helloworld.Greeter/SayHello/more", false)]
    #[case("/helloworld.Greeter/", false)]
    #[case("/static/app.js", false)]
    #[case("/v1.2/items?x=1", false)]
    #[case("", false)]
    fn a_grpc_path_is_a_service_and_a_method(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_grpc_path(path.as_bytes()), expected);
    }
}
