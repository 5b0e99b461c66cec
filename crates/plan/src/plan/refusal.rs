//! Why mesh config is not written. The reasons are part of the API; each message says what to do.

use alscope_mesh_config::{GrpcAccessLogService, MeshConfigError, PROVIDER_NAME};

use crate::api::Wiring;
use crate::world::{ManagingTool, ObjectName, ReadError, WorkloadKind};

use super::conditions::ConditionState;
use super::original::host_and_port;

/// Why mesh config is not written, or not effective.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A part of the cluster could not be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The API server refused a write.
    #[error("{0}")]
    WriteFailed(WriteFailure),
    /// Mesh config already sends access logs to another address.
    #[error(
        "{config_map} already sends access logs to {address}; remove defaultConfig.envoyAccessLogService there, \
         or set spec.mesh.conflictPolicy: Overwrite to replace it until this resource is deleted"
    )]
    ForeignAddress {
        /// The ConfigMap with the other address.
        config_map: ObjectName,
        /// The other address.
        address: String,
    },
    /// The revision's own mesh config, which wins over the shared one, has another address.
    #[error(
        "{config_map} sends access logs to {address} and wins over the shared mesh config; remove \
         defaultConfig.envoyAccessLogService there, or set spec.mesh.configSource: ConfigMap"
    )]
    PrimaryWins {
        /// The ConfigMap of the revision.
        config_map: ObjectName,
        /// The other address.
        address: String,
    },
    /// The revision's own mesh config, which wins over the shared one, sets the paths of the wiring.
    #[error(
        "{config_map} sets {keys} itself and wins over the shared mesh config; remove them there, or set \
         spec.mesh.configSource: ConfigMap",
        keys = if *wiring == Wiring::MeshConfig {
            "enableEnvoyAccessLogService or defaultConfig.envoyAccessLogService"
        } else {
            "defaultProviders.accessLogging or the provider alscope"
        }
    )]
    PrimaryHides {
        /// The ConfigMap of the revision.
        config_map: ObjectName,
        /// How the mesh is to be wired.
        wiring: Wiring,
    },
    /// A GitOps tool would revert a change.
    #[error(
        "{config_map} is managed by {tool}, which would revert a change; commit this to its source: {snippet} \
         (or name a shared mesh config in istiod's SHARED_MESH_CONFIG and in the chart's mesh.sharedConfigMap)",
        tool = managing_tool.as_str()
    )]
    ManagedByGitOps {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
        /// The tool that manages the ConfigMap.
        managing_tool: ManagingTool,
        /// The YAML to commit to the source of the tool.
        snippet: String,
    },
    /// The Sail operator would revert a change.
    #[error(
        "{config_map} is rendered by the Sail operator, which would revert a change; set this in its Istio resource \
         under spec.values: meshConfig: {snippet}"
    )]
    ManagedBySail {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
        /// The YAML to set.
        snippet: String,
    },
    /// A Telemetry of the whole mesh shadows the switch of mesh config.
    #[error(
        "mesh config's access-log switch has no effect: the Telemetry {telemetry} sets accessLogging for the whole mesh; \
         remove accessLogging from it, or set spec.mesh.wiring: TelemetryProvider and add `- name: alscope` to its providers"
    )]
    ShadowedByTelemetry {
        /// The Telemetry to change.
        telemetry: ObjectName,
    },
    /// A Telemetry of the whole mesh names providers, and not the collector's.
    #[error(
        "no proxy sends its access logs to the collector: the Telemetry {telemetry} decides about accessLogging for the whole mesh and \
         does not name the provider {provider}, or disables it; add `- name: {provider}` to its providers"
    )]
    ProviderNotNamed {
        /// The Telemetry to change.
        telemetry: ObjectName,
        /// The name of the provider.
        provider: String,
    },
    /// Somebody else has a provider of the collector's name.
    #[error(
        "extensionProviders in {config_map} has a provider alscope that does not stream to the collector; rename or remove it there, or \
         set spec.mesh.conflictPolicy: Overwrite to replace it until this resource is deleted"
    )]
    ForeignProvider {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
    },
    /// Default providers shadow the switch of mesh config.
    #[error(
        "mesh config's access-log switch has no effect: defaultProviders.accessLogging in {config_map} names {providers}; \
         remove it there, or set spec.mesh.wiring: TelemetryProvider, which adds the collector to them"
    )]
    ShadowedByProviders {
        /// The ConfigMap with the default providers.
        config_map: ObjectName,
        /// The names of the providers.
        providers: String,
    },
    /// istiod would roll managed gateways.
    #[error(
        "istiod would roll the pods of {count} managed gateways and waypoints ({gateways}); \
         set spec.mesh.allowGatewayRollout: true to allow it, or spec.mesh.wiring: TelemetryProvider, which restarts nothing",
        count = gateways.len(), gateways = join_names(gateways)
    )]
    WouldRestartGateways {
        /// The Deployments of the gateways.
        gateways: Vec<ObjectName>,
    },
    /// The mesh has revisions that the resource does not list.
    #[error(
        "the mesh has the revisions {found}, of which spec.mesh.revisions lists {listed}; list each: a proxy of an unlisted \
         revision would send nothing",
        found = found.join(", "),
        listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    )]
    RevisionsNotListed {
        /// The revisions of the mesh.
        found: Vec<String>,
        /// The revisions that the resource lists.
        listed: Vec<String>,
    },
    /// The resource lists a revision that no istiod serves.
    #[error(
        "spec.mesh.revisions lists {revision}, and no istiod in {namespace} serves it; remove it from the list or install it"
    )]
    RevisionNotFound {
        /// The revision without an istiod.
        revision: String,
        /// The namespace of the mesh.
        namespace: String,
    },
    /// The text of mesh config can't be edited.
    #[error("mesh config in {config_map} can't be edited: {error}")]
    MeshConfigInvalid {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
        /// Why the text can't be edited.
        error: MeshConfigError,
    },
    /// The ConfigMap does not exist.
    #[error(
        "the ConfigMap {config_map} does not exist, so istiod runs on its defaults; create it with Istio's chart \
         (value configMap: true)"
    )]
    MeshConfigMapNotFound {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
    },
    /// The resource asks for the shared mesh config, and istiod names none.
    #[error(
        "spec.mesh.configSource is SharedConfigMap, and istiod {deployment} names none; set Istio's chart value \
         env.SHARED_MESH_CONFIG, or configSource: Auto"
    )]
    NoSharedConfigMap {
        /// The Deployment of istiod.
        deployment: ObjectName,
    },
    /// The proxies of this version of Istio would refuse the wiring.
    #[error(
        "istiod {deployment} is version {major}.{minor}{why}",
        why = if *wiring == Wiring::MeshConfig {
            ", whose proxies refuse listeners with an unknown access-log cluster; upgrade Istio to 1.13 or newer"
        } else {
            ", which may end all access logs over a provider that it does not find; upgrade Istio to 1.18 or newer, or set \
             spec.mesh.wiring: MeshConfig"
        }
    )]
    IstioTooOld {
        /// The Deployment of istiod.
        deployment: ObjectName,
        /// Its version of Istio.
        major: u32,
        /// Its version of Istio.
        minor: u32,
        /// How the mesh is to be wired.
        wiring: Wiring,
    },
    /// Another writer keeps reverting mesh config.
    #[error(
        "{manager} has reverted mesh config three times within an hour, so the operator writes nothing more; end what it does, \
         then change this resource's spec"
    )]
    MeshConfigContended {
        /// The field manager.
        manager: String,
    },
    /// The mesh config of an earlier resource is still to be restored.
    #[error(
        "{config_map} is first restored for the MeshObservability {resource}, which was deleted without its finalizer. {why}. If mesh config \
         is right as it is, delete the backup of that resource: {command}"
    )]
    RestorePending {
        /// The ConfigMap of both resources.
        config_map: ObjectName,
        /// The name of the earlier resource, which is gone.
        resource: String,
        /// What the restore does or waits for.
        why: String,
        /// The command that deletes its backup.
        command: Box<str>,
    },
    /// The resource leaves the edit to a person or a pipeline.
    #[error("set this in mesh config of {config_map}: {snippet}")]
    ManualActionRequired {
        /// The ConfigMap of mesh config.
        config_map: ObjectName,
        /// The YAML to set.
        snippet: String,
    },
    /// The collector is not available yet, and proxies that start would not find it.
    #[error("mesh config is written as soon as the collector is available: {why}")]
    WaitingForCollector {
        /// Why the collector is not available.
        why: String,
    },
}

