//! Restores mesh config: each ConfigMap gets back what it held before the install, wherever nobody would revert that.

use std::collections::BTreeMap;

use crate::api::MeshObservabilityStatus;
use crate::world::{
    Backup, ManagingTool, MeshConfigContent, MeshConfigMap, OPERATOR_NAME, ObjectName, ReadError, World,
};

use super::original::{Original, file_provider, host_and_port, without_own_values};
use super::step::{MeshEdit, Step};

/// The mesh config to restore, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Restoration<'a> {
    /// The cluster as the operator has read it.
    pub world: &'a World,
    /// What was there before; absent when nothing was written, or when the backup is lost.
    pub backup: Option<&'a Backup>,
    /// The addresses that the operator may have written: the one in the backup, and the present one.
    pub addresses: &'a [&'a str],
    /// The status from before this pass.
    pub status: &'a MeshObservabilityStatus,
}

/// What is left to do until all ConfigMaps are restored.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// The writes, in order.
    pub(super) steps: Vec<Step>,
    /// What can't be restored, each with what to do.
    pub(super) incomplete: Vec<String>,
    /// Whether a ConfigMap that can't be restored still has the address.
    pub(super) is_wired: bool,
    /// Why a ConfigMap could not be read.
    pub(super) unreadable: Option<ReadError>,
}

impl Restoration<'_> {
    /// Plans the restoration of every ConfigMap that the operator wrote.
    pub(super) fn restore_all(&self) -> Restored {
        let mut restored = Restored::default();
        for (name, original) in self.originals() {
            match self.world.config_maps.get(&name) {
                Some(Err(error)) => restored.unreadable = Some(error.clone()),
                // It went with its mesh.
                None | Some(Ok(None)) => {}
                Some(Ok(Some(config_map))) => {
                    let inherited = self.inherited(config_map);
                    let original = Original {
                        content: &original,
                        inherited: inherited.as_deref(),
                    };
                    self.restore(config_map, original, &mut restored);
                }
            }
        }
        restored
    }

    /// What each ConfigMap held. Without the backup, a ConfigMap that the status names held nothing at the operator's paths.
    pub(super) fn originals(&self) -> BTreeMap<ObjectName, MeshConfigContent> {
        if let Some(backup) = self.backup {
            return backup.originals.clone();
        }
        if self.status.backup.is_none() {
            return BTreeMap::new();
        }
        let wired = self.status.mesh.iter().flat_map(|mesh| &mesh.config_maps);
        wired
            .filter_map(|one| {
                let name = ObjectName::parse(&one.name)?;
                self.world
                    .config_maps
                    .contains_key(&name)
                    .then_some((name, MeshConfigContent::Text(String::new())))
            })
            .collect()
    }

    /// What the mesh logged to where a text lists no provider. Without the backup, the file that the text names tells it.
    fn inherited(&self, config_map: &MeshConfigMap) -> Option<Vec<String>> {
        let Some(backup) = self.backup else {
            let settings = alscope_mesh_config::read(config_map.mesh_text()).ok()?;
            return Some(file_provider(&settings));
        };
        backup.inherited.get(&config_map.name).cloned()
    }

    fn restore(&self, config_map: &MeshConfigMap, original: Original<'_>, restored: &mut Restored) {
        let current = config_map.mesh_text();
        let name = &config_map.name;
        // A provider has the host and the port apart.
        let mut addresses = self.addresses.iter();
        let address = addresses.find(|address| current.contains(host_and_port(address).0));
        let original_content = original.content;
        match without_own_values(current, original, self.addresses) {
            Ok(result) => {
                // Without the backup, what was there before is not known.
                for path in result.kept.iter().filter(|_| self.backup.is_some()) {
                    restored.incomplete.push(format!(
                        "{path} in {name} was changed by somebody else and stays as it is"
                    ));
                }
                match (
                    edit(config_map, original_content, result.text),
                    config_map.managing_tool,
                ) {
                    (Some(_), Some(tool)) => {
                        restored.incomplete.push(managed(name, tool, original, address));
                        restored.is_wired = true;
                    }
                    (Some(edit), None) => {
                        restored.steps.push(Step::WriteMesh(edit));
                        return;
                    }
                    (None, _) => {}
                }
            }
            Err(error) => {
                if let Some(address) = address {
                    restored.is_wired = true;
                    restored.incomplete.push(format!(
                        "{name} can't be restored: {error}; remove {keys}, which send access logs to {address}, from it by hand",
                        keys = keys(original)
                    ));
                }
            }
        }
        restored.steps.extend(release_field_ownership(config_map));
    }
}

/// The keys that the operator wrote, for people.
fn keys(original: Original<'_>) -> &'static str {
    match original.inherited {
        None => "enableEnvoyAccessLogService and defaultConfig.envoyAccessLogService",
        Some(_) => "alscope in extensionProviders and in defaultProviders.accessLogging",
    }
}

/// What people do about a ConfigMap that a tool would revert.
fn managed(name: &ObjectName, tool: ManagingTool, original: Original<'_>, address: Option<&&str>) -> String {
    let place = match tool {
        ManagingTool::Sail => "its Istio resource's spec.values.meshConfig",
        _ => "its source",
    };
    let then = alscope_mesh_config::read(original.content.text()).unwrap_or_default();
    let foreign = then.address().map_or(String::new(), |address| {
        format!(", or put the address {address} there, which stood there before")
    });
    format!(
        "{name} is managed by {tool}, which would revert a change, and still sends access logs to {address}; remove \
         {keys} from {place}{foreign}",
        tool = tool.as_str(),
        address = address.copied().unwrap_or("the collector"),
        keys = keys(original),
    )
}

/// The write that gives a ConfigMap `text`; `None` when it has that already.
fn edit(config_map: &MeshConfigMap, original: &MeshConfigContent, text: String) -> Option<MeshEdit> {
    let is_empty = text.trim().is_empty();
    let after = match original {
        MeshConfigContent::ObjectAbsent if is_empty && config_map.created_by_operator => {
            MeshConfigContent::ObjectAbsent
        }
        MeshConfigContent::KeyAbsent | MeshConfigContent::ObjectAbsent if is_empty => {
            MeshConfigContent::KeyAbsent
        }
        MeshConfigContent::Text(_) | MeshConfigContent::KeyAbsent | MeshConfigContent::ObjectAbsent => {
            MeshConfigContent::Text(text)
        }
    };
    let same = match &after {
        MeshConfigContent::Text(text) => config_map.mesh_text() == text,
        MeshConfigContent::KeyAbsent => config_map.text.is_none(),
        MeshConfigContent::ObjectAbsent => false,
    };
    (!same).then(|| MeshEdit {
        config_map: config_map.name.clone(),
        resource_version: Some(config_map.resource_version.clone()),
        before: config_map.text.clone(),
        after,
        inherited: None,
    })
}

/// Removes the operator's entry from `managedFields`. A write removes one entry, because that changes the index of the others.
pub fn release_field_ownership(config_map: &MeshConfigMap) -> Option<Step> {
    let owner = config_map
        .field_owners
        .iter()
        .find(|owner| owner.manager == OPERATOR_NAME && !config_map.created_by_operator)?;
    Some(Step::ReleaseFieldOwnership {
        config_map: config_map.name.clone(),
        index: owner.index,
        manager: owner.manager.clone(),
        resource_version: config_map.resource_version.clone(),
    })
}
