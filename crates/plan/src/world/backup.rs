//! The backup: what mesh config was before the wiring, in a ConfigMap of the operator's namespace.
//!
//! The operator writes the backup before it writes mesh config. No object owns it, so the garbage collector leaves it alone. It is
//! enough to restore the mesh without the resource, because it has the address that was written, too.
//!
//! A backup with anything unknown is not read at all: a newer operator has written it, and this one would lose that part when it
//! replaces the backup.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::object_name::ObjectName;
use super::read_error::{ReadError, ReadResult};

/// The annotation with the name of the resource that the backup belongs to.
const RESOURCE_ANNOTATION: &str = "alscope.dev/resource";
/// The annotation with the address that the operator wrote into mesh config.
const ADDRESS_ANNOTATION: &str = "alscope.dev/address";
/// The label with the uid of the resource that a backup or an object of a collector belongs to.
pub const OWNER_UID_LABEL: &str = "alscope.dev/owner-uid";

/// The annotation by which people allow that a restore rolls managed gateways after the resource is gone.
const ROLLOUT_ANNOTATION: &str = "alscope.dev/allow-gateway-rollout";
/// The annotation with the format of the backup; absent means 1.
const VERSION_ANNOTATION: &str = "alscope.dev/backup-version";
/// The format that this version of the operator reads and writes.
const VERSION: &str = "1";
/// The prefix of the operator's own annotations.
const OWN: &str = "alscope.dev/";

const PREFIX: &str = "alscope-backup-";
const TEXT: &str = "text";
const KEY_ABSENT: &str = "key-absent";
const OBJECT_ABSENT: &str = "object-absent";
const INHERITED_PROVIDERS: &str = "inherited-providers";

/// What a ConfigMap holds under its key `mesh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshConfigContent {
    /// The key holds this text.
    Text(String),
    /// The ConfigMap has no key `mesh`.
    KeyAbsent,
    /// There is no such ConfigMap.
    ObjectAbsent,
}

impl MeshConfigContent {
    /// The text; empty when there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::KeyAbsent | Self::ObjectAbsent => "",
        }
    }
}

/// What the ConfigMaps of a mesh held before they were wired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// The uid of the resource.
    pub uid: String,
    /// The name of the resource.
    pub resource: String,
    /// The address that is written into mesh config.
    pub address: String,
    /// What each ConfigMap held.
    pub originals: BTreeMap<ObjectName, MeshConfigContent>,
    /// For each ConfigMap that the operator wrote a provider into: what the mesh logged to where that text lists no provider.
    pub inherited: BTreeMap<ObjectName, Vec<String>>,
    /// Whether somebody has allowed that managed gateways are rolled when it is restored.
    pub allows_rollout: bool,
    /// The uid of its ConfigMap, which differs for each wiring of the mesh; absent for a backup that is to be created.
    pub config_map_uid: Option<String>,
    /// The resourceVersion that guards its replacement; absent for a backup that is to be created.
    pub resource_version: Option<String>,
}

impl Backup {
    /// The name of the ConfigMap for a resource's backup.
    pub fn name_for(uid: &str) -> String {
        format!("{PREFIX}{uid}")
    }

    /// The uid of the resource, from the name of a ConfigMap in the operator's namespace; `None` for a ConfigMap that is
    /// no backup.
    pub fn uid_of(name: &str) -> Option<&str> {
        name.strip_prefix(PREFIX)
    }

    /// Reads a backup; `None` for any other ConfigMap. An unknown format, key or annotation is an error.
    pub fn of(config_map: &ConfigMap) -> Option<ReadResult<Self>> {
        let uid = Self::uid_of(config_map.metadata.name.as_deref()?)?;
        Some(
            Self::read(config_map, uid).map_err(|what| ReadError::NewerBackup {
                backup: ObjectName::of(config_map),
                what,
            }),
        )
    }

    /// Reads a backup of this name. The error says what is unknown.
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
        let mut originals = BTreeMap::new();
        let mut inherited = BTreeMap::new();
        for (key, text) in config_map.data.iter().flatten() {
            let unknown = || format!("it has the key {key}");
            let (kind, name) = entry(key).ok_or_else(unknown)?;
            let original = match kind {
                TEXT => MeshConfigContent::Text(text.to_owned()),
                KEY_ABSENT => MeshConfigContent::KeyAbsent,
                OBJECT_ABSENT => MeshConfigContent::ObjectAbsent,
                INHERITED_PROVIDERS => {
                    let names = text.lines().map(str::to_owned);
                    inherited.insert(name, names.collect());
                    continue;
                }
                _ => return Err(unknown()),
            };
            originals.insert(name, original);
        }
        Ok(Self {
            uid: uid.to_owned(),
            resource: annotation(RESOURCE_ANNOTATION),
            address: annotation(ADDRESS_ANNOTATION),
            originals,
            inherited,
            allows_rollout: annotation(ROLLOUT_ANNOTATION) == "true",
            config_map_uid: config_map.uid(),
            resource_version: config_map.resource_version(),
        })
    }

    /// The command by which people allow that a restore rolls managed gateways.
    pub fn allow_rollout(&self, namespace: &str) -> String {
        let name = Self::name_for(&self.uid);
        format!("kubectl -n {namespace} annotate configmap {name} {ROLLOUT_ANNOTATION}=true")
    }

    /// The backup as a ConfigMap of the operator's namespace.
    pub fn config_map(&self, namespace: &str) -> ConfigMap {
        let entries = self.originals.iter().map(|(name, original)| {
            let (kind, text) = match original {
                MeshConfigContent::Text(text) => (TEXT, text.clone()),
                MeshConfigContent::KeyAbsent => (KEY_ABSENT, String::new()),
                MeshConfigContent::ObjectAbsent => (OBJECT_ABSENT, String::new()),
            };
            (format!("{kind}.{}.{}", name.namespace, name.name), text)
        });
        let inherited = self.inherited.iter().map(|(name, providers)| {
            let key = format!("{INHERITED_PROVIDERS}.{}.{}", name.namespace, name.name);
            (key, providers.join("\n"))
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
                uid: self.config_map_uid.clone(),
                ..ObjectMeta::default()
            },
            data: Some(entries.chain(inherited).collect()),
            ..ConfigMap::default()
        }
    }
}

/// The kind of an entry of a backup, and the ConfigMap that it is about, from its key `KIND.NAMESPACE.NAME`.
fn entry(key: &str) -> Option<(&str, ObjectName)> {
    let (kind, name) = key.split_once('.')?;
    let (namespace, name) = name.split_once('.')?;
    Some((kind, ObjectName::new(namespace, name)))
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
            inherited: BTreeMap::from([
                (ObjectName::new("istio-system", "istio"), Vec::new()),
                (
                    ObjectName::new("istio-system", "istio-user"),
                    vec!["envoy".to_owned(), "otel".to_owned()],
                ),
            ]),
            allows_rollout: true,
            config_map_uid: Some("c0ff".to_owned()),
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
