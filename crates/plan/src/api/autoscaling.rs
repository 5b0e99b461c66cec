//! The part `spec.collector.autoscaling` of a resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many replicas Kubernetes' `HorizontalPodAutoscaler` runs. It needs the cluster's metrics server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.minReplicas <= self.maxReplicas",
    "message": "minReplicas is more than maxReplicas; raise maxReplicas",
}]))]
pub struct AutoscalingSpec {
    /// The least number of replicas.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: i32,
    /// The largest number of replicas.
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: i32,
    /// The CPU time that the replicas are to use on average, in percent of what they request.
    #[serde(default = "eighty", rename = "targetCPUUtilization")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization: i32,
}

const fn one() -> i32 {
    1
}

const fn eighty() -> i32 {
    80
}
