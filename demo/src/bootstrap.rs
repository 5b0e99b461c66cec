//! Envoy's configuration for each proxy, as istiod and pilot-agent would make it, in one static file.
//!
//! What the collector sees is theirs: node, cluster names, loggers, forwarded addresses. What differs is where
//! listeners are, since nothing redirects packets here: a sidecar's outbound listener is on its pod's address, and
//! its application names the service it means in Host.

mod cluster;
mod listener;

use serde_json::{Value, json};

use crate::directory;
use crate::mesh::{Mesh, Pod, Proxy};

/// The bootstrap of a pod's proxy, which sends its access log to `collector` (`host`, `port`).
pub(crate) fn bootstrap(mesh: &Mesh, pod: &Pod, collector: (&str, u16)) -> Value {
    let mut clusters = vec![cluster::access_log_service(collector)];
    clusters.extend(
        mesh.called_by(pod)
            .map(|service| cluster::outbound(mesh, pod, service)),
    );
    if pod.proxy == Proxy::Sidecar {
        clusters.extend(
            mesh.served_by(pod)
                .map(|service| cluster::inbound(mesh, pod, service)),
        );
    }
    json!({
        "node": node(pod, collector),
        "admin": { "address": socket_address(&pod.address.to_string(), mesh.ports.admin) },
        "layered_runtime": { "layers": [{
            "name": "global config",
            "static_layer": { "overload.global_downstream_max_connections": 2_147_483_647 },
        }] },
        "static_resources": { "listeners": listener::all(mesh, pod), "clusters": clusters },
    })
}

fn node(pod: &Pod, (collector, port): (&str, u16)) -> Value {
    let kind = if pod.proxy == Proxy::Gateway {
        "router"
    } else {
        "sidecar"
    };
    let (namespace, name, address) = (pod.namespace, pod.name(), pod.address.to_string());
    json!({
        "id": format!("{kind}~{address}~{name}.{namespace}~{namespace}.svc.cluster.local"),
        "cluster": format!("{}.{namespace}", pod.app),
        "metadata": {
            "NAME": name,
            "NAMESPACE": namespace,
            "WORKLOAD_NAME": pod.workload,
            "OWNER": format!("kubernetes://apis/apps/v1/namespaces/{namespace}/deployments/{}", pod.workload),
            "LABELS": directory::labels(pod),
            "CLUSTER_ID": "Kubernetes",
            "MESH_ID": "cluster.local",
            "INSTANCE_IPS": address,
            "INTERCEPTION_MODE": "NONE",
            "ISTIO_VERSION": "1.31.0",
            "NODE_NAME": directory::NODE,
            "SERVICE_ACCOUNT": "default",
            "PROXY_CONFIG": {
                "envoyAccessLogService": { "address": format!("{collector}:{port}") },
            },
        },
    })
}

/// Envoy's address of host and port.
fn socket_address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::testing::mesh;

    /// The bootstrap of a workload's proxy, and the mesh it belongs to.
    fn bootstrap_of(workload: &str) -> (Value, Mesh) {
        let (mesh, _claims) = mesh();
        let pod = mesh.pods.iter().find(|pod| pod.workload == workload).unwrap();
        (bootstrap(&mesh, pod, ("127.0.0.1", 11800)), mesh)
    }

    fn names(bootstrap: &Value, resources: &str) -> Vec<String> {
        let resources = bootstrap["static_resources"][resources].as_array().unwrap();
        resources
            .iter()
            .map(|resource| resource["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_sidecar_has_the_clusters_that_istiod_would_name() {
        let (bootstrap, mesh) = bootstrap_of("productpage-v1");
        let http = mesh.ports.http;
        assert_eq!(
            names(&bootstrap, "clusters"),
            [
                "envoy_accesslog_service".to_owned(),
                format!("outbound|{http}||details.demo.svc.cluster.local"),
                format!("outbound|{http}||reviews.demo.svc.cluster.local"),
                format!("inbound|{http}||"),
            ]
        );
        assert_eq!(
            names(&bootstrap, "listeners"),
            ["virtualOutbound", "virtualInbound"]
        );
    }

    #[test]
    fn a_caller_of_tcp_has_an_outbound_listener_for_it() {
        let (bootstrap, mesh) = bootstrap_of("ratings-v1");
        let outbound = format!("outbound_{}_mongodb.demo.svc.cluster.local", mesh.ports.tcp);
        assert_eq!(
            names(&bootstrap, "listeners"),
            [outbound.as_str(), "virtualInbound"]
        );
    }

    #[test]
    fn node_ids_are_those_of_istio() {
        let (sidecar, _) = bootstrap_of("reviews-v3");
        let (gateway, _) = bootstrap_of("istio-ingressgateway");
        let parts = |bootstrap: &Value| -> Vec<String> {
            bootstrap["node"]["id"]
                .as_str()
                .unwrap()
                .split('~')
                .map(str::to_owned)
                .collect()
        };
        let (sidecar, gateway) = (parts(&sidecar), parts(&gateway));
        assert_eq!(sidecar[0], "sidecar");
        assert_eq!(
            sidecar[2..],
            ["reviews-v3-6d8f7c5b94-x7k2p.demo", "demo.svc.cluster.local"]
        );
        assert_eq!(gateway[0], "router");
        assert_eq!(gateway[3], "istio-system.svc.cluster.local");
    }
}
