//! The backup: what mesh config was before the wiring, in a ConfigMap of the operator's namespace.
//!
//! It is written before mesh config is, is owned by no object, so that nothing collects it, and is enough to restore the mesh
//! without the resource: it has the address that was written, too.
//!
//! It is read whole or not at all: what this operator does not know, a newer one has written, and would lose when this one
//! replaces it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::object_name::ObjectName;
use super::read_error::{ReadError, ReadResult};

/// Names the resource whose backup it is.
const RESOURCE_ANNOTATION: &str = "alscope.dev/resource";
/// The address that mesh config was given.
const ADDRESS_ANNOTATION: &str = "alscope.dev/address";
/// Finds backups, and the collector's objects, by the uid of their resource.
pub const OWNER_UID_LABEL: &str = "alscope.dev/owner-uid";

/// Set by people, to let a mesh be restored whose resource is gone and whose managed gateways are rolled by that.
const ROLLOUT_ANNOTATION: &str = "alscope.dev/allow-gateway-rollout";
/// Tells how the backup is to be read; absent means 1.
const VERSION_ANNOTATION: &str = "alscope.dev/backup-version";
/// What this operator reads and writes.
const VERSION: &str = "1";
/// Annotations with this beginning are the operator's own.
const OWN: &str = "alscope.dev/";

const PREFIX: &str = "alscope-backup-";
const TEXT: &str = "text";
const KEY_ABSENT: &str = "key-absent";
const OBJECT_ABSENT: &str = "object-absent";

/// What one ConfigMap held before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshConfigContent {
    /// This text.
    Text(String),
    /// It had no key `mesh`.
    KeyAbsent,
    /// It did not exist.
    ObjectAbsent,
}

impl MeshConfigContent {
    /// The text, empty when there was none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::KeyAbsent | Self::ObjectAbsent => "",
        }
    }
}

/// What a mesh's ConfigMaps held before they were wired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// The uid of the resource.
    pub uid: String,
    /// The name of the resource.
    pub resource: String,
    /// The address that is written into mesh config.
    pub address: String,
    /// By ConfigMap.
    pub originals: BTreeMap<ObjectName, MeshConfigContent>,
    /// Whether somebody has allowed that managed gateways are rolled when it is restored.
    pub allows_rollout: bool,
    /// Guards its replacement; absent for one that is to be created.
    pub resource_version: Option<String>,
}

impl Backup {
    /// The name of the ConfigMap for a resource's backup.
    pub fn name_for(uid: &str) -> String {
        format!("{PREFIX}{uid}")
    }

    /// The uid of the resource whose backup a ConfigMap of the operator's namespace with this name is; `None` for one that is
    /// no backup.
    pub fn uid_of(name: &str) -> Option<&str> {
        name.strip_prefix(PREFIX)
    }

    /// Reads a backup; `None` for a ConfigMap that is none. A version, key or annotation that is not known is an error.
    pub fn of(config_map: &ConfigMap) -> Option<ReadResult<Self>> {
        let uid = Self::uid_of(config_map.metadata.name.as_deref()?)?;
        Some(
            Self::read(config_map, uid).map_err(|what| ReadError::NewerBackup {
                backup: ObjectName::of(config_map),
                what,
            }),
        )
    }

    /// The error says what is not known.
    fn read(config_map: &ConfigMap, uid: &str) -> Result<Self, String> {
        let annotations = config_map.annotations();
        let annotation = |name: &str| annotations.get(name).cloned().unwrap_or_default();
        if let Some(version) = annotations
            .get(VERSION_ANNOTATION)
            .filter(|version| *version != VERSION)
        {
            return Err(format!(
                "its version is {version}, this operator reads version {VERSION}"
            ));
        }
        let known = [
            VERSION_ANNOTATION,
            RESOURCE_ANNOTATION,
            ADDRESS_ANNOTATION,
            ROLLOUT_ANNOTATION,
        ];
        let mut own = annotations.keys().filter(|name| name.starts_with(OWN));
        if let Some(name) = own.find(|name| !known.contains(&name.as_str())) {
            return Err(format!("it has the annotation {name}"));
        }
        if let Some((key, _)) = config_map.binary_data.iter().flatten().next() {
            return Err(format!("it has the binary key {key}"));
        }
        let entries = config_map.data.iter().flatten();
        let originals =
            entries.map(|(key, text)| entry(key, text).ok_or_else(|| format!("it has the key {key}")));
        Ok(Self {
            uid: uid.to_owned(),
            resource: annotation(RESOURCE_ANNOTATION),
            address: annotation(ADDRESS_ANNOTATION),
            originals: originals.collect::<Result<_, _>>()?,
            allows_rollout: annotation(ROLLOUT_ANNOTATION) == "true",
            resource_version: config_map.resource_version(),
        })
    }

