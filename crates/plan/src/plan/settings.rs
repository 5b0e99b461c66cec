//! The settings that the operator was started with, as far as the plan depends on them.

use std::time::Duration;

/// The port of the collector for access logs (gRPC).
pub const GRPC_PORT: u16 = 11_800;
/// The port of the collector for probes, metrics and `/intake`.
pub const ADMIN_PORT: u16 = 9_090;
/// The port of the collector for the page and its API.
pub const WEB_PORT: u16 = 8_080;

/// The settings of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The namespace of the operator, in which the collectors run.
    pub namespace: String,
    /// The image of the collector, unless a resource names one.
    pub collector_image: String,
    /// The ServiceAccount of the collector, which the chart creates.
    pub collector_service_account: String,
    /// The DNS domain of the cluster.
    pub cluster_domain: String,
    /// The ConfigMap of the shared mesh config, if the operator has rights for it.
    pub shared_config_map: Option<String>,
    /// How long the collector's Service stays for the proxies of a restored mesh.
    pub drain_timeout: Duration,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self {
            namespace: "alscope-system".to_owned(),
            collector_image: "ghcr.io/alscope/collector:latest".to_owned(),
            collector_service_account: "alscope-collector".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            shared_config_map: None,
            drain_timeout: Duration::from_mins(1),
        }
    }
}

impl OperatorSettings {
    /// The name of the Service and Deployment of a resource's collector.
    pub fn collector_name(resource: &str) -> String {
        format!("{resource}-collector")
    }

    /// The names by which a resource's Service is reached from within the cluster, the shortest first.
    pub fn service_hosts(&self, resource: &str) -> Vec<String> {
        let name = Self::collector_name(resource);
        let in_namespace = format!("{name}.{}", self.namespace);
        let in_cluster = format!("{in_namespace}.svc");
        let full = format!("{in_cluster}.{}", self.cluster_domain);
        vec![name, in_namespace, in_cluster, full]
    }

    /// The address that the proxies of a resource's mesh send to, as `host:port`. The host is a full name, because each proxy looks it up
    /// in its own namespace.
    pub fn address(&self, resource: &str) -> String {
        format!(
            "{}.{}.svc.{}:{GRPC_PORT}",
            Self::collector_name(resource),
            self.namespace,
            self.cluster_domain
        )
    }
}
