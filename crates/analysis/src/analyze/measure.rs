//! The numbers of an entry: outcome, time and bytes.

use als_proto::{CommonProperties, HttpEntry, HttpRequest, Malformed, ResponseFlags, TcpEntry};

use super::lasting::lasts;
use super::latency;
use super::port_protocol::PortProtocol;
use super::protocol::{self, Protocol};

/// What an HTTP request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpMeasure {
    /// HTTP or gRPC.
    pub protocol: Protocol,
    /// The status; 0 when the caller got none (reset, disconnect).
    pub code: u32,
    /// Envoy's response flags.
    pub flags: ResponseFlags,
    /// The whole request, in microseconds.
    pub microseconds: u64,
    /// Whether that is how long a connection was open, see [`super::lasting`].
    pub lasts: bool,
    /// Bytes from the caller, headers included.
    pub request_bytes: u64,
    /// Bytes to the caller, headers included.
    pub response_bytes: u64,
}

/// What a TCP connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpMeasure {
    /// Envoy's response flags.
    pub flags: ResponseFlags,
    /// Bytes from the caller.
    pub received_bytes: u64,
    /// Bytes to the caller.
    pub sent_bytes: u64,
}

/// The numbers of an HTTP entry. Bytes are what went over the downstream wire; proxies before Envoy 1.23 don't log that, then
/// headers and bodies are added up.
pub fn http(
    common: &CommonProperties<'_>,
    entry: &HttpEntry<'_>,
    request: &HttpRequest<'_>,
    port: PortProtocol,
) -> Result<HttpMeasure, Malformed> {
    let (code, lasts, response_bytes) = match &entry.response {
        Some(response) => (
            response.code.unwrap_or(0),
            lasts(request, response)?,
            response.headers_bytes.saturating_add(response.body_bytes),
        ),
        None => (0, false, 0),
    };
    let request_bytes = request.headers_bytes.saturating_add(request.body_bytes);
    Ok(HttpMeasure {
        protocol: protocol::protocol(entry, request, port)?,
        code,
        flags: common.response_flags,
        microseconds: latency::microseconds(common)?,
        lasts,
        request_bytes: non_zero_or(common.downstream_wire_bytes_received, request_bytes),
        response_bytes: non_zero_or(common.downstream_wire_bytes_sent, response_bytes),
    })
}

/// The numbers of a TCP entry, or of an HTTP entry that a TCP proxy wrote (then `entry` is `None`).
pub fn tcp(common: &CommonProperties<'_>, entry: Option<&TcpEntry<'_>>) -> TcpMeasure {
    let (received, sent) = entry.map_or((0, 0), |entry| (entry.received_bytes, entry.sent_bytes));
    TcpMeasure {
        flags: common.response_flags,
        received_bytes: non_zero_or(common.downstream_wire_bytes_received, received),
        sent_bytes: non_zero_or(common.downstream_wire_bytes_sent, sent),
    }
}

/// How often the proxy tried an upstream again (`upstream_request_attempt_count`); the attempts are one request.
pub fn retries(common: &CommonProperties<'_>) -> u32 {
    common.upstream_request_attempt_count.saturating_sub(1)
}

fn non_zero_or(value: u64, otherwise: u64) -> u64 {
    if value == 0 { otherwise } else { value }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_upstream(0, 0)]
    // proves: measure/retries
    #[case::first_attempt(1, 0)]
    // proves: measure/retries
    #[case::two_retries(3, 2)]
    fn retries_are_the_attempts_after_the_first(#[case] attempts: u32, #[case] expected: u32) {
        let mut common = CommonProperties::default();
        common.upstream_request_attempt_count = attempts;
        assert_eq!(retries(&common), expected);
    }
}
