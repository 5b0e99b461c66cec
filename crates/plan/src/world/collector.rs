//! A resource's collector as it runs: the objects that the operator made for it, and what its replicas have received.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use serde::Deserialize;
use serde_json::Value;

/// The kinds of object that the operator applies for a collector, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnedKind {
    /// The configuration file of the collector.
    ConfigMap,
    /// The stable address that proxies send to.
    Service,
    /// The pods of the collector.
    Deployment,
    /// Keeps replicas while nodes are drained.
    PodDisruptionBudget,
    /// Closes all ports of the pods but those that are served.
    NetworkPolicy,
    /// Decides how many replicas there are.
    HorizontalPodAutoscaler,
}

impl OwnedKind {
    /// All kinds, in the order in which they are applied.
    pub const ALL: [Self; 6] = [
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
        Self::HorizontalPodAutoscaler,
    ];

    /// The API group and version, as in `apps/v1`.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Service => "v1",
            Self::Deployment => "apps/v1",
            Self::PodDisruptionBudget => "policy/v1",
            Self::NetworkPolicy => "networking.k8s.io/v1",
            Self::HorizontalPodAutoscaler => "autoscaling/v2",
        }
    }

    /// The kind, as in `Deployment`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    /// The plural, as in the paths of the API.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::NetworkPolicy => "networkpolicies",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
        }
    }
}

/// An object of the operator's own namespace with the label of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedObject {
    /// The kind of the object.
    pub kind: OwnedKind,
    /// The name of the object.
    pub name: String,
    /// The whole object, as the API server has it.
    pub object: Value,
}

impl OwnedObject {
    /// The uid, by which a deletion means this object and no later one of the same name.
    pub fn uid(&self) -> &str {
        self.object
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether the object is being deleted.
    pub fn is_ending(&self) -> bool {
        self.object.pointer("/metadata/deletionTimestamp").is_some()
    }
}

/// What one replica has received (`GET /intake` on the admin port of the collector).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaStatus {
    /// Entries that came in since the replica started.
    pub entries_received: u64,
    /// Messages since then that could not be read.
    pub messages_rejected: u64,
    /// When the last entry came in.
    pub last_entry_at: Option<Timestamp>,
}

/// The collector of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collector {
    /// The objects that the operator applied for the resource.
    pub owned: Vec<OwnedObject>,
    /// How many pods the collector has, with those that are being deleted.
    pub pods: usize,
    /// How many endpoints of its Service are ready.
    pub ready_endpoints: usize,
    /// What each ready replica has received; `None` for one that does not answer.
    pub replica_statuses: Vec<Option<ReplicaStatus>>,
}

impl Collector {
    /// The Deployment of the collector.
    pub fn deployment(&self) -> Option<Deployment> {
        let owned = self
            .owned
            .iter()
            .find(|owned| owned.kind == OwnedKind::Deployment)?;
        serde_json::from_value(owned.object.clone()).ok()
    }

    /// The object of this kind and name.
    pub fn find(&self, kind: OwnedKind, name: &str) -> Option<&OwnedObject> {
        self.owned
            .iter()
            .find(|owned| owned.kind == kind && owned.name == name)
    }
}
