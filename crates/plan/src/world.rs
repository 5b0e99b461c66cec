//! The state of the cluster, as the operator has read it.
//!
//! What could not be read is an error with its reason, so that the plan decides nothing on a guess.

mod object_name;

mod collector;
mod control_plane;
mod disruption_budget;
mod managing_tool;
mod read_error;

mod backup;
mod mesh_config_map;
mod proxy;
mod sidecar;
mod telemetry;
mod workload;

use std::collections::BTreeMap;

use kube::core::error_boundary::InvalidObject;

use crate::api::MeshObservability;

pub use backup::{Backup, MeshConfigContent, OWNER_UID_LABEL};
pub use collector::{Collector, OwnedKind, OwnedObject, ReplicaStatus};
pub use control_plane::{ControlPlane, DEFAULT_REVISION, Version, config_map_of_revision};
pub use disruption_budget::DisruptionBudget;
pub use managing_tool::ManagingTool;
pub use mesh_config_map::{FieldOwner, MANAGED_BY_LABEL, MESH_KEY, MeshConfigMap, OPERATOR_NAME};
pub use object_name::ObjectName;
pub use proxy::{PodOwner, Proxy, ProxyRole};
pub use read_error::{ReadError, ReadResult};
pub use sidecar::{Egress, Sidecar};
pub use telemetry::{AccessLogging, CallDirection, TargetRef, Telemetry};
pub use workload::{
    Hold, RESTARTED_AT, RESTARTED_FOR, Restarted, Rollout, Workload, WorkloadKind, Workloads,
};

/// The state of the cluster.
#[derive(Clone, Debug)]
pub struct World {
    /// Every `MeshObservability` that this version of the operator can read.
    pub resources: ReadResult<Vec<MeshObservability>>,
    /// Those that exist but can't be decoded. Their meshes, collectors and backups stay as they are.
    pub undecodable_resources: Vec<InvalidObject>,
    /// The Deployments of istiod.
    pub control_planes: ReadResult<Vec<ControlPlane>>,
    /// The ConfigMaps that hold mesh config; `None` for one that does not exist.
    pub config_maps: BTreeMap<ObjectName, ReadResult<Option<MeshConfigMap>>>,
    /// All Telemetries of Istio.
    pub telemetries: ReadResult<Vec<Telemetry>>,
    /// All Sidecars of Istio.
    pub sidecars: ReadResult<Vec<Sidecar>>,
    /// The Deployments that istiod renders for gateways and waypoints.
    pub managed_gateways: ReadResult<Vec<ObjectName>>,
    /// The pods that have a proxy.
    pub proxies: ReadResult<Vec<Proxy>>,
    /// What is known for restarts. It is only read for resources whose workloads the operator restarts, and empty else.
    pub workloads: ReadResult<Workloads>,
    /// The collector of each resource, by the uid of the resource.
    pub collectors: BTreeMap<String, ReadResult<Collector>>,
    /// The backup of each resource, by the uid of the resource.
    pub backups: BTreeMap<String, ReadResult<Option<Backup>>>,
    /// Backups whose resource is gone. They are only known when the resources could be listed.
    pub orphaned_backups: Vec<Backup>,
    /// Such backups that can't be decoded. Each may be of any mesh.
    pub undecodable_backups: Vec<ReadError>,
    /// The resourceVersion of each ConfigMap that the operator has overwritten and not seen changed yet.
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
            sidecars: Ok(Vec::new()),
            managed_gateways: Ok(Vec::new()),
            proxies: Ok(Vec::new()),
            workloads: Ok(Workloads::default()),
            collectors: BTreeMap::new(),
            backups: BTreeMap::new(),
            orphaned_backups: Vec::new(),
            undecodable_backups: Vec::new(),
            overwritten_versions: BTreeMap::new(),
        }
    }
}
