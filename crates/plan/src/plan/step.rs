//! What the operator writes: each step is one request, guarded so that it means what was planned.

use serde_json::Value;

use crate::world::{Backup, MeshConfigContent, ObjectName, OwnedKind};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Adds the finalizer, before anything outside the resource is written.
    AddFinalizer,
    /// Applies an object of the collector (server-side apply).
    Apply(DesiredObject),
    /// Deletes an object of the collector; it is gone when what it owns is gone.
    Delete {
        /// Its kind.
        kind: OwnedKind,
        /// Its name.
        name: String,
        /// Its uid: a later object of that name is another one.
        uid: String,
    },
    /// Writes the backup, before mesh config is written.
    WriteBackup(Backup),
    /// Writes mesh config.
    WriteMesh(MeshEdit),
    /// Takes the operator's entry out of `managedFields`: with it, the next `helm upgrade` of istiod would be a conflict.
    ReleaseFieldOwnership {
        /// The ConfigMap.
        config_map: ObjectName,
        /// The entry's place.
        index: usize,
        /// The field manager that stands there.
        manager: String,
        /// Guards it.
        resource_version: String,
    },
    /// Deletes the backup, after the mesh is restored.
    DeleteBackup {
        /// The uid of the resource.
        uid: String,
        /// Guards it.
        resource_version: String,
    },
    /// Lets the resource go.
    RemoveFinalizer,
}

/// An object of the collector as the resource asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredObject {
    /// Its kind.
    pub kind: OwnedKind,
    /// Its name.
    pub name: String,
    /// The whole object, as it is sent to the API server.
    pub object: Value,
}

/// A write of mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshEdit {
    /// The ConfigMap.
    pub config_map: ObjectName,
    /// Guards the write; absent when the ConfigMap is created.
    pub resource_version: Option<String>,
    /// The text as it is; absent without the key.
    pub before: Option<String>,
    /// What becomes of it.
    pub after: MeshConfigContent,
}
