//! What the operator knows when it decides: the plan's only input besides its settings and the time.
//!
//! Everything that could not be read stays an error beside its reason, so that no decision is made on a guess.

mod backup;
mod collector;
mod control_plane;
mod managing_tool;
mod mesh_config_map;
mod proxy;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;

use kube::ResourceExt as _;
use kube::core::error_boundary::InvalidObject;

use crate::api::MeshObservability;

pub use backup::{Backup, MeshConfigContent, OWNER_UID_LABEL};
pub use collector::{Collector, OwnedKind, OwnedObject, ReplicaStatus};
pub use control_plane::{ControlPlane, DEFAULT_REVISION, Version, config_map_of_revision};
pub use managing_tool::ManagingTool;
pub use mesh_config_map::{FieldOwner, MANAGED_BY_LABEL, MESH_KEY, MeshConfigMap, OPERATOR_NAME};
pub use proxy::{PodOwner, Proxy, ProxyRole};
pub use telemetry::{AccessLogging, CallDirection, TargetRef, Telemetry};

/// The namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// Of a namespace and a name.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The reverse of its text, `NAMESPACE/NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = Self::parts(text)?;
        Some(Self::new(namespace, name))
    }

    /// The namespace and the name in the text `NAMESPACE/NAME`.
    pub fn parts(text: &str) -> Option<(&str, &str)> {
        text.split_once('/')
    }

    /// Of an object.
    pub fn of(object: &impl kube::Resource) -> Self {
        Self {
            namespace: object.meta().namespace.clone().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => formatter.write_str(&self.name),
            namespace => write!(formatter, "{namespace}/{}", self.name),
        }
    }
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The operator lacks a right.
    #[error("the operator may not {verb} {resource}{scope}; give its service account this right, as the chart's ClusterRole and Role do",
        scope = namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default())]
    Forbidden {
        /// `get`, `list` or `watch`.
        verb: &'static str,
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The namespace; none means the whole cluster.
        namespace: Option<String>,
    },
    /// The API server does not serve the kind.
    #[error(
        "the API server does not serve {resource}; install its definition (deploy/crds has Alscope's own, and so has the chart), \
         the operator goes on by itself"
    )]
    Absent {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
    },
    /// An object that this version of the operator does not understand.
    #[error(
        "{resource} {name} can't be read by this version of the operator: {message}; upgrade the operator, or correct the object"
    )]
    Undecodable {
        /// The resource's plural, with its group unless that is the core one.
        resource: String,
        /// The object.
        name: ObjectName,
        /// What is wrong with it.
        message: String,
    },
    /// The API server did not answer, or with an error.
    #[error(
        "{what} can't be read: {message}; the operator tries again by itself, look at the API server if this stays"
    )]
    Failed {
        /// What was to be read.
        what: String,
        /// What came instead.
        message: String,
    },
    /// A backup that this operator does not understand whole.
    #[error(
        "the backup {backup} was written by a newer operator: {what}; upgrade the operator again, until then nothing of its mesh is \
         written and nothing is deleted"
    )]
    NewerBackup {
        /// The ConfigMap.
        backup: ObjectName,
        /// What is not understood.
        what: String,
    },
}

/// Something read, or why it could not be.
pub type ReadResult<T> = Result<T, ReadError>;

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
