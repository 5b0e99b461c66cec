//! Labels of pods to which Istio and Kubernetes give a meaning.

/// The label of Istio's canonical service.
pub const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
/// The label of Istio's canonical revision.
pub const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
/// Kubernetes' recommended label of an application's name.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' recommended label of an application's version.
pub const APP_VERSION: &str = "app.kubernetes.io/version";
/// The label of the Istio network that a pod is in.
pub const NETWORK: &str = "topology.istio.io/network";
/// The label that overrides the name of the workload.
pub const WORKLOAD_NAME: &str = "service.istio.io/workload-name";
/// The hash that a Deployment gives the pods of a `ReplicaSet`, whose name ends in it.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// The hash that an Argo Rollout gives the pods of a `ReplicaSet`, whose name ends in it.
pub const ROLLOUTS_POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// The name of the `DeploymentConfig` (`OpenShift`) of a pod.
pub const DEPLOYMENT_CONFIG: &str = "deploymentconfig";
/// The controller for which istiod created the pods of a Gateway.
pub const GATEWAY_MANAGED: &str = "gateway.istio.io/managed";
