//! Measures an entry: its outcome, its duration and its bytes.

use als_proto::{CommonProperties, GrpcMessages, HttpEntry, HttpRequest, Malformed, ResponseFlags, TcpEntry};

use super::grpc_messages::grpc_messages;
use super::latency;
use super::long_lived::is_long_lived;
use super::protocol::{self, Protocol};
use crate::accounting::ClampedField;
use crate::port_protocol::PortProtocol;

/// The largest accepted request or response: 1 PiB, which takes a connection of 100 Gbit/s a day.
pub const MAX_REQUEST_BYTES: u64 = 1 << 50;
/// The most accepted bytes of a TCP connection: 64 PiB, which take one of 100 Gbit/s two months.
pub const MAX_CONNECTION_BYTES: u64 = 1 << 56;
/// The most accepted messages of a gRPC call, each way: with the five bytes that begin each of them, they fill the largest request.
pub const MAX_MESSAGES: u64 = MAX_REQUEST_BYTES / 5;
/// The largest accepted status code (RFC 9110, 15: three digits).
pub const MAX_STATUS_CODE: u32 = 999;

/// The set of an entry's values that were out of range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClampedFields(u8);

impl ClampedFields {
    /// Whether every value was in range.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The values that were out of range.
    pub fn iter(self) -> impl Iterator<Item = ClampedField> {
        let has = move |field: &ClampedField| self.0 & 1 << *field as u8 != 0;
        ClampedField::ALL.iter().copied().filter(has)
    }

    /// `value`, or `most` if it is larger; then notes the field.
    fn at_most<T: PartialOrd>(&mut self, field: ClampedField, most: T, value: T) -> T {
        if value > most {
            self.0 |= 1 << field as u8;
            return most;
        }
        value
    }
}

/// The measures of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpMeasure {
    /// Whether it is HTTP or gRPC.
    pub protocol: Protocol,
    /// The status; 0 when the caller got none (reset, disconnect).
    pub code: u32,
    /// Envoy's `response_flags`.
    pub flags: ResponseFlags,
    /// The duration of the whole request, in microseconds.
    pub microseconds: u64,
    /// Whether the duration is that of a connection, see [`super::long_lived`].
    pub is_long_lived: bool,
    /// Bytes from the caller, headers included.
    pub request_bytes: u64,
    /// Bytes to the caller, headers included.
    pub response_bytes: u64,
    /// The values that were out of range.
    pub clamped: ClampedFields,
}

/// The measures of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpMeasure {
    /// Envoy's `response_flags`.
    pub flags: ResponseFlags,
    /// Bytes that came from the caller.
    pub received_bytes: u64,
    /// Bytes that went to the caller.
    pub sent_bytes: u64,
    /// The values that were out of range.
    pub clamped: ClampedFields,
}

/// Measures an HTTP entry. Its bytes are those on the downstream wire. Proxies before Envoy 1.23 don't log them; then headers and
/// bodies are added up.
#[inline]
pub fn http(
    common: &CommonProperties<'_>,
    entry: &HttpEntry<'_>,
    request: &HttpRequest<'_>,
    port: PortProtocol,
) -> Result<HttpMeasure, Malformed> {
    let (code, is_long_lived, response_bytes) = match &entry.response {
        Some(response) => (
            response.code.unwrap_or(0),
            is_long_lived(request, response)?,
            response.headers_bytes.saturating_add(response.body_bytes),
        ),
        None => (0, false, 0),
    };
    let request_bytes = request.headers_bytes.saturating_add(request.body_bytes);
    let request_bytes = non_zero_or(common.downstream_wire_bytes_received, request_bytes);
    let response_bytes = non_zero_or(common.downstream_wire_bytes_sent, response_bytes);
    let measure = HttpMeasure {
        protocol: protocol::protocol(entry, request, port)?,
        code,
        flags: common.response_flags,
        // A negative duration becomes a huge number, which is out of range.
        microseconds: latency::signed_microseconds(common)?.cast_unsigned(),
        is_long_lived,
        request_bytes,
        response_bytes,
        clamped: ClampedFields::default(),
    };
    Ok(if measure.is_in_range() {
        measure
    } else {
        measure.clamped()
    })
}

impl HttpMeasure {
    /// Whether each value is surely in range.
    #[inline]
    fn is_in_range(&self) -> bool {
        self.microseconds <= latency::MAX_MICROSECONDS
            && self.code <= MAX_STATUS_CODE
            && self.request_bytes | self.response_bytes <= MAX_REQUEST_BYTES
    }

