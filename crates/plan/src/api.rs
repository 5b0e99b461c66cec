//! The resource `MeshObservability`: what a user asks for, and its status.
//!
//! The custom resource definition in `deploy/crds` is generated from these types. Its defaults are filled in by the API
//! server, so a resource with an empty `spec`, or with none, is complete when the operator reads it.

mod analysis;
mod mesh;
mod network_policy;
mod status;

mod collector;

mod resource;

mod definition;

pub use analysis::{AnalysisSpec, Analyzers};
pub use collector::{CollectorSpec, Scheduling};
pub use definition::definition;
pub use mesh::{ConfigSource, ConflictPolicy, MeshSpec, Restart, RestartBudget, Wiring};
pub use network_policy::NetworkPolicySpec;
pub use resource::{FINALIZER, ManagementState, MeshObservability, MeshObservabilitySpec, has_finalizer};
pub use status::{
    BackupStatus, CollectorStatus, ConfigMapStatus, Contention, MeshObservabilityStatus, MeshStatus,
    OperatorStatus, ProxiesStatus, RestartsStatus, Revert, SilencedServiceStatus, SilencedStatus,
    SkippedStatus, WaitingWorkloadStatus, WorkloadStatus,
};
