//! The part `spec.collector.service` of a resource.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The collector's Service, whose address the proxies get.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// The type. Proxies of the cluster need no more than `ClusterIP`.
    #[serde(rename = "type")]
    pub type_: ServiceType,
    /// Annotations, for instance for a cloud's load balancer.
    #[schemars(extend("maxProperties" = 64, "x-kubernetes-validations" = [{
        "rule": "!('alscope.dev/applied' in self)",
        "message": "the operator sets the annotation alscope.dev/applied itself; leave it out",
    }]))]
    pub annotations: BTreeMap<String, String>,
    /// The IP families, the first one first. Empty means the cluster's. Kubernetes does not let the first be changed.
    #[schemars(length(max = 2), extend("x-kubernetes-validations" = [{
        "rule": "self.all(family, self.exists_one(other, other == family))",
        "message": "an IP family is listed twice; list it once",
    }]))]
    pub ip_families: Vec<IpFamily>,
    /// How many IP families the Service has. By default one, the cluster's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
}

/// The type of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// An address within the cluster.
    #[default]
    ClusterIP,
    /// A port of every node, too.
    NodePort,
    /// An address outside the cluster, too.
    LoadBalancer,
}

/// A family of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IpFamily {
    /// IP version 4.
    IPv4,
    /// IP version 6.
    IPv6,
}

/// How many IP families a Service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Two, if the cluster has both.
    PreferDualStack,
    /// Two; refused by a cluster that has one.
    RequireDualStack,
}