/// Why a write failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteFailure {
    /// The operator lacks an RBAC right.
    #[error(
        "the operator may not {verb} {resource} {name}; give its service account this right{remedy}",
        remedy = remedy(resource)
    )]
    Forbidden {
        /// The verb: `create`, `update`, `patch` or `delete`.
        verb: &'static str,
        /// The resource's plural.
        resource: String,
        /// The object that was to be written.
        name: ObjectName,
    },
    /// The API server refused the write or did not answer.
    #[error("{verb} of {resource} {name} failed: {message}; the operator tries again by itself")]
    Failed {
        /// The verb of the write.
        verb: &'static str,
        /// The resource's plural.
        resource: String,
        /// The object that was to be written.
        name: ObjectName,
        /// What the API server said.
        message: String,
    },
}

impl WriteFailure {
    /// Whether the write was the restart of a workload.
    pub fn is_of_restart(&self) -> bool {
        let (Self::Forbidden { resource, .. } | Self::Failed { resource, .. }) = self;
        is_of_restart(resource)
    }
}

/// Whether a write of this resource restarts a workload: nothing else of the operator names the group.
fn is_of_restart(resource: &str) -> bool {
    WorkloadKind::ALL.iter().any(|kind| kind.resource() == resource)
}

fn remedy(resource: &str) -> &'static str {
    if resource == "configmaps" {
        ": the chart's values mesh.namespace, mesh.revisions and mesh.sharedConfigMap decide it"
    } else if is_of_restart(resource) {
        ": the chart's value mesh.restartWorkloads gives it"
    } else {
        ", as the chart's Role does"
    }
}

