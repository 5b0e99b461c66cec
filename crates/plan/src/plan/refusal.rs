//! Why mesh config is not written. The reasons are API; each message says what to do.

use alscope_mesh_config::MeshConfigError;

use crate::world::{ManagingTool, ObjectName, ReadError};

use super::conditions::ConditionState;

/// Why mesh config is not written, or not effective.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something could not be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// A write was refused by the API server.
    #[error("{0}")]
    WriteFailed(WriteFailure),
    /// Access logs already go somewhere else.
    #[error(
        "{config_map} already sends access logs to {address}; remove defaultConfig.envoyAccessLogService there, \
         or set spec.mesh.conflictPolicy: Overwrite to replace it until this resource is deleted"
    )]
    ForeignAddress {
        /// Where it stands.
        config_map: ObjectName,
        /// The other address.
        address: String,
    },
    /// The address stands in the text that wins over the shared one.
    #[error(
        "{config_map} sends access logs to {address} and wins over the shared mesh config; remove \
         defaultConfig.envoyAccessLogService there, or set spec.mesh.configSource: ConfigMap"
    )]
    PrimaryWins {
        /// The revision's ConfigMap.
        config_map: ObjectName,
        /// The other address.
        address: String,
    },
    /// What stands in the text that wins over the shared one hides it.
    #[error(
        "{config_map} sets enableEnvoyAccessLogService or defaultConfig.envoyAccessLogService itself and wins over the shared \
         mesh config; remove them there, or set spec.mesh.configSource: ConfigMap"
    )]
    PrimaryHides {
        /// The revision's ConfigMap.
        config_map: ObjectName,
    },
    /// A GitOps tool would set a change back.
    #[error(
        "{config_map} is managed by {tool}, which would set a change back; commit this to its source: {snippet} \
         (or name a shared mesh config in istiod's SHARED_MESH_CONFIG and in the chart's mesh.sharedConfigMap)",
        tool = managing_tool.as_str()
    )]
    ManagedByGitOps {
        /// The ConfigMap.
        config_map: ObjectName,
        /// The tool.
        managing_tool: ManagingTool,
        /// What to commit.
        snippet: String,
    },
    /// The Sail operator would set a change back.
    #[error(
        "{config_map} is rendered by the Sail operator, which would set a change back; set this in its Istio resource \
         under spec.values: meshConfig: {snippet}"
    )]
    ManagedBySail {
        /// The ConfigMap.
        config_map: ObjectName,
        /// What to set.
        snippet: String,
    },
    /// Telemetry resources shadow mesh config's switch.
    #[error(
        "mesh config's access-log switch has no effect: the Telemetry {telemetry} sets accessLogging for the whole mesh; \
         remove accessLogging from it"
    )]
    ShadowedByTelemetry {
        /// The first of them.
        telemetry: ObjectName,
    },
    /// Default providers shadow mesh config's switch.
    #[error(
        "mesh config's access-log switch has no effect: defaultProviders.accessLogging in {config_map} names {providers}; \
         remove it there"
    )]
    ShadowedByProviders {
        /// Where they stand.
        config_map: ObjectName,
        /// The providers.
        providers: String,
    },
    /// Managed gateways would be rolled.
    #[error(
        "istiod would roll the pods of {count} managed gateways and waypoints ({gateways}); \
         set spec.mesh.allowGatewayRollout: true to allow it",
        count = gateways.len(), gateways = join_names(gateways)
    )]
    WouldRestartGateways {
        /// Their Deployments.
        gateways: Vec<ObjectName>,
    },
    /// Several revisions, of which not all are listed.
    #[error(
        "the mesh has the revisions {found}, of which spec.mesh.revisions lists {listed}; list each: a proxy of an unlisted \
         revision would send nothing",
        found = found.join(", "),
        listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    )]
    RevisionsNotListed {
        /// What there is.
        found: Vec<String>,
        /// What is listed.
        listed: Vec<String>,
    },
    /// A listed revision has no istiod.
    #[error(
        "spec.mesh.revisions lists {revision}, and no istiod in {namespace} serves it; remove it from the list or install it"
    )]
    RevisionNotFound {
        /// The revision.
        revision: String,
        /// The mesh's namespace.
        namespace: String,
    },
    /// The text can't be edited.
    #[error("mesh config in {config_map} can't be edited: {error}")]
    MeshConfigInvalid {
        /// The ConfigMap.
        config_map: ObjectName,
        /// Why.
        error: MeshConfigError,
    },
    /// The ConfigMap does not exist.
    #[error(
        "the ConfigMap {config_map} does not exist, so istiod runs on its defaults; create it with Istio's chart \
         (value configMap: true)"
    )]
    MeshConfigMapNotFound {
        /// The ConfigMap.
        config_map: ObjectName,
    },
    /// istiod names no shared mesh config.
    #[error(
        "spec.mesh.configSource is SharedConfigMap, and istiod {deployment} names none; set Istio's chart value \
         env.SHARED_MESH_CONFIG, or configSource: Auto"
    )]
    NoSharedConfigMap {
        /// istiod's Deployment.
        deployment: ObjectName,
    },
    /// Proxies of this Istio would refuse the wiring.
    #[error(
        "istiod {deployment} is version {major}.{minor}, whose proxies refuse listeners with an unknown access-log cluster; upgrade Istio to 1.13 or newer"
    )]
    IstioTooOld {
        /// istiod's Deployment.
        deployment: ObjectName,
        /// Its version.
        major: u32,
        /// Its version.
        minor: u32,
    },
    /// Somebody keeps setting the text back.
    #[error(
        "{manager} has set mesh config back three times within an hour, so nothing more is written; end what it does, \
         then change this resource's spec"
    )]
    MeshConfigContended {
        /// The field manager.
        manager: String,
    },
    /// What an earlier resource's mesh was before is still to be put back.
    #[error(
        "{config_map} is first restored for the MeshObservability {resource}, which went without its finalizer. {why}. If mesh config \
         is right as it is, delete that one's backup: {command}"
    )]
    RestorePending {
        /// The ConfigMap that both are about.
        config_map: ObjectName,
        /// The resource that is gone.
        resource: String,
        /// What is done, or holds it up.
        why: String,
        /// Deletes its backup.
        command: Box<str>,
    },
    /// A person or a pipeline must write.
    #[error("set this in mesh config of {config_map}: {snippet}")]
    ManualActionRequired {
        /// The ConfigMap.
        config_map: ObjectName,
        /// What to set.
        snippet: String,
    },
    /// Proxies that start would find nobody.
    #[error("mesh config is written as soon as the collector is available: {why}")]
    WaitingForCollector {
        /// What it waits for.
        why: String,
    },
}