    /// The same measures with each value brought into range.
    #[cold]
    fn clamped(self) -> Self {
        let mut clamped = ClampedFields::default();
        clamped.at_most(
            ClampedField::Duration,
            latency::MAX_MICROSECONDS,
            self.microseconds,
        );
        HttpMeasure {
            code: clamped.at_most(ClampedField::ResponseCode, MAX_STATUS_CODE, self.code),
            microseconds: latency::clamp_microseconds(self.microseconds.cast_signed()),
            request_bytes: clamped.at_most(ClampedField::RequestBytes, MAX_REQUEST_BYTES, self.request_bytes),
            response_bytes: clamped.at_most(
                ClampedField::ResponseBytes,
                MAX_REQUEST_BYTES,
                self.response_bytes,
            ),
            clamped,
            ..self
        }
    }
}

/// The measures of the messages of a gRPC call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageMeasure {
    /// The messages each way; none if the proxy does not log them.
    pub messages: GrpcMessages,
    /// The values that were out of range.
    pub clamped: ClampedFields,
}

/// Measures the messages of a gRPC call. They are no part of [`HttpMeasure`], because most calls have none.
pub fn messages(common: &CommonProperties<'_>) -> MessageMeasure {
    let GrpcMessages { requests, responses } = grpc_messages(common);
    let mut clamped = ClampedFields::default();
    let messages = GrpcMessages {
        requests: clamped.at_most(ClampedField::RequestMessages, MAX_MESSAGES, requests),
        responses: clamped.at_most(ClampedField::ResponseMessages, MAX_MESSAGES, responses),
    };
    MessageMeasure { messages, clamped }
}

/// The bytes of a TCP connection as its logger counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionBytes {
    /// Bytes that came from the caller.
    pub received: u64,
    /// Bytes that went to the caller.
    pub sent: u64,
}

impl From<&TcpEntry<'_>> for ConnectionBytes {
    fn from(entry: &TcpEntry<'_>) -> Self {
        ConnectionBytes {
            received: entry.received_bytes,
            sent: entry.sent_bytes,
        }
    }
}

/// A logger of HTTP writes the bytes of a connection as those of bodies (envoy `http_grpc_access_log_impl`).
impl From<&HttpEntry<'_>> for ConnectionBytes {
    fn from(entry: &HttpEntry<'_>) -> Self {
        ConnectionBytes {
            received: entry.request.as_ref().map_or(0, |request| request.body_bytes),
            sent: entry.response.as_ref().map_or(0, |response| response.body_bytes),
        }
    }
}

/// Measures a TCP connection. Its bytes are those on the downstream wire; proxies that don't log them log only `bytes`.
pub fn tcp(common: &CommonProperties<'_>, bytes: ConnectionBytes) -> TcpMeasure {
    let received = non_zero_or(common.downstream_wire_bytes_received, bytes.received);
    let sent = non_zero_or(common.downstream_wire_bytes_sent, bytes.sent);
    let mut clamped = ClampedFields::default();
    TcpMeasure {
        flags: common.response_flags,
        received_bytes: clamped.at_most(ClampedField::ReceivedBytes, MAX_CONNECTION_BYTES, received),
        sent_bytes: clamped.at_most(ClampedField::SentBytes, MAX_CONNECTION_BYTES, sent),
        clamped,
    }
}

/// How often the proxy retried (`upstream_request_attempt_count`). All attempts are one request.
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

    // proves: measure/clamped
    #[rstest]
    #[case::sense(MAX_CONNECTION_BYTES, 0, &[])]
    #[case::beyond(MAX_CONNECTION_BYTES + 1, 0, &[ClampedField::SentBytes])]
    #[case::wrapped_below_zero(u64::MAX, u64::MAX, &[ClampedField::SentBytes, ClampedField::ReceivedBytes])]
    fn bytes_of_a_connection_beyond_sense_are_as_many_as_are_believed(
        #[case] sent_bytes: u64,
        #[case] received_bytes: u64,
        #[case] expected: &[ClampedField],
    ) {
        let bytes = ConnectionBytes {
            received: received_bytes,
            sent: sent_bytes,
        };
        let measure = tcp(&CommonProperties::default(), bytes);
        let most = [sent_bytes, received_bytes].map(|bytes| bytes.min(MAX_CONNECTION_BYTES));
        assert_eq!([measure.sent_bytes, measure.received_bytes], most);
        assert_eq!(measure.clamped.iter().collect::<Vec<_>>(), expected);
    }

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
