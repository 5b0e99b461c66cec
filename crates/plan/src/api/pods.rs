//! The part `spec.collector.pods` of a resource: what a user adds to the collector's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVarSource, LocalObjectReference, PodSecurityContext, SecurityContext, Toleration,
    TopologySpreadConstraint, Volume, VolumeMount,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is added to the collector's pods. Each field is the one of the same name of a pod or its container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodsSpec {
    /// Labels of the pods, beside the operator's own.
    #[schemars(extend("maxProperties" = 64, "x-kubernetes-validations" = [{
        "rule": "self.all(key, !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', \
                 'app.kubernetes.io/part-of', 'app.kubernetes.io/managed-by', 'alscope.dev/owner-uid', 'sidecar.istio.io/inject', \
                 'istio.io/dataplane-mode']))",
        "message": "the operator sets one of these labels itself; leave it out",
    }]))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
    /// Environment variables of the collector, for instance `HTTPS_PROXY`. Its settings are fields of this resource.
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvironmentVariable>,
    /// Volumes of the pods.
    #[schemars(length(max = 32), extend(
        "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"],
        "x-kubernetes-validations" = [{
            "rule": "self.all(volume, volume.name != 'config')",
            "message": "the volume config is the operator's; give the volume another name",
        }],
    ))]
    pub volumes: Vec<Volume>,
    /// Where the collector's container finds them.
    #[schemars(length(max = 32), extend(
        "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["mountPath"],
        "x-kubernetes-validations" = [{
            "rule": "self.all(mount, !mount.mountPath.startsWith('/etc/alscope'))",
            "message": "the configuration stands in /etc/alscope; mount the volume elsewhere",
        }],
    ))]
    pub volume_mounts: Vec<VolumeMount>,
    /// The security context of the pods. A field that is given replaces the operator's, which makes the pods fit for the Pod Security
    /// Standard `restricted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurityContext>,
    /// The security context of the collector's container, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_security_context: Option<SecurityContext>,
    /// The `ServiceAccount` of the pods. Empty means the one that the chart creates. Another one needs the same rights to read, unless
    /// no analyzer looks addresses up.
    #[schemars(length(max = 253))]
    pub service_account_name: String,
    /// When the image is pulled. By default it is `Always` for the tag `latest`, else `IfNotPresent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// The Secrets with which the image is pulled.
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,
}

/// An environment variable of the collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// The name. Names that would change the collector's settings are refused.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_.-]*$"), extend("x-kubernetes-validations" = [{
        "rule": "!self.startsWith('SW_') && !(self in ['K8S_SERVICE_NAME_RULE', 'ISTIO_SERVICE_NAME_RULE', 'RUST_LOG'])",
        "message": "this variable would change a setting of the collector; set the field of spec.analysis or spec.collector instead",
    }]))]
    pub name: String,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from, instead of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// Whenever a pod starts.
    Always,
    /// If the node does not have it.
    IfNotPresent,
    /// Not at all: the node has it.
    Never,
}

/// Where the collector's pods may run. Each field is the one of the same name of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Rules about the nodes, and about other pods on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over zones and nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// The name of the priority class of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}
