//! The part `spec.analysis` of a resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the collector finds out who called whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The analyzers of HTTP entries, by their names in `SkyWalking`. What an earlier one finds is final, and a later one adds what is missing.
    #[serde(default)]
    pub http: Analyzers,
    /// The analyzers of TCP entries, in the same way.
    #[serde(default)]
    pub tcp: Analyzers,
}

impl AnalysisSpec {
    /// Whether the collector needs the Kubernetes API.
    pub const fn looks_up(&self) -> bool {
        self.http.look_up() || self.tcp.look_up()
    }
}

/// The analyzers of an entry, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Analyzers {
    /// Looks addresses up in what the Kubernetes API says about pods and services.
    #[default]
    #[serde(rename = "k8s-mesh")]
    K8sMesh,
    /// Reads what the proxies say about themselves, which Istio's metadata exchange puts into the entries.
    #[serde(rename = "mx-mesh")]
    MxMesh,
    /// Looks addresses up first, then reads what the proxies say.
    #[serde(rename = "k8s-mesh,mx-mesh")]
    K8sMeshThenMxMesh,
    /// Reads what the proxies say first, then looks addresses up.
    #[serde(rename = "mx-mesh,k8s-mesh")]
    MxMeshThenK8sMesh,
    /// Looks addresses up, and prints the entries of failed calls as JSON lines.
    #[serde(rename = "k8s-mesh,persistence")]
    K8sMeshKept,
    /// Reads what the proxies say, and prints the entries of failed calls.
    #[serde(rename = "mx-mesh,persistence")]
    MxMeshKept,
    /// Looks addresses up first, and prints the entries of failed calls.
    #[serde(rename = "k8s-mesh,mx-mesh,persistence")]
    K8sMeshThenMxMeshKept,
    /// Reads what the proxies say first, and prints the entries of failed calls.
    #[serde(rename = "mx-mesh,k8s-mesh,persistence")]
    MxMeshThenK8sMeshKept,
}

impl Analyzers {
    /// All analyzers that a resource can name.
    pub const ALL: [Self; 8] = [
        Self::K8sMesh,
        Self::MxMesh,
        Self::K8sMeshThenMxMesh,
        Self::MxMeshThenK8sMesh,
        Self::K8sMeshKept,
        Self::MxMeshKept,
        Self::K8sMeshThenMxMeshKept,
        Self::MxMeshThenK8sMeshKept,
    ];

    /// Whether they look addresses up, and so need the Kubernetes API.
    pub const fn look_up(self) -> bool {
        match self {
            Self::MxMesh | Self::MxMeshKept => false,
            Self::K8sMesh
            | Self::K8sMeshThenMxMesh
            | Self::MxMeshThenK8sMesh
            | Self::K8sMeshKept
            | Self::K8sMeshThenMxMeshKept
            | Self::MxMeshThenK8sMeshKept => true,
        }
    }
}
