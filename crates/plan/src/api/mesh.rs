//! `spec.mesh`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which mesh, and how far the operator may go with it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshSpec {
    /// The namespace that istiod runs in. It can't be changed: delete the resource, which restores the mesh, and apply a new one.
    #[serde(default = "istio_system")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "spec.mesh.namespace can't be changed; delete this resource, which restores its mesh, and apply a new one"
    ))]
    pub namespace: String,
    /// Istio's revisions to wire. Empty means the only one there is; with several, each must be listed.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    #[x_kube(validation = Rule::new("self.all(revision, self.exists_one(other, other == revision))").message(
        "spec.mesh.revisions lists a revision twice; list each once"
    ))]
    pub revisions: Vec<String>,
    /// By what Istio is told to send access logs: `MeshConfig` sets `enableEnvoyAccessLogService` and the collector's address
    /// in mesh config.
    #[serde(default)]
    pub wiring: Wiring,
    /// Which text of mesh config is edited. `Auto` takes the ConfigMap that istiod names in `SHARED_MESH_CONFIG` when the
    /// chart names the same one, else the ConfigMap of the revision. `Manual` writes nothing and shows what to commit.
    #[serde(default)]
    pub config_source: ConfigSource,
    /// What to do when mesh config already sends access logs somewhere else: `Refuse` writes nothing, `Overwrite` replaces
    /// that address, and restores it in the end.
    #[serde(default)]
    pub conflict_policy: ConflictPolicy,
    /// What becomes of proxies that started before the wiring: `Report` lists them with the command that restarts them.
    #[serde(default)]
    pub restart: Restart,
    /// Whether the mesh may be wired although istiod then renders its managed gateways and waypoints anew, which rolls their
    /// pods once.
    #[serde(default)]
    pub allow_gateway_rollout: bool,
}

fn istio_system() -> String {
    "istio-system".to_owned()
}

impl Default for MeshSpec {
    fn default() -> Self {
        Self {
            namespace: istio_system(),
            revisions: Vec::new(),
            wiring: Wiring::default(),
            config_source: ConfigSource::default(),
            conflict_policy: ConflictPolicy::default(),
            restart: Restart::default(),
            allow_gateway_rollout: false,
        }
    }
}

/// By what Istio is told to send access logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Wiring {
    /// Mesh config's `enableEnvoyAccessLogService` and `defaultConfig.envoyAccessLogService`.
    #[default]
    MeshConfig,
}

/// Which text of mesh config is edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigSource {
    /// The shared one where istiod and the chart name it, else the revision's.
    #[default]
    Auto,
    /// The revision's ConfigMap `istio` or `istio-<revision>`.
    ConfigMap,
    /// The ConfigMap that istiod names in `SHARED_MESH_CONFIG`.
    SharedConfigMap,
    /// None: a person or a pipeline sets what the condition shows.
    Manual,
}

/// What to do about an address that is somebody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConflictPolicy {
    /// Write nothing.
    #[default]
    Refuse,
    /// Replace it, and restore it in the end.
    Overwrite,
}

/// What becomes of proxies that started before the wiring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// They are listed, with the command that restarts them.
    #[default]
    Report,
}
