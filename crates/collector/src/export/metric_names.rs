//! The names of the metrics about calls, as Prometheus spells them.

/// A name for each metric about calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricNames {
    /// The counter of HTTP and gRPC requests.
    pub requests: &'static str,
    /// The histogram of request durations, in milliseconds.
    pub request_duration: &'static str,
    /// The histogram of request sizes, in bytes.
    pub request_bytes: &'static str,
    /// The histogram of response sizes, in bytes.
    pub response_bytes: &'static str,
    /// The counter of messages from the callers of gRPC calls.
    pub grpc_request_messages: &'static str,
    /// The counter of messages to the callers of gRPC calls.
    pub grpc_response_messages: &'static str,
    /// The counter of TCP connections that were opened.
    pub tcp_connections_opened: &'static str,
    /// The counter of TCP connections that ended.
    pub tcp_connections_closed: &'static str,
    /// The counter of bytes sent to the callers of TCP connections.
    pub tcp_sent_bytes: &'static str,
    /// The counter of bytes received from the callers of TCP connections.
    pub tcp_received_bytes: &'static str,
}

/// Alscope's own names, which do not collide with Istio's.
pub const ALSCOPE: MetricNames = MetricNames {
    requests: "alscope_requests_total",
    request_duration: "alscope_request_duration_milliseconds",
    request_bytes: "alscope_request_bytes",
    response_bytes: "alscope_response_bytes",
    grpc_request_messages: "alscope_grpc_request_messages_total",
    grpc_response_messages: "alscope_grpc_response_messages_total",
    tcp_connections_opened: "alscope_tcp_connections_opened_total",
    tcp_connections_closed: "alscope_tcp_connections_closed_total",
    tcp_sent_bytes: "alscope_tcp_sent_bytes_total",
    tcp_received_bytes: "alscope_tcp_received_bytes_total",
};
