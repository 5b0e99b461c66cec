//! The gRPC methods of the port.

/// What the messages of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Access logs of one Envoy, which names itself in the first message (envoy `service/accesslog/v3/als.proto`).
    AccessLogs,
    /// Access logs of any number of Envoys, one after the other: each message with an identifier begins another one's
    /// (`SatelliteAccessLogService` of SkyWalking's Satellite).
    SatelliteAccessLogs,
    /// Envoy's own metrics (envoy `service/metrics/v3/metrics_service.proto`).
    Metrics,
}

/// The full names of the methods. v2 and v3 of a service are the same on the wire.
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
    /// The method with this full name.
    pub fn named(path: &str) -> Option<Self> {
        METHODS
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, method)| *method)
    }
}
