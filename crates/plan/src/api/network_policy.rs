//! The part `spec.collector.networkPolicy` of a resource.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The rule of Kubernetes for a source, which is checked when the resource is applied.
const ONE_KIND: &str =
    "self.all(peer, has(peer.ipBlock) != (has(peer.podSelector) || has(peer.namespaceSelector)))";
const ONE_KIND_MESSAGE: &str = "each source has either an ipBlock or selectors; write namespaceSelector: {} for every namespace, \
                                and leave the list empty for everybody";

/// Who may connect to the collector's pods. It has an effect in clusters whose network enforces policies.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// Whether the operator creates a `NetworkPolicy`. It admits the sources that are listed here. Other policies of the namespace can
    /// only admit more. Without any policy, everybody can connect to every port of the pods.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Who may send access logs, to port 11800: each item is a peer as in `from` of a `NetworkPolicy`. Empty means everybody, because
    /// any namespace may have proxies. If you list your namespaces, also list by `ipBlock` what no selector matches:
    /// gateways with `hostNetwork`, which have the address of a node, virtual machines, and other clusters.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(ONE_KIND).message(ONE_KIND_MESSAGE))]
    pub proxies: Vec<NetworkPolicyPeer>,
    /// Who may read the metrics, on port 9090, in the same way. A podSelector without a namespaceSelector is for the operator's
    /// own namespace. Empty means everybody. The operator is always admitted, and so are the probes of the kubelet, because networks
    /// admit a node to its own pods.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(ONE_KIND).message(ONE_KIND_MESSAGE))]
    pub prometheus: Vec<NetworkPolicyPeer>,
    /// Who may open the page, on port 8080, in the same way. It has an effect only if `web.expose` is true; without it nobody can.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(ONE_KIND).message(ONE_KIND_MESSAGE))]
    pub page: Vec<NetworkPolicyPeer>,
}

const fn yes() -> bool {
    true
}

impl Default for NetworkPolicySpec {
    fn default() -> Self {
        Self {
            enabled: yes(),
            proxies: Vec::new(),
            prometheus: Vec::new(),
            page: Vec::new(),
        }
    }
}
