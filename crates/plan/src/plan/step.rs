//! The writes of the operator. Each step is one request, guarded so that it changes only what was planned.

use jiff::Timestamp;
use serde_json::Value;

use crate::world::{Backup, MeshConfigContent, ObjectName, OwnedKind, WorkloadKind};

/// One write, which is one request to the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Adds the finalizer, before anything outside the resource is written.
    AddFinalizer,
    /// Applies an object of the collector (server-side apply).
    Apply(DesiredObject),
    /// Applies the number of replicas of the Deployment under a field manager of its own, so that it stays when the operator applies
    /// the Deployment without it.
    KeepReplicas {
        /// The name of the Deployment.
        deployment: String,
        /// The uid of the Deployment, so that none is created.
        uid: String,
        /// The number of replicas that it has.
        replicas: i64,
    },
    /// Deletes an object of the collector, after the objects that it owns (foreground deletion).
    Delete {
        /// The kind of the object.
        kind: OwnedKind,
        /// The name of the object.
        name: String,
        /// The uid of the object, so that a later object of the same name stays.
        uid: String,
    },
    /// Writes the backup, before mesh config is written.
    WriteBackup(Backup),
    /// Writes mesh config into a ConfigMap, or deletes the ConfigMap.
    WriteMesh(MeshEdit),
    /// Removes the operator's entry from `managedFields`, which would make the next `helm upgrade` of istiod a conflict.
    ReleaseFieldOwnership {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
        /// The index of the entry.
        index: usize,
        /// The field manager of the entry, which guards the index.
        manager: String,
        /// The resourceVersion that guards the write.
        resource_version: String,
    },
    /// Deletes the backup, after mesh config is restored.
    DeleteBackup {
        /// The uid of the resource.
        uid: String,
        /// The resourceVersion that guards the write.
        resource_version: String,
    },
    /// Restarts a workload, so that its pods start with the address of the collector.
    Restart(WorkloadRestart),
    /// Removes the finalizer, so that Kubernetes deletes the resource.
    RemoveFinalizer,
}

/// An object of the collector as the resource asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredObject {
    /// The kind of the object.
    pub kind: OwnedKind,
    /// The name of the object.
    pub name: String,
    /// The whole object, as it is sent to the API server.
    pub object: Value,
}

/// A restart of a workload as `kubectl rollout restart` makes it: a new annotation of the pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadRestart {
    /// The kind of the workload.
    pub kind: WorkloadKind,
    /// The namespace and name of the workload.
    pub name: ObjectName,
    /// The resourceVersion that guards the write.
    pub resource_version: String,
    /// The address and the wiring that the restart is for. The workload keeps it, so that no restart is made twice.
    pub mark: String,
    /// When the restart was decided.
    pub at: Timestamp,
}

/// A write of mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshEdit {
    /// The ConfigMap of mesh config.
    pub config_map: ObjectName,
    /// The resourceVersion that guards the write; absent when the ConfigMap is created.
    pub resource_version: Option<String>,
    /// The text before the write; absent without the key.
    pub before: Option<String>,
    /// What the ConfigMap holds after the write.
    pub after: MeshConfigContent,
    /// If the write adds a provider: what the mesh logs to where this text lists no provider.
    pub inherited: Option<Vec<String>>,
}
