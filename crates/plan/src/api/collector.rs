//! The part `spec.collector` of a resource.

use k8s_openapi::api::core::v1::ResourceRequirements;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::number;
use super::autoscaling::AutoscalingSpec;
use super::network_policy::NetworkPolicySpec;
use super::pods::{PodsSpec, Scheduling};
use super::runtime::{EndingSpec, LimitsSpec, LogLevel, WebSpec};
use super::service::ServiceSpec;

/// How the operator runs the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.web.expose || !self.networkPolicy.enabled || self.networkPolicy.page.size() > 0",
    "message": "the page has no password; list in networkPolicy.page who may open it, or write namespaceSelector: {} there for every namespace",
}]))]
pub struct CollectorSpec {
    /// The image of the collector, with a tag or a digest (`name@sha256:…`). Empty means the one that belongs to the operator, and is
    /// upgraded with it.
    #[schemars(length(max = 512))]
    pub image: String,
    /// How many replicas share the streams of the proxies. It has no effect beside `autoscaling`.
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Lets Kubernetes decide how many replicas there are, by the CPU time that they use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingSpec>,
    /// Requests and limits of the collector's container. If neither the request nor the limit of `cpu` or `memory` is given, the
    /// operator requests `100m` and `256Mi`, which is enough for some hundred proxies; `"0"` requests nothing.
    pub resources: ResourceRequirements,
    /// Where the collector's pods may run.
    pub scheduling: Scheduling,
    /// What is added to the collector's pods.
    pub pods: PodsSpec,
    /// The collector's Service, whose address the proxies get.
    pub service: ServiceSpec,
    /// Who may connect to the collector's pods.
    pub network_policy: NetworkPolicySpec,
    /// Whether the collector takes the metrics that Envoys report about themselves (Envoy's Metrics Service) and shows them at `/metrics`.
    pub accept_metrics_service: bool,
    /// The number of threads that receive entries. Without a value there is one for each core of the node.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<i64>,
    /// Upper bounds for what proxies send, and for what is kept of it.
    pub limits: LimitsSpec,
    /// Where the page with who calls whom can be opened.
    pub web: WebSpec,
    /// How long each stage of a collector's shutdown may take.
    pub ending: EndingSpec,
    /// What the collector logs about itself.
    pub log_level: LogLevel,
}

impl Default for CollectorSpec {
    fn default() -> Self {
        let config = alscope_collector_config::Config::default();
        Self {
            image: String::new(),
            replicas: 1,
            autoscaling: None,
            resources: ResourceRequirements::default(),
            scheduling: Scheduling::default(),
            pods: PodsSpec::default(),
            service: ServiceSpec::default(),
            network_policy: NetworkPolicySpec::default(),
            accept_metrics_service: config.accept_metrics_service,
            workers: config.workers.map(|workers| number(workers.get())),
            limits: LimitsSpec::default(),
            web: WebSpec::default(),
            ending: EndingSpec::default(),
            log_level: LogLevel::default(),
        }
    }
}
