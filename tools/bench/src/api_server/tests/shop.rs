//! Objects of a shop: its pods, their slices and Services.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

pub(crate) fn pod(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": "shop", "name": name, "uid": format!("uid-{name}"), "labels": { "app": "web" } },
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{ "ip": address }],
            "startTime": "2026-01-01T00:00:00Z",
        },
    })
}

pub(crate) fn endpoint(pod: &Value) -> Value {
    json!({
        "addresses": [pod["status"]["podIP"]],
        "targetRef": { "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"] },
    })
}

pub(crate) fn slice(service: &str, pods: &[&Value]) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "shop",
            "name": format!("{service}-slice"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": pods.iter().map(|pod| endpoint(pod)).collect::<Vec<_>>(),
        "ports": [{ "name": "http", "port": 8080 }],
    })
}

pub(crate) fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "clusterIP": address, "clusterIPs": [address], "ports": [{ "name": "http", "port": 80 }] },
    })
}

/// 10.0.0.1 and so on.
pub(crate) fn web_pods(count: u32) -> Vec<Value> {
    (1..=count)
        .map(|number| pod(&format!("web-{number:04}"), &web_address(number).to_string()))
        .collect()
}

pub(crate) fn web_address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number).into()
}

/// A Service with so many pods, and a node.
pub(crate) fn shop(count: u32) -> Vec<Value> {
    let mut shop = web_pods(count);
    let slice = slice("web", &shop.iter().collect::<Vec<_>>());
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": "one" },
        "status": { "addresses": [{ "type": "InternalIP", "address": "192.0.2.1" }] },
    });
    shop.extend([slice, service("web", "10.96.0.1"), node]);
    shop
}