/// Why a write failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteFailure {
    /// The operator lacks a right.
    #[error(
        "the operator may not {verb} {resource} {name}; give its service account this right{remedy}",
        remedy = if resource == "configmaps" {
            ": the chart's values mesh.namespace, mesh.revisions and mesh.sharedConfigMap decide it"
        } else {
            ", as the chart's Role does"
        }
    )]
    Forbidden {
        /// `create`, `update`, `patch` or `delete`.
        verb: &'static str,
        /// The resource's plural.
        resource: String,
        /// The object.
        name: ObjectName,
    },
    /// The API server refused it or did not answer.
    #[error("{verb} of {resource} {name} failed: {message}; the operator tries again by itself")]
    Failed {
        /// The verb.
        verb: &'static str,
        /// The resource's plural.
        resource: String,
        /// The object.
        name: ObjectName,
        /// What the API server said.
        message: String,
    },
}

impl Refusal {
    /// The condition's reason.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(ReadError::Forbidden { .. })
            | Self::WriteFailed(WriteFailure::Forbidden { .. }) => "Forbidden",
            Self::Unreadable(
                ReadError::Failed { .. } | ReadError::Absent { .. } | ReadError::Undecodable { .. },
            ) => "MeshConfigCheckFailed",
            Self::Unreadable(ReadError::NewerBackup { .. }) => "BackupNotUnderstood",
            Self::WriteFailed(WriteFailure::Failed { .. }) => "MeshConfigWriteFailed",
            Self::ForeignAddress { .. } | Self::PrimaryWins { .. } | Self::PrimaryHides { .. } => {
                "ForeignAddress"
            }
            Self::ManagedByGitOps { .. } => "ManagedByGitOps",
            Self::ManagedBySail { .. } => "ManagedBySail",
            Self::ShadowedByTelemetry { .. } | Self::ShadowedByProviders { .. } => "ShadowedByTelemetry",
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

    /// As a condition: what could not be read is unknown, everything else is known to be wrong.
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

/// What to set by hand, on one line.
pub fn mesh_config_snippet(address: &str) -> String {
    format!(
        "{{enableEnvoyAccessLogService: true, defaultConfig: {{envoyAccessLogService: {{address: \"{address}\"}}}}}}"
    )
}

/// At most five names.
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
