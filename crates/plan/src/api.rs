//! The resource `MeshObservability`: what a user asks for, and its status.
//!
//! The custom resource definition in `deploy/crds` is generated from these types. Its defaults are filled in by the API
//! server, so a resource with an empty `spec`, or with none, is complete when the operator reads it.

mod analysis;
mod autoscaling;
mod mesh;
mod network_policy;
mod pods;
mod runtime;
mod service;
mod status;

mod collector;

mod resource;

mod definition;

pub use analysis::{AnalysisSpec, AnalyzerName, EndpointsSpec, NamingSpec, PersistenceSpec, RedactionSpec};
pub use autoscaling::AutoscalingSpec;
pub use collector::CollectorSpec;
pub use definition::definition;
pub use mesh::{ConfigSource, ConflictPolicy, MeshSpec, Restart, RestartBudget, Wiring};
pub use network_policy::NetworkPolicySpec;
pub use pods::{EnvironmentVariable, ImagePullPolicy, PodsSpec, Scheduling};
pub use resource::{FINALIZER, ManagementState, MeshObservability, MeshObservabilitySpec, has_finalizer};
pub use runtime::{EndingSpec, LimitsSpec, LogLevel, WebSpec};
pub use service::{IpFamily, IpFamilyPolicy, ServiceSpec, ServiceType};
pub use status::{
    BackupStatus, CollectorStatus, ConfigMapStatus, Contention, HidingSidecarStatus, MeshObservabilityStatus,
    MeshStatus, OperatorStatus, ProxiesStatus, RestartsStatus, Revert, SilencedServiceStatus, SilencedStatus,
    SkippedStatus, WaitingWorkloadStatus, WorkloadStatus,
};
