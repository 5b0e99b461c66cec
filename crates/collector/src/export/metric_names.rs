//! The names of what is counted of calls, in the form of Prometheus.

/// A name for each metric of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricNames {
    /// HTTP and gRPC requests, a counter.
    pub requests: &'static str,
    /// How long requests took, a histogram in milliseconds.
    pub request_duration: &'static str,
    /// Bytes of requests, a histogram.
    pub request_bytes: &'static str,
    /// Bytes of responses, a histogram.
    pub response_bytes: &'static str,
    /// TCP connections that were opened, a counter.
    pub tcp_connections_opened: &'static str,
    /// TCP connections that ended, a counter.
    pub tcp_connections_closed: &'static str,
    /// Bytes to the callers of TCP connections, a counter.
    pub tcp_sent_bytes: &'static str,
    /// Bytes from the callers of TCP connections, a counter.
    pub tcp_received_bytes: &'static str,
}

/// Alscope's own names, which go beside Istio's.
pub const ALSCOPE: MetricNames = MetricNames {
    requests: "alscope_requests_total",
    request_duration: "alscope_request_duration_milliseconds",
    request_bytes: "alscope_request_bytes",
    response_bytes: "alscope_response_bytes",
    tcp_connections_opened: "alscope_tcp_connections_opened_total",
    tcp_connections_closed: "alscope_tcp_connections_closed_total",
    tcp_sent_bytes: "alscope_tcp_sent_bytes_total",
    tcp_received_bytes: "alscope_tcp_received_bytes_total",
};
