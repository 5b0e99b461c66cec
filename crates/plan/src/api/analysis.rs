//! `spec.analysis`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the collector finds out who called whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The analyzers of HTTP entries, by `SkyWalking`'s names: what an earlier one knows is final, a later one fills what is missing.
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

/// The analyzers of this version, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Analyzers {
    /// Addresses are looked up in what the Kubernetes API says about pods and services.
    #[default]
    #[serde(rename = "k8s-mesh")]
    K8sMesh,
    /// The proxies' own descriptions, which Istio's metadata exchange puts into the entries.
    #[serde(rename = "mx-mesh")]
    MxMesh,
    /// Addresses first.
    #[serde(rename = "k8s-mesh,mx-mesh")]
    K8sMeshThenMxMesh,
    /// The proxies' own descriptions first.
    #[serde(rename = "mx-mesh,k8s-mesh")]
    MxMeshThenK8sMesh,
    /// Addresses; the entries of failed calls are printed as JSON lines.
    #[serde(rename = "k8s-mesh,persistence")]
    K8sMeshKept,
    /// The proxies' own descriptions; the same is printed.
    #[serde(rename = "mx-mesh,persistence")]
    MxMeshKept,
    /// Addresses first; the same is printed.
    #[serde(rename = "k8s-mesh,mx-mesh,persistence")]
    K8sMeshThenMxMeshKept,
    /// The proxies' own descriptions first; the same is printed.
    #[serde(rename = "mx-mesh,k8s-mesh,persistence")]
    MxMeshThenK8sMeshKept,
}

impl Analyzers {
    /// All that there are.
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

    /// Whether one of them looks addresses up, and so needs the Kubernetes API.
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
