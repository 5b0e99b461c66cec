//! The `status` of a resource: conditions, and the counts and samples behind them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of the mesh and its collector, as the operator has seen it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshObservabilityStatus {
    /// The generation of the resource that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, or in one word the reason why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The installation of the operator that this resource belongs to. Any other installation leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorStatus>,
    /// The conditions `Accepted`, `CollectorAvailable`, `MeshConfigured`, `ProxiesUpToDate`, `DataFlowing` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The collector that the operator runs for this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector: Option<CollectorStatus>,
    /// The mesh config that the operator writes for this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshStatus>,
    /// The proxies of the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<ProxiesStatus>,
    /// The restarts of workloads by the operator; absent unless `spec.mesh.restart` is `Rollout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<RestartsStatus>,
    /// The backup of the original mesh config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// Since when mesh config is restored and the collector's Service stays for proxies that still have its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_since: Option<Time>,
}

/// The installation of the operator that a resource belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorStatus {
    /// The namespace of the operator.
    pub namespace: String,
}

/// The state of a collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorStatus {
    /// The address that proxies send to, `host:port`.
    pub address: String,
    /// The image that the collector is to run.
    pub image: String,
    /// How many replicas the collector is to have.
    pub replicas: i32,
    /// How many replicas take entries.
    pub ready_replicas: i32,
}

/// The state of the mesh config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshStatus {
    /// The ConfigMaps of the revisions of the mesh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_maps: Vec<ConfigMapStatus>,
    /// The last reverts of wired mesh config; at most ten.
    #[serde(default, rename = "resets", skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Revert>,
    /// The writer that keeps reverting mesh config, and the generation for which the operator has given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contention: Option<Contention>,
}

/// The state of one ConfigMap of mesh config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapStatus {
    /// The revision of Istio.
    pub revision: String,
    /// The ConfigMap that is edited, as `namespace/name`.
    pub name: String,
    /// Whether the merged mesh config sends access logs to the collector.
    pub wired: bool,
}

/// A write of somebody else that removed the wiring from mesh config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// The ConfigMap, as `namespace/name`.
    pub config_map: String,
    /// The field manager that wrote the ConfigMap.
    pub manager: String,
    /// When the operator saw the revert.
    pub at: Time,
    /// The resourceVersion of the ConfigMap, so that one revert counts once.
    pub resource_version: String,
}

/// The operator has given up on mesh config, because another writer keeps reverting it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contention {
    /// The field manager that keeps reverting mesh config.
    pub manager: String,
    /// The generation of this resource for which the operator writes nothing more.
    pub generation: i64,
}

/// The proxies of the mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxiesStatus {
    /// Proxies that send to the collector, of all proxies: `12/40`.
    pub summary: String,
    /// How many proxies should send access logs.
    pub total: i64,
    /// How many proxies have the address or the provider of the collector, and nothing keeps them from it.
    pub up_to_date: i64,
    /// How many proxies get the address when their pods restart.
    pub pending_restart: i64,
    /// How many proxies do not report, because Telemetries decide about their access logs and not mesh config, or because a Sidecar
    /// resource keeps the collector's Service from them.
    #[serde(default)]
    pub silent: i64,
    /// Workloads with pods to restart, those with the most pods first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadStatus>,
    /// The Telemetries that decide instead of mesh config, those with the most proxies first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<SilencedStatus>,
    /// The Sidecar resources that keep the collector's Service from their proxies, those with the most proxies first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hiding_sidecars: Vec<HidingSidecarStatus>,
    /// Services whose calls waypoints do not report, because Telemetries decide about them and not mesh config; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced_services: Vec<SilencedServiceStatus>,
    /// Proxies that are not counted, by reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedStatus>,
}

/// A workload whose pods must restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Gateway` for one that istiod renders, or `Pod` for one without an owner.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// How many pods of the workload must restart.
    pub pending: i64,
    /// Those pods, by name; at most five.
    pub pods: Vec<String>,
    /// The command that restarts them.
    pub command: String,
}

/// How far the operator is with the restarts of workloads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartsStatus {
    /// How many workloads the operator has restarted for this wiring.
    pub restarted: i64,
    /// The workloads that restart now, as `namespace/name (kind)`; at most twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under_way: Vec<String>,
    /// How many workloads the operator has yet to restart.
    pub outstanding: i64,
    /// How many workloads can't be restarted now, or not by the operator.
    pub waiting: i64,
    /// Some of those, with the reason; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<WaitingWorkloadStatus>,
    /// Why the operator begins no restart until somebody has mended something; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// When the operator last began a restart. It is written before the restart is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_began: Option<Time>,
    /// When a restart was last seen to have ended. The pause begins then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ended: Option<Time>,
}

/// A workload that the operator does not restart now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingWorkloadStatus {
    /// The kind, as in `proxies.workloads`.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
    /// The command that restarts it in any case.
    pub command: String,
}

/// Proxies that do not report, because the same Telemetries decide about their access logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilencedStatus {
    /// The Telemetries with `accessLogging` that apply to these proxies, as `namespace/name`, the most general first.
    pub telemetries: Vec<String>,
    /// `incoming` or `outgoing`, if the Telemetries decide about such calls only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub calls: String,
    /// How many proxies these are.
    pub count: i64,
    /// Some of the pods, as `namespace/pod`; at most five.
    pub pods: Vec<String>,
}

/// A Sidecar resource whose `egress` leaves the collector's Service out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HidingSidecarStatus {
    /// The Sidecar, as `namespace/name`.
    pub sidecar: String,
    /// The item to add to the hosts of its `egress`.
    pub host: String,
    /// How many proxies it applies to.
    pub count: i64,
    /// Some of the pods, as `namespace/pod`; at most five.
    pub pods: Vec<String>,
}

/// A service whose calls waypoints do not report. They report the calls of other services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilencedServiceStatus {
    /// The kind: `Service` or `ServiceEntry`.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The Telemetries with `accessLogging` that apply to its calls, as `namespace/name`, the most general first.
    pub telemetries: Vec<String>,
}

/// Proxies that are not counted, for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedStatus {
    /// Why they are not counted, and what to do.
    pub reason: String,
    /// How many proxies these are.
    pub count: i64,
    /// One of the pods, as `namespace/pod`.
    pub example: String,
}

/// The backup of the original mesh config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// The ConfigMap with the backup, as `namespace/name`.
    pub config_map: String,
    /// The address that the operator wrote into mesh config, so that it can be removed even if the backup is lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}
