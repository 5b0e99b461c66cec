//! Clusters: the collector's, one for each service called, one for the application behind a sidecar.

use serde_json::{Value, json};

use super::socket_address;
use crate::mesh::{Mesh, Pod, Service};

/// The cluster of the collector: the name, and everything in it, as in Istio's bootstrap template.
pub(super) const ACCESS_LOG_SERVICE: &str = "envoy_accesslog_service";

/// Istio's source address of inbound connections to the application.
const INBOUND_SOURCE: &str = "127.0.0.6";

/// The cluster that access logs are sent to.
pub(super) fn access_log_service((host, port): (&str, u16)) -> Value {
    json!({
        "name": ACCESS_LOG_SERVICE,
        "alt_stat_name": "envoy_accesslog_service;",
        "type": "STRICT_DNS",
        "respect_dns_ttl": true,
        "dns_lookup_family": "V4_ONLY",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
        "load_assignment": load_assignment(ACCESS_LOG_SERVICE, [socket_address(host, port)]),
    })
}

/// The name of the cluster of a service that is called.
pub(super) fn outbound_name(service: &Service) -> String {
    format!("outbound|{}||{}", service.port, service.host())
}

/// The name of the cluster of the application behind the sidecar.
pub(super) fn inbound_name(service: &Service) -> String {
    format!("inbound|{}||", service.target_port)
}

/// All pods of a service, called from the pod's own address.
pub(super) fn outbound(mesh: &Mesh, pod: &Pod, service: &Service) -> Value {
    let name = outbound_name(service);
    let endpoints = mesh
        .pods_of(service)
        .map(|endpoint| socket_address(&endpoint.address.to_string(), service.target_port));
    let load_assignment = load_assignment(&name, endpoints);
    cluster(&name, &load_assignment, &pod.address.to_string())
}

/// The application of a pod.
pub(super) fn inbound(mesh: &Mesh, pod: &Pod, service: &Service) -> Value {
    let name = inbound_name(service);
    let application = socket_address(&pod.address.to_string(), mesh.ports.application);
    cluster(&name, &load_assignment(&name, [application]), INBOUND_SOURCE)
}

fn cluster(name: &str, load_assignment: &Value, source_address: &str) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": { "thresholds": [{
            "max_connections": u32::MAX,
            "max_pending_requests": u32::MAX,
            "max_requests": u32::MAX,
            "max_retries": u32::MAX,
        }] },
        "upstream_bind_config": { "source_address": { "address": source_address, "port_value": 0 } },
        "load_assignment": load_assignment,
    })
}

fn load_assignment(name: &str, addresses: impl IntoIterator<Item = Value>) -> Value {
    let endpoints: Vec<Value> = addresses
        .into_iter()
        .map(|address| json!({ "endpoint": { "address": address } }))
        .collect();
    json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] })
}
