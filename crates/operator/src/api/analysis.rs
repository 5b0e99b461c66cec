//! `spec.analysis`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the collector finds out who called whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The analyzer of HTTP entries, by `SkyWalking`'s name.
    #[serde(default)]
    pub http: AnalyzerName,
    /// The analyzer of TCP entries, by `SkyWalking`'s name.
    #[serde(default)]
    pub tcp: AnalyzerName,
}

/// An analyzer of this version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AnalyzerName {
    /// Addresses are looked up in what the Kubernetes API says about pods and services.
    #[default]
    #[serde(rename = "k8s-mesh")]
    K8sMesh,
}

impl AnalyzerName {
    /// The name in the collector's configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::K8sMesh => "k8s-mesh",
        }
    }
}
