//! The gRPC methods that the port serves.

/// The kind of messages in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Access logs of one Envoy, which names itself in the first message (envoy `service/accesslog/v3/als.proto`).
    AccessLogs,
    /// Access logs of any number of Envoys, one after the other. Each message with an identifier begins the
    /// entries of another Envoy (`SatelliteAccessLogService` of SkyWalking's Satellite).
    SatelliteAccessLogs,
    /// Envoy's own metrics (envoy `service/metrics/v3/metrics_service.proto`).
    Metrics,
}

/// The full names of the methods. The versions v2 and v3 of a service are the same on the wire.
pub const METHODS: [(&str, Method); 5] = [
    (
        "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
        Method::AccessLogs,
    ),
    (
        "/envoy.service.accesslog.v2.AccessLogService/StreamAccessLogs",
        Method::AccessLogs,
    ),
    (
        "/satellite.envoy.accesslog.v3.SatelliteAccessLogService/StreamAccessLogs",
        Method::SatelliteAccessLogs,
    ),
    (
        "/envoy.service.metrics.v3.MetricsService/StreamMetrics",
        Method::Metrics,
    ),
    (
        "/envoy.service.metrics.v2.MetricsService/StreamMetrics",
        Method::Metrics,
    ),
];

impl Method {
    /// Returns the method with this full name, if it is served.
    pub fn named(path: &str) -> Option<Self> {
        METHODS
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, method)| *method)
    }
}
