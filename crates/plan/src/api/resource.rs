//! The resource and its `spec`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::AnalysisSpec;
use super::collector::CollectorSpec;
use super::mesh::MeshSpec;
use super::status::MeshObservabilityStatus;

/// The finalizer that keeps a resource until its mesh is restored.
pub const FINALIZER: &str = "alscope.dev/restore-mesh";

/// What the operator does for a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagementState {
    /// Wires the mesh and runs the collector.
    #[default]
    Managed,
    /// Writes nothing but the status of this resource, which says what would be written.
    Plan,
    /// Leaves everything as it is, and continues to report in the status.
    Unmanaged,
    /// Uninstalls as a deletion would, and keeps the resource.
    Removed,
}

/// What to observe and how. Every field has a default: `spec: {}` observes a standard Istio.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "alscope.dev",
    version = "v1alpha1",
    kind = "MeshObservability",
    plural = "meshobservabilities",
    shortname = "meshobs",
    category = "alscope",
    status = "MeshObservabilityStatus",
    derive = "PartialEq",
    doc = "Turns on observability for an Istio mesh: proxies stream their access logs to a collector that the operator runs.",
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "In one word: Ready, or the reason why not"
    ),
    printcolumn(
        name = "Wiring",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="MeshConfigured")].reason"#,
        description = "Whether mesh config sends access logs to the collector, or why not"
    ),
    printcolumn(
        name = "Proxies",
        type_ = "string",
        json_path = ".status.proxies.summary",
        description = "Proxies that know the collector's address, of all"
    ),
    printcolumn(
        name = "Flow",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="DataFlowing")].status"#,
        description = "Whether access logs came in during the last five minutes"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')")
        .message("metadata.name names the collector's Service: write at most 40 lower-case letters, digits and '-', the first a letter, the last no '-'"),
)]
#[serde(rename_all = "camelCase")]
pub struct MeshObservabilitySpec {
    /// What the operator may do: `Managed` wires the mesh and runs the collector, `Plan` only reports what it would do,
    /// `Unmanaged` leaves everything as it is, `Removed` takes everything back and keeps this resource.
    #[serde(default)]
    pub management_state: ManagementState,
    /// The mesh, and how far the operator may go with it.
    #[serde(default)]
    pub mesh: MeshSpec,
    /// How the collector reads entries.
    #[serde(default)]
    pub analysis: AnalysisSpec,
    /// The collector that the operator runs in its own namespace.
    #[serde(default)]
    pub collector: Box<CollectorSpec>,
}

impl MeshObservability {
    /// The name of the resource; empty for one that the API server has not stored.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The uid of the resource; empty for one that the API server has not stored.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }
}

/// Whether a resource has the operator's finalizer. The operator adds it before it writes anything else for the resource.
pub fn has_finalizer(metadata: &ObjectMeta) -> bool {
    metadata
        .finalizers
        .iter()
        .flatten()
        .any(|finalizer| finalizer == FINALIZER)
}
