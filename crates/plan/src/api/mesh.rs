//! The part `spec.mesh` of a resource.

use jiff::SignedDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pause of a budget that does not say it.
const DEFAULT_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Which mesh to wire, and what the operator may do to it.
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
    /// The revisions of Istio to wire. Empty means the only revision of the mesh. If the mesh has several, list each.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    #[x_kube(validation = Rule::new("self.all(revision, self.exists_one(other, other == revision))").message(
        "spec.mesh.revisions lists a revision twice; list each once"
    ))]
    pub revisions: Vec<String>,
    /// How Istio is told to send access logs: `MeshConfig` sets `enableEnvoyAccessLogService` and the address of the collector
    /// in mesh config, which each proxy learns when its pod restarts. `TelemetryProvider` makes the collector a logging provider of the
    /// mesh, which needs no restart and also tells the status of gRPC calls.
    #[serde(default)]
    pub wiring: Wiring,
    /// Which ConfigMap of mesh config is edited. `Auto` takes the one that istiod names in `SHARED_MESH_CONFIG` if the
    /// chart names the same, else that of the revision. `Manual` writes nothing and shows what to commit.
    #[serde(default)]
    pub config_source: ConfigSource,
    /// What to do when mesh config already sends access logs somewhere else: `Refuse` writes nothing, `Overwrite` replaces
    /// that address, and restores it when this resource is deleted.
    #[serde(default)]
    pub conflict_policy: ConflictPolicy,
    /// What happens to proxies that started before the wiring: `Report` lists them with the command that restarts them,
    /// `Rollout` restarts their workloads one after the other, as `kubectl rollout restart` does. `Rollout` needs the chart's
    /// value `mesh.restartWorkloads`.
    #[serde(default)]
    pub restart: Restart,
    /// How fast `restart: Rollout` goes.
    #[serde(default)]
    pub restart_budget: RestartBudget,
    /// Whether the mesh may be wired although istiod then renders its managed gateways and waypoints again, which rolls their
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
            restart_budget: RestartBudget::default(),
            allow_gateway_rollout: false,
        }
    }
}

/// How Istio is told to send access logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Wiring {
    /// By `enableEnvoyAccessLogService` and `defaultConfig.envoyAccessLogService` of mesh config.
    #[default]
    MeshConfig,
    /// By a provider in `extensionProviders` and `defaultProviders.accessLogging` of mesh config.
    TelemetryProvider,
}

/// Which ConfigMap of mesh config is edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigSource {
    /// The shared ConfigMap if istiod and the chart name it, else that of the revision.
    #[default]
    Auto,
    /// The ConfigMap of the revision: `istio` or `istio-<revision>`.
    ConfigMap,
    /// The ConfigMap that istiod names in `SHARED_MESH_CONFIG`.
    SharedConfigMap,
    /// No ConfigMap: a person or a pipeline sets what the condition shows.
    Manual,
}

/// What to do about an address that somebody else has set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConflictPolicy {
    /// Leave the address, and write nothing.
    #[default]
    Refuse,
    /// Replace the address, and restore it when the resource is deleted.
    Overwrite,
}

/// What happens to proxies that started before the wiring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// List them, with the command that restarts them.
    #[default]
    Report,
    /// Restart their workloads, within `restartBudget`.
    Rollout,
}

/// How many workloads are restarted at once, and how long the operator waits between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartBudget {
    /// How many workloads of the mesh restart at once, each in a namespace of its own: in one namespace never two.
    #[serde(default = "one_workload")]
    #[schemars(range(min = 1, max = 20))]
    pub workloads: i32,
    /// How long after the end of a restart the next one begins, such as `30s` or `1m30s`.
    #[serde(default = "half_a_minute")]
    #[schemars(
        length(min = 2, max = 16),
        regex(pattern = r"^([0-9]{1,3}h)?([0-9]{1,4}m)?([0-9]{1,5}s)?$")
    )]
    pub pause: String,
}

const fn one_workload() -> i32 {
    1
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self {
            workloads: one_workload(),
            pause: half_a_minute(),
        }
    }
}

impl RestartBudget {
    /// The pause; that of the default for a text that the definition of the resource does not let in.
    pub fn pause(&self) -> SignedDuration {
        let pause = self.pause.parse().ok();
        pause.unwrap_or(DEFAULT_PAUSE)
    }
}
