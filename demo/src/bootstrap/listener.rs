//! Listeners: outbound and inbound of a sidecar, the one of a gateway, each with the loggers that istiod gives it.

use serde_json::{Value, json};

use super::cluster::{ACCESS_LOG_SERVICE, inbound_name, outbound_name};
use super::socket_address;
use crate::mesh::{Mesh, Pod, Protocol, Proxy, Service};

/// What Istio asks every logger for; stock Envoy has no peers to give, and leaves them out.
const PEER_KEYS: [&str; 6] = [
    "upstream_peer",
    "downstream_peer",
    "wasm.upstream_peer",
    "wasm.upstream_peer_id",
    "wasm.downstream_peer",
    "wasm.downstream_peer_id",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Outbound,
    Inbound,
    Gateway,
}

/// Every listener of a pod's proxy.
pub(super) fn all(mesh: &Mesh, pod: &Pod) -> Vec<Value> {
    match pod.proxy {
        Proxy::Absent => Vec::new(),
        Proxy::Gateway => vec![gateway(mesh, pod)],
        Proxy::Sidecar => {
            let called = |protocol| {
                mesh.called_by(pod)
                    .filter(move |service| service.protocol == protocol)
            };
            let http: Vec<&Service> = called(Protocol::Http).collect();
            let outbound_http = (!http.is_empty()).then(|| outbound_http(mesh, pod, &http));
            let outbound_tcp = called(Protocol::Tcp).map(|service| outbound_tcp(pod, service));
            let inbound = mesh.served_by(pod).map(|service| inbound(pod, service));
            outbound_http
                .into_iter()
                .chain(outbound_tcp)
                .chain(inbound)
                .collect()
        }
    }
}

fn outbound_http(mesh: &Mesh, pod: &Pod, called: &[&Service]) -> Value {
    let mut hosts: Vec<Value> = called.iter().map(|service| virtual_host(service)).collect();
    hosts.push(json!({
        "name": "block_all",
        "domains": ["*"],
        "routes": [{ "name": "block_all", "match": { "prefix": "/" }, "direct_response": { "status": 502 } }],
    }));
    let routes = json!({ "name": mesh.ports.http.to_string(), "virtual_hosts": hosts });
    let filter = connection_manager("outbound_http", &routes, Direction::Outbound);
    listener(
        "virtualOutbound",
        pod,
        mesh.ports.outbound,
        &filter,
        Direction::Outbound,
    )
}

fn outbound_tcp(pod: &Pod, service: &Service) -> Value {
    let name = format!("outbound_{}_{}", service.port, service.host());
    listener(
        &name,
        pod,
        service.port,
        &tcp_proxy(&outbound_name(service)),
        Direction::Outbound,
    )
}

fn inbound(pod: &Pod, service: &Service) -> Value {
    let cluster = inbound_name(service);
    let filter = match service.protocol {
        Protocol::Tcp => tcp_proxy(&cluster),
        Protocol::Http => {
            let routes = one_host(
                &cluster,
                &format!("inbound|http|{}", service.target_port),
                &cluster,
            );
            connection_manager(
                &format!("inbound_{}", service.target_port),
                &routes,
                Direction::Inbound,
            )
        }
    };
    listener(
        "virtualInbound",
        pod,
        service.target_port,
        &filter,
        Direction::Inbound,
    )
}

fn gateway(mesh: &Mesh, pod: &Pod) -> Value {
    let port = mesh.ports.gateway;
    let hosts: Vec<Value> = mesh
        .called_by(pod)
        .map(|service| wildcard_host("*:80", &outbound_name(service)))
        .collect();
    let routes = json!({ "name": format!("http.{port}"), "virtual_hosts": hosts });
    let filter = connection_manager(
        &format!("outbound_{}_{port}", pod.address),
        &routes,
        Direction::Gateway,
    );
    listener(
        &format!("{}_{port}", pod.address),
        pod,
        port,
        &filter,
        Direction::Gateway,
    )
}

fn virtual_host(service: &Service) -> Value {
    let (name, namespace, host) = (service.name, service.namespace, service.host());
    let names = [
        name.to_owned(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        host.clone(),
    ];
    let with_port = names.iter().map(|name| format!("{name}:{}", service.port));
    let domains: Vec<String> = names.iter().cloned().chain(with_port).collect();
    json!({
        "name": format!("{host}:{}", service.port),
        "domains": domains,
        "routes": [route(&outbound_name(service))],
    })
}

fn one_host(route_configuration: &str, name: &str, cluster: &str) -> Value {
    json!({ "name": route_configuration, "virtual_hosts": [wildcard_host(name, cluster)] })
}

fn wildcard_host(name: &str, cluster: &str) -> Value {
    json!({ "name": name, "domains": ["*"], "routes": [route(cluster)] })
}

// No retry policy: every call of the application is one call.
fn route(cluster: &str) -> Value {
    json!({ "name": "default", "match": { "prefix": "/" }, "route": { "cluster": cluster, "timeout": "0s" } })
}

fn connection_manager(stat_prefix: &str, routes: &Value, direction: Direction) -> Value {
    // Only a gateway takes the peer's address for the client's; behind it the client is what it forwards.
    let is_edge = direction == Direction::Gateway;
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": stat_prefix,
            "route_config": routes,
            "http_filters": http_filters(),
            "server_name": "istio-envoy",
            "use_remote_address": is_edge,
            "normalize_path": true,
            "stream_idle_timeout": "0s",
            "access_log": [logger("envoy.access_loggers.http_grpc", "HttpGrpcAccessLogConfig", "http_envoy_accesslog")],
        },
    })
}

fn http_filters() -> Value {
    json!([
        {
            "name": "envoy.filters.http.grpc_stats",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
                "emit_filter_state": true,
                "stats_for_all_methods": false,
            },
        },
        {
            "name": "envoy.filters.http.fault",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault" },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
    ])
}

fn tcp_proxy(cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": cluster,
            "cluster": cluster,
            "access_log": [tcp_logger("tcp_envoy_accesslog")],
        },
    })
}

fn listener(name: &str, pod: &Pod, port: u16, filter: &Value, direction: Direction) -> Value {
    let mut unrouted = tcp_logger("listener_envoy_accesslog");
    unrouted["filter"] = json!({ "response_flag_filter": { "flags": ["NR"] } });
    let direction = if direction == Direction::Inbound {
        "INBOUND"
    } else {
        "OUTBOUND"
    };
    json!({
        "name": name,
        "address": socket_address(&pod.address.to_string(), port),
        "traffic_direction": direction,
        "filter_chains": [{ "filters": [filter] }],
        "access_log": [unrouted],
    })
}

fn tcp_logger(log_name: &str) -> Value {
    logger("envoy.tcp_grpc_access_log", "TcpGrpcAccessLogConfig", log_name)
}

fn logger(name: &str, type_name: &str, log_name: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": format!("type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.{type_name}"),
            "common_config": {
                "log_name": log_name,
                "grpc_service": { "envoy_grpc": { "cluster_name": ACCESS_LOG_SERVICE } },
                "transport_api_version": "V3",
                "filter_state_objects_to_log": PEER_KEYS,
            },
        },
    })
}
