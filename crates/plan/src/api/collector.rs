//! The part `spec.collector` of a resource.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network_policy::NetworkPolicySpec;

/// How the operator runs the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorSpec {
    /// The image of the collector. Empty means the one that belongs to the operator, and is upgraded with it.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub image: String,
    /// How many replicas share the streams of the proxies.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Requests and limits of the collector's container. If neither the request nor the limit of `cpu` or `memory` is given, the
    /// operator requests `100m` and `256Mi`, which is enough for some hundred proxies; `"0"` requests nothing.
    #[serde(default)]
    pub resources: ResourceRequirements,
    /// Where the collector's pods may run.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// Who may connect to the collector's pods.
    #[serde(default)]
    pub network_policy: NetworkPolicySpec,
}

const fn one() -> i32 {
    1
}

impl Default for CollectorSpec {
    fn default() -> Self {
        Self {
            image: String::new(),
            replicas: one(),
            resources: ResourceRequirements::default(),
            scheduling: Scheduling::default(),
            network_policy: NetworkPolicySpec::default(),
        }
    }
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
