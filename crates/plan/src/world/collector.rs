//! A resource's collector as it runs: the objects that the operator made for it, and what its replicas have received.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use serde::Deserialize;
use serde_json::Value;

/// The kinds of object that the operator makes, in the order in which it makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnedKind {
    /// The collector's configuration.
    ConfigMap,
    /// The address that proxies send to.
    Service,
    /// The collector.
    Deployment,
    /// Keeps replicas during a node's drain.
    PodDisruptionBudget,
    /// Lets nobody in but to the ports that are served.
    NetworkPolicy,
}

impl OwnedKind {
    /// All kinds, in order.
    pub const ALL: [Self; 5] = [
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
    ];

    /// The API's group and version.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Service => "v1",
            Self::Deployment => "apps/v1",
            Self::PodDisruptionBudget => "policy/v1",
            Self::NetworkPolicy => "networking.k8s.io/v1",
        }
    }

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::NetworkPolicy => "NetworkPolicy",
        }
    }

    /// The plural in the API's paths.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::NetworkPolicy => "networkpolicies",
        }
    }
}

/// An object of the operator's own namespace that carries a resource's label.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedObject {
    /// Its kind.
    pub kind: OwnedKind,
    /// Its name.
    pub name: String,
    /// The whole object.
    pub object: Value,
}

impl OwnedObject {
    /// Its uid, by which a deletion means this object and no later one of its name.
    pub fn uid(&self) -> &str {
        self.object
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_ending(&self) -> bool {
        self.object.pointer("/metadata/deletionTimestamp").is_some()
    }
}

/// What one replica says about its intake (`GET /intake` on the collector's admin port).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaStatus {
    /// Entries since it started.
    pub entries_received: u64,
    /// Messages since it started that could not be read.
    pub messages_rejected: u64,
    /// When the last entry came.
    pub last_entry_at: Option<Timestamp>,
}

/// A resource's collector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collector {
    /// What the operator made for the resource.
    pub owned: Vec<OwnedObject>,
    /// Pods of the collector, also those that are ending.
    pub pods: usize,
    /// Endpoints of its Service that are ready.
    pub ready_endpoints: usize,
    /// What each ready replica says, as far as it answered.
    pub replica_statuses: Vec<Option<ReplicaStatus>>,
}

impl Collector {
    /// The collector's Deployment.
    pub fn deployment(&self) -> Option<Deployment> {
        let owned = self
            .owned
            .iter()
            .find(|owned| owned.kind == OwnedKind::Deployment)?;
        serde_json::from_value(owned.object.clone()).ok()
    }

    /// The object of a kind and name.
    pub fn find(&self, kind: OwnedKind, name: &str) -> Option<&OwnedObject> {
        self.owned
            .iter()
            .find(|owned| owned.kind == kind && owned.name == name)
    }
}
