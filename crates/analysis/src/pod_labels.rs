//! Labels of pods that Istio and Kubernetes give a meaning.

/// The label of Istio's canonical service.
pub const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
/// The label of Istio's canonical revision.
pub const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
/// Kubernetes' recommended label of an application's name.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' recommended label of an application's version.
pub const APP_VERSION: &str = "app.kubernetes.io/version";
/// The label of the network that a pod is in.
pub const NETWORK: &str = "topology.istio.io/network";
/// The label that overrides the name of the workload.
pub const WORKLOAD_NAME: &str = "service.istio.io/workload-name";
/// The label of the pods of a `ReplicaSet` of a Deployment: the last part of its name.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// The same of a Rollout of Argo.
pub const ROLLOUTS_POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// The label, in `OpenShift`, of the pods of a `DeploymentConfig`.
pub const DEPLOYMENT_CONFIG: &str = "deploymentconfig";
/// The label of pods that istiod made for a Gateway.
pub const GATEWAY_MANAGED: &str = "gateway.istio.io/managed";
