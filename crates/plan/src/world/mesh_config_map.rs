//! A ConfigMap of mesh config: its text, who tracks it and who wrote it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;
use serde_json::Value;

use super::managing_tool::{ManagingTool, helm_release};
use super::object_name::ObjectName;

/// The label with the tool that made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The name of the operator in that label, and as a field manager.
pub const OPERATOR_NAME: &str = "alscope-operator";
/// The key of the ConfigMap that holds the text.
pub const MESH_KEY: &str = "mesh";

/// A ConfigMap that holds mesh config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshConfigMap {
    /// The name of the ConfigMap.
    pub name: ObjectName,
    /// The resourceVersion that guards every write.
    pub resource_version: String,
    /// The text under the key `mesh`; absent when there is no such key.
    pub text: Option<String>,
    /// Whether the operator created the ConfigMap, as it does for a shared mesh config that does not exist.
    pub created_by_operator: bool,
    /// The tool that would revert a change.
    pub managing_tool: Option<ManagingTool>,
    /// The Flux HelmRelease that renders the ConfigMap, in words.
    pub helm_release: Option<String>,
    /// The owners of the text, by `managedFields`.
    pub field_owners: Vec<FieldOwner>,
    /// How long the operator has seen this version of the ConfigMap.
    pub unchanged_for: Duration,
}

/// An entry of `managedFields` that owns the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOwner {
    /// The index of the entry in `managedFields`.
    pub index: usize,
    /// The name of the field manager.
    pub manager: String,
    /// When the field manager wrote last.
    pub at: Option<Timestamp>,
}

impl MeshConfigMap {
    /// Reads a ConfigMap, which the operator has seen unchanged for `unchanged_for`.
    pub fn of(config_map: &ConfigMap, unchanged_for: Duration) -> Self {
        Self {
            name: ObjectName::of(config_map),
            resource_version: config_map.resource_version().unwrap_or_default(),
            text: config_map
                .data
                .as_ref()
                .and_then(|data| data.get(MESH_KEY))
                .cloned(),
            created_by_operator: config_map.labels().get(MANAGED_BY_LABEL).map(String::as_str)
                == Some(OPERATOR_NAME),
            managing_tool: ManagingTool::of(config_map),
            helm_release: helm_release(config_map),
            field_owners: field_owners(config_map.managed_fields()),
            unchanged_for,
        }
    }

    /// The text; empty when there is none, because istiod reads both alike.
    pub fn mesh_text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The owner that wrote the text last.
    pub fn last_writer(&self) -> Option<&FieldOwner> {
        self.field_owners.iter().max_by_key(|owner| owner.at)
    }
}

fn field_owners(entries: &[ManagedFieldsEntry]) -> Vec<FieldOwner> {
    let has_text = |entry: &ManagedFieldsEntry| {
        entry
            .fields_v1
            .as_ref()
            .and_then(|fields| fields.0.get("f:data"))
            .and_then(Value::as_object)
            .is_some_and(|data| data.contains_key("f:mesh"))
    };
    entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| has_text(entry))
        .map(|(index, entry)| FieldOwner {
            index,
            manager: entry.manager.clone().unwrap_or_default(),
            at: entry.time.as_ref().map(|time| time.0),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(metadata: &Value) -> MeshConfigMap {
        let value = json!({"metadata": metadata, "data": {"mesh": "a: b"}});
        MeshConfigMap::of(&serde_json::from_value(value).unwrap(), Duration::ZERO)
    }

    #[test]
    fn only_entries_that_have_the_text_own_it() {
        let metadata = json!({"managedFields": [
            {"manager": "labels", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
            {"manager": "helm", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {"f:mesh": {}, "f:meshNetworks": {}}}},
            {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:data": {"f:mesh": {}}}},
            {"manager": "networks", "fieldsV1": {"f:data": {"f:meshNetworks": {}}}},
        ]});
        let config_map = config_map(&metadata);
        let field_owners: Vec<(usize, &str)> = config_map
            .field_owners
            .iter()
            .map(|owner| (owner.index, owner.manager.as_str()))
            .collect();
        assert_eq!(field_owners, [(1, "helm"), (2, "kubectl-edit")]);
        assert_eq!(config_map.last_writer().unwrap().manager, "kubectl-edit");
    }
}