    /// The command by which people allow that managed gateways are rolled, for a backup in the operator's namespace.
    pub fn allow_rollout(&self, namespace: &str) -> String {
        let name = Self::name_for(&self.uid);
        format!("kubectl -n {namespace} annotate configmap {name} {ROLLOUT_ANNOTATION}=true")
    }

    /// As a ConfigMap of the operator's namespace.
    pub fn config_map(&self, namespace: &str) -> ConfigMap {
        let entries = self.originals.iter().map(|(name, original)| {
            let (kind, text) = match original {
                MeshConfigContent::Text(text) => (TEXT, text.clone()),
                MeshConfigContent::KeyAbsent => (KEY_ABSENT, String::new()),
                MeshConfigContent::ObjectAbsent => (OBJECT_ABSENT, String::new()),
            };
            (format!("{kind}.{}.{}", name.namespace, name.name), text)
        });
        let mut annotations = vec![
            (VERSION_ANNOTATION, VERSION),
            (RESOURCE_ANNOTATION, &self.resource),
            (ADDRESS_ANNOTATION, &self.address),
        ];
        annotations.extend(self.allows_rollout.then_some((ROLLOUT_ANNOTATION, "true")));
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(Self::name_for(&self.uid)),
                namespace: Some(namespace.to_owned()),
                labels: Some(BTreeMap::from([
                    (
                        "app.kubernetes.io/managed-by".to_owned(),
                        "alscope-operator".to_owned(),
                    ),
                    ("app.kubernetes.io/component".to_owned(), "backup".to_owned()),
                    (OWNER_UID_LABEL.to_owned(), self.uid.clone()),
                ])),
                annotations: Some(
                    annotations
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                ),
                resource_version: self.resource_version.clone(),
                ..ObjectMeta::default()
            },
            data: Some(entries.collect()),
            ..ConfigMap::default()
        }
    }
}

/// `KIND.NAMESPACE.NAME`, and what was there.
fn entry(key: &str, text: &str) -> Option<(ObjectName, MeshConfigContent)> {
    let (kind, name) = key.split_once('.')?;
    let (namespace, name) = name.split_once('.')?;
    let original = match kind {
        TEXT => MeshConfigContent::Text(text.to_owned()),
        KEY_ABSENT => MeshConfigContent::KeyAbsent,
        OBJECT_ABSENT => MeshConfigContent::ObjectAbsent,
        _ => return None,
    };
    Some((ObjectName::new(namespace, name), original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_read_as_it_was_written() {
        let backup = Backup {
            uid: "0b1f".to_owned(),
            resource: "alscope".to_owned(),
            address: "collector.alscope-system.svc.cluster.local:11800".to_owned(),
            originals: BTreeMap::from([
                (
                    ObjectName::new("istio-system", "istio"),
                    MeshConfigContent::Text("# mesh\r\na: b".to_owned()),
                ),
                (
                    ObjectName::new("istio-system", "istio-1.30"),
                    MeshConfigContent::KeyAbsent,
                ),
                (
                    ObjectName::new("istio-system", "istio-user"),
                    MeshConfigContent::ObjectAbsent,
                ),
            ]),
            allows_rollout: true,
            resource_version: Some("7".to_owned()),
        };
        let config_map = backup.config_map("alscope-system");
        assert_eq!(config_map.metadata.name.as_deref(), Some("alscope-backup-0b1f"));
        assert_eq!(config_map.metadata.owner_references, None);
        assert_eq!(Backup::of(&config_map), Some(Ok(backup)));
    }

    #[test]
    fn another_config_map_is_no_backup() {
        let mut config_map = Backup::default().config_map("alscope-system");
        config_map.metadata.name = Some("alscope-collector-1".to_owned());
        assert_eq!(Backup::of(&config_map), None);
    }
}
