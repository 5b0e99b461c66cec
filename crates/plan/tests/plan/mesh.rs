//! A stock Istio as Kubernetes JSON: what the operator's readers get to see.

use alscope_plan::api::MeshObservability;
use serde_json::{Value, json};

/// What Istio's chart renders, without a line break at the end.
pub(crate) const CHART: &str = "\
defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012
defaultProviders:
  metrics:
  - prometheus
enablePrometheusMerge: true
rootNamespace: istio-system
trustDomain: cluster.local";

/// The same, wired.
pub(crate) const WIRED: &str = "\
defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012
  envoyAccessLogService:
    address: alscope-collector.alscope-system.svc.cluster.local:11800
defaultProviders:
  metrics:
  - prometheus
enablePrometheusMerge: true
rootNamespace: istio-system
trustDomain: cluster.local
enableEnvoyAccessLogService: true";

/// The same, with somebody else's collector.
pub(crate) const FOREIGN: &str = "\
# logs go to the audit team
enableEnvoyAccessLogService: true
defaultConfig:
  envoyAccessLogService: {address: \"audit.logs:9000\"} # theirs
  discoveryAddress: istiod.istio-system.svc:15012
trustDomain: cluster.local
";

/// The collector's address for the resource `alscope`.
pub(crate) const ADDRESS: &str = "alscope-collector.alscope-system.svc.cluster.local:11800";

/// The host of that address.
pub(crate) const HOST: &str = "alscope-collector.alscope-system.svc.cluster.local";

/// The finalizer, as users see it.
pub(crate) const FINALIZER: &str = "alscope.dev/restore-mesh";

/// The mesh's namespace.
pub(crate) const MESH: &str = "istio-system";

/// istiod's Deployment.
pub(crate) fn istiod(revision: &str, tag: &str, shared: Option<&str>) -> Value {
    let name = match revision {
        "default" => "istiod".to_owned(),
        revision => format!("istiod-{revision}"),
    };
    let mut env = vec![json!({"name": "REVISION", "value": revision})];
    env.extend(shared.map(|shared| json!({"name": "SHARED_MESH_CONFIG", "value": shared})));
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": MESH, "name": name, "labels": {"app": "istiod", "istio.io/rev": revision}},
        "spec": {"selector": {"matchLabels": {"app": "istiod"}}, "template": {"spec": {"containers": [
            {"name": "discovery", "image": format!("docker.io/istio/pilot:{tag}"), "env": env},
        ]}}},
    })
}

/// A ConfigMap of mesh config as Helm 4 leaves it.
pub(crate) fn config_map(name: &str, text: Option<&str>) -> Value {
    let mut data = json!({"meshNetworks": "networks: {}"});
    let mut fields = json!({"f:meshNetworks": {}});
    if let Some(text) = text {
        data["mesh"] = json!(text);
        fields["f:mesh"] = json!({});
    }
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "namespace": MESH, "name": name,
            "labels": {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "istiod"},
            "managedFields": [
                {"manager": "helm", "operation": "Apply", "apiVersion": "v1", "time": "2027-01-01T00:00:00Z",
                 "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields}},
            ],
        },
        "data": data,
    })
}

/// A pod of a Deployment in the namespace `shop`, whose proxy was started with this configuration.
pub(crate) fn pod(deployment: &str, proxy_config: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": "shop", "name": format!("{deployment}-5d8f-x"),
            "labels": {"app": deployment, "pod-template-hash": "5d8f"},
            "annotations": {"istio.io/rev": "default"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-5d8f"),
                "uid": "1", "controller": true}],
        },
        "spec": {"containers": [
            {"name": "app"},
            {"name": "istio-proxy", "env": [{"name": "PROXY_CONFIG", "value": proxy_config.to_string()}]},
        ]},
        "status": {"phase": "Running"},
    })
}

/// The configuration of a proxy that knows the collector.
pub(crate) fn knows_the_address() -> Value {
    json!({"envoyAccessLogService": {"address": ADDRESS}})
}

/// A Telemetry.
pub(crate) fn telemetry(namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "telemetry.istio.io/v1", "kind": "Telemetry",
        "metadata": {"namespace": namespace, "name": "logs"}, "spec": spec,
    })
}

/// A gateway's Deployment that istiod renders.
pub(crate) fn managed_gateway(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": name, "labels": {"gateway.istio.io/managed": "istio.io-gateway-controller"}},
        "spec": {"selector": {}, "template": {}},
    })
}

/// A resource of this name, whose uid is `uid-NAME` and which is as old as `created` says.
pub(crate) fn resource(name: &str, created: &str, spec: &Value) -> MeshObservability {
    let value = json!({
        "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": created, "generation": 1},
        "spec": spec,
    });
    serde_json::from_value(value).unwrap()
}
