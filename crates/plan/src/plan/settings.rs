//! What the operator was started with, as far as it decides something.

use std::time::Duration;

/// The collector's gRPC port.
pub const GRPC_PORT: u16 = 11_800;
/// The collector's admin port.
pub const ADMIN_PORT: u16 = 9_090;

/// The operator's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The operator's namespace, in which the collector runs.
    pub namespace: String,
    /// The collector's image, unless a resource names one.
    pub collector_image: String,
    /// The collector's ServiceAccount, which the chart ships.
    pub collector_service_account: String,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// The shared mesh config's ConfigMap that the chart gave rights for.
    pub shared_config_map: Option<String>,
    /// How long a restored mesh's proxies may still use the collector's Service.
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
    /// The name of a resource's Service and Deployment.
    pub fn collector_name(resource: &str) -> String {
        format!("{resource}-collector")
    }

    /// The address that the proxies of a resource's mesh send to: a full name, because it is looked up in each proxy's pod.
    pub fn address(&self, resource: &str) -> String {
        format!(
            "{}.{}.svc.{}:{GRPC_PORT}",
            Self::collector_name(resource),
            self.namespace,
            self.cluster_domain
        )
    }
}
