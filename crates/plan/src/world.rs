//! What the operator knows when it decides: the plan's only input besides its settings and the time.
//!
//! Everything that could not be read stays an error beside its reason, so that no decision is made on a guess.

mod object_name;

mod collector;
mod control_plane;
mod managing_tool;
mod read_error;

mod backup;
mod mesh_config_map;
mod proxy;
mod telemetry;

use std::collections::BTreeMap;

use kube::core::error_boundary::InvalidObject;

use crate::api::MeshObservability;

pub use backup::{Backup, MeshConfigContent, OWNER_UID_LABEL};
pub use collector::{Collector, OwnedKind, OwnedObject, ReplicaStatus};
pub use control_plane::{ControlPlane, DEFAULT_REVISION, Version, config_map_of_revision};
pub use managing_tool::ManagingTool;
pub use mesh_config_map::{FieldOwner, MANAGED_BY_LABEL, MESH_KEY, MeshConfigMap, OPERATOR_NAME};
pub use object_name::ObjectName;
pub use proxy::{PodOwner, Proxy, ProxyRole};
pub use read_error::{ReadError, ReadResult};
pub use telemetry::{AccessLogging, CallDirection, TargetRef, Telemetry};

/// What is so in the cluster.
#[derive(Clone, Debug)]
pub struct World {
    /// Every `MeshObservability` that this version of the operator can read.
    pub resources: ReadResult<Vec<MeshObservability>>,
    /// Those that exist and that it can't read. Their meshes, collectors and backups stay as they are.
    pub undecodable_resources: Vec<InvalidObject>,
    /// istiod's Deployments.
    pub control_planes: ReadResult<Vec<ControlPlane>>,
    /// The ConfigMaps that hold mesh config, those that do not exist as `None`.
    pub config_maps: BTreeMap<ObjectName, ReadResult<Option<MeshConfigMap>>>,
    /// Istio's Telemetries.
    pub telemetries: ReadResult<Vec<Telemetry>>,
    /// Deployments that istiod renders for gateways and waypoints.
    pub managed_gateways: ReadResult<Vec<ObjectName>>,
    /// Pods with a proxy.
    pub proxies: ReadResult<Vec<Proxy>>,
    /// Each resource's collector, by the resource's uid.
    pub collectors: BTreeMap<String, ReadResult<Collector>>,
    /// Each resource's backup, by the resource's uid.
    pub backups: BTreeMap<String, ReadResult<Option<Backup>>>,
    /// Backups of resources that are gone, by a list of the resources that succeeded.
    pub orphaned_backups: Vec<Backup>,
    /// Such backups that this version does not understand: each may be of any mesh.
    pub undecodable_backups: Vec<ReadError>,
    /// By ConfigMap, the resourceVersion of the text that the operator wrote over, until it has seen what came of it.
    pub overwritten_versions: BTreeMap<ObjectName, String>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            resources: Ok(Vec::new()),
            undecodable_resources: Vec::new(),
            control_planes: Ok(Vec::new()),
            config_maps: BTreeMap::new(),
            telemetries: Ok(Vec::new()),
            managed_gateways: Ok(Vec::new()),
            proxies: Ok(Vec::new()),
            collectors: BTreeMap::new(),
            backups: BTreeMap::new(),
            orphaned_backups: Vec::new(),
            undecodable_backups: Vec::new(),
            overwritten_versions: BTreeMap::new(),
        }
    }
}
