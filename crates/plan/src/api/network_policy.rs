//! `spec.collector.networkPolicy`.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What Kubernetes demands of a source, here already when the resource is applied.
const ONE_KIND: &str =
    "self.all(peer, has(peer.ipBlock) != (has(peer.podSelector) || has(peer.namespaceSelector)))";
const ONE_KIND_MESSAGE: &str = "each source has either an ipBlock or selectors; write namespaceSelector: {} for every namespace, \
                                and leave the list empty for everybody";

/// Who reaches the collector's pods. It counts in clusters whose network enforces policies.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// Whether the operator makes a `NetworkPolicy`. It lets in who is listed here, and whoever any other policy of the namespace
    /// lets in: policies only ever add up. Without any, everybody reaches every port of the pods.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Who may send access logs, to port 11800: each is what a `NetworkPolicy` has in its `from`. Empty means everybody, because
    /// any namespace may have proxies. If you list the namespaces of yours, list also what no selector matches, by `ipBlock`:
    /// gateways with `hostNetwork` come with a node's address, virtual machines and other clusters with their own.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(ONE_KIND).message(ONE_KIND_MESSAGE))]
    pub proxies: Vec<NetworkPolicyPeer>,
    /// Who may read the metrics, on port 9090, in the same way; without a namespaceSelector, a podSelector is of the operator's
    /// own namespace. Empty means everybody. The operator itself is always let in, and so are the kubelet's probes: networks do
    /// not keep a node from its own pods.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(ONE_KIND).message(ONE_KIND_MESSAGE))]
    pub prometheus: Vec<NetworkPolicyPeer>,
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
        }
    }
}