impl Refusal {
    /// The reason of the condition `MeshConfigured`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(ReadError::Forbidden { .. })
            | Self::WriteFailed(WriteFailure::Forbidden { .. }) => "Forbidden",
            Self::Unreadable(
                ReadError::Failed { .. } | ReadError::Absent { .. } | ReadError::Undecodable { .. },
            ) => "MeshConfigCheckFailed",
            Self::Unreadable(ReadError::NewerBackup { .. }) => "BackupNotUnderstood",
            Self::WriteFailed(WriteFailure::Failed { .. }) => "MeshConfigWriteFailed",
            Self::ForeignAddress { .. }
            | Self::ForeignProvider { .. }
            | Self::PrimaryWins { .. }
            | Self::PrimaryHides { .. } => "ForeignAddress",
            Self::ManagedByGitOps { .. } => "ManagedByGitOps",
            Self::ManagedBySail { .. } => "ManagedBySail",
            Self::ShadowedByTelemetry { .. }
            | Self::ShadowedByProviders { .. }
            | Self::ProviderNotNamed { .. } => "ShadowedByTelemetry",
            Self::WouldRestartGateways { .. } => "WouldRestartGateways",
            Self::RevisionsNotListed { .. } | Self::RevisionNotFound { .. } => "RevisionsNotListed",
            Self::MeshConfigInvalid { .. } => "MeshConfigInvalid",
            Self::MeshConfigMapNotFound { .. } | Self::NoSharedConfigMap { .. } => "MeshConfigMapNotFound",
            Self::IstioTooOld { .. } => "IstioTooOld",
            Self::MeshConfigContended { .. } => "MeshConfigContended",
            Self::RestorePending { .. } => "RestorePending",
            Self::ManualActionRequired { .. } => "ManualActionRequired",
            Self::WaitingForCollector { .. } => "WaitingForCollector",
        }
    }

    /// The state of `MeshConfigured`: unknown when something could not be read, else unmet.
    pub fn condition(&self) -> ConditionState {
        let condition = match self {
            Self::Unreadable(
                ReadError::Failed { .. } | ReadError::Absent { .. } | ReadError::Undecodable { .. },
            ) => ConditionState::unknown,
            _ => ConditionState::unmet,
        };
        condition(self.reason(), self.to_string())
    }
}

/// The YAML to set by hand, on one line.
pub fn mesh_config_snippet(wiring: Wiring, address: &str) -> String {
    match wiring {
        Wiring::MeshConfig => format!(
            "{{enableEnvoyAccessLogService: true, defaultConfig: {{envoyAccessLogService: {{address: \"{address}\"}}}}}}"
        ),
        Wiring::TelemetryProvider => {
            let (service, port) = host_and_port(address);
            let provider = GrpcAccessLogService::of_collector(service, port);
            format!(
                "{{extensionProviders: [{{name: {PROVIDER_NAME}, envoyHttpAls: {provider}}}], defaultProviders: {{accessLogging: \
                 [{PROVIDER_NAME}]}}}}, with what these lists have already, and with envoy in the second if accessLogFile is set",
                provider = provider.yaml()
            )
        }
    }
}

/// A list of names, of which at most five are written out.
pub fn join_names(names: &[ObjectName]) -> String {
    const MAX_NAMES_LISTED: usize = 5;
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES_LISTED)
        .map(ToString::to_string)
        .collect();
    match names.len().saturating_sub(MAX_NAMES_LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
