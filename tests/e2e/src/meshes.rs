//! Meshes of a test's own: a namespace with a ConfigMap of mesh config and an istiod that is scaled to 0.

use serde_json::{Value, json};

use crate::cluster::kubectl;
use crate::operator::{NAMESPACE, apply_object};

/// Mesh config as a stock chart writes it.
pub const STOCK: &str =
    "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: cluster.local\n";

/// istiod's Deployment for a revision.
pub fn istiod(name: &str, revision: &str) -> Value {
    deployment(
        name,
        &json!({"app": "istiod", "istio.io/rev": revision}),
        &json!([{"name": "REVISION", "value": revision}]),
    )
}

/// The same, of an istiod that merges a shared mesh config.
pub fn istiod_with_shared(config_map: &str) -> Value {
    deployment(
        "istiod",
        &json!({"app": "istiod", "istio.io/rev": "default"}),
        &json!([{"name": "REVISION", "value": "default"}, {"name": "SHARED_MESH_CONFIG", "value": config_map}]),
    )
}

/// A Deployment as istiod renders it for a waypoint.
pub fn waypoint() -> Value {
    deployment(
        "waypoint",
        &json!({"gateway.istio.io/managed": "istio.io-mesh-controller"}),
        &json!([]),
    )
}

fn deployment(name: &str, labels: &Value, environment: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"name": name}},
            "template": {
                "metadata": {"labels": {"name": name}},
                "spec": {"containers": [{
                    "name": "discovery", "image": "docker.io/istio/pilot:1", "env": environment,
                }]},
            },
        },
    })
}

/// A ConfigMap of mesh config.
pub fn config_map(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mesh": text}})
}

/// The chart's Role for another mesh's namespace. `create` can't be limited by name.
pub fn rights() -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "alscope-operator-mesh"},
            "rules": [
                {
                    "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["istio", "istio-canary", "istio-user"],
                    "verbs": ["list", "watch", "patch", "delete"],
                },
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "alscope-operator-mesh"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "alscope-operator-mesh"},
            "subjects": [{"kind": "ServiceAccount", "name": "alscope-operator", "namespace": NAMESPACE}],
        }),
    ]
}

/// Makes namespaces with these objects in them, all at once.
pub fn make(namespaces: &[(String, Vec<Value>)]) -> anyhow::Result<()> {
    let mut items = Vec::new();
    for (namespace, objects) in namespaces {
        items.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        for object in objects {
            let mut object = object.clone();
            object["metadata"]["namespace"] = json!(namespace);
            items.push(object);
        }
    }
    apply_object(&json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

/// Deletes namespaces, and waits until they are gone.
pub fn delete(namespaces: &[&str]) -> anyhow::Result<()> {
    let command = ["delete", "namespace", "--wait", "--timeout=120s"];
    kubectl(&[&command[..], namespaces].concat()).map(drop)
}
