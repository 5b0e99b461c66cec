//! `status`: conditions, and the counts and bounded samples behind them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshObservabilityStatus {
    /// The generation of the resource that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// In one word: `Ready`, or the reason why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The installation that this resource belongs to. Any other one leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorStatus>,
    /// `Accepted`, `CollectorAvailable`, `MeshConfigured`, `ProxiesUpToDate`, `DataFlowing` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector: Option<CollectorStatus>,
    /// The mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshStatus>,
    /// The mesh's proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<ProxiesStatus>,
    /// Where the mesh config from before the wiring is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// Since when the mesh is restored and the collector's Service waits for proxies that still know its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_since: Option<Time>,
}

/// The installation that a resource belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorStatus {
    /// The namespace of its operator.
    pub namespace: String,
}

/// The collector as it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorStatus {
    /// The address that proxies send to, `host:port`.
    pub address: String,
    /// The image that is wanted.
    pub image: String,
    /// Replicas that are wanted.
    pub replicas: i32,
    /// Replicas that take entries.
    pub ready_replicas: i32,
}

/// The mesh as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshStatus {
    /// The ConfigMaps of the mesh's revisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_maps: Vec<ConfigMapStatus>,
    /// The last times at which somebody set the text back after it was wired; at most ten.
    #[serde(default, rename = "resets", skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Revert>,
    /// Who keeps setting it back, and for which generation the operator has given in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contention: Option<Contention>,
}

/// One ConfigMap of mesh config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapStatus {
    /// Istio's revision.
    pub revision: String,
    /// The ConfigMap that is edited.
    pub name: String,
    /// Whether the merged mesh config sends access logs to the collector.
    pub wired: bool,
}

/// Somebody set a wired text back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// The ConfigMap.
    pub config_map: String,
    /// The field manager that wrote it.
    pub manager: String,
    /// When.
    pub at: Time,
    /// The text's resourceVersion, by which one reset is counted once.
    pub resource_version: String,
}

/// The operator has given in to another writer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contention {
    /// The field manager that keeps setting the text back.
    pub manager: String,
    /// The resource's generation for which nothing more is written.
    pub generation: i64,
}

/// The proxies of the mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxiesStatus {
    /// Proxies that know the collector's address, of all: `12/40`.
    pub summary: String,
    /// All proxies that the wiring is for.
    pub total: i64,
    /// Proxies that know the collector's address.
    pub up_to_date: i64,
    /// Proxies that learn it when their pod is restarted.
    pub pending_restart: i64,
    /// Proxies that do not report, because Telemetries decide about their access logs and not mesh config.
    #[serde(default)]
    pub silent: i64,
    /// Workloads with pods to restart, those with the most pods first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadStatus>,
    /// The Telemetries that decide instead of mesh config, those with the most proxies first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<SilencedStatus>,
    /// Services whose calls waypoints do not report, because Telemetries decide about them and not mesh config; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced_services: Vec<SilencedServiceStatus>,
    /// Proxies that are left out, by reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedStatus>,
}

/// A workload whose pods must restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Gateway` for one that istiod renders, or `Pod` for one without an owner.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many of its pods must restart.
    pub pending: i64,
    /// Those pods, by name; at most five.
    pub pods: Vec<String>,
    /// The command that restarts them.
    pub command: String,
}

/// Proxies that do not report, because the same Telemetries decide about their access logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilencedStatus {
    /// The Telemetries with `accessLogging` that are for them, as `namespace/name`, the most general first.
    pub telemetries: Vec<String>,
    /// `incoming` or `outgoing` where they decide about such calls only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub calls: String,
    /// How many.
    pub count: i64,
    /// Some of them, `namespace/pod`; at most five.
    pub pods: Vec<String>,
}

/// A service whose calls waypoints do not report. What else they serve, they report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilencedServiceStatus {
    /// `Service` or `ServiceEntry`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The Telemetries with `accessLogging` that are for its calls, as `namespace/name`, the most general first.
    pub telemetries: Vec<String>,
}

/// Proxies that are left out for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedStatus {
    /// Why, and what to do.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// One of them, `namespace/pod`.
    pub example: String,
}

/// Where the mesh config from before the wiring is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// The ConfigMap in the operator's namespace, as `namespace/name`.
    pub config_map: String,
    /// The address that mesh config was given, so that it can be taken out without the backup, too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}
