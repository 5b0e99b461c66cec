//! What must hold after every step, whatever came before it.

use std::collections::BTreeMap;

use alscope_plan::world::{Backup, ObjectName, OwnedKind};
use serde_json::Value;

use crate::cluster::{Cluster, named};

/// Panics with what does not hold.
pub(crate) fn check(cluster: &Cluster) {
    let known = cluster.foreign.clone();
    for (name, stored) in &cluster.config_maps {
        assert!(
            name.namespace == cluster.settings.namespace
                || known.contains_key(name)
                || is_own(&stored.object),
            "{name} is nobody's"
        );
        if name.namespace == cluster.settings.namespace {
            continue;
        }
        let text = cluster.text_of(name).unwrap_or_default();
        let foreign = known.get(name).cloned().flatten().unwrap_or_default();
        assert_eq!(
            others(&text),
            others(&foreign),
            "{name}: something else was changed, after {:?}",
            cluster.log
        );
        for comment in foreign.lines().filter(|line| line.starts_with('#')) {
            assert!(text.contains(comment), "{name} has lost {comment:?}");
        }
        let ours = cluster
            .addresses
            .iter()
            .find(|address| text.contains(host(address)));
        // Somebody else may send access logs to the collector, too.
        if let Some(address) = ours.filter(|address| !foreign.contains(host(address))) {
            wired(cluster, name, address, &foreign);
        }
    }
}

fn is_own(object: &k8s_openapi::api::core::v1::ConfigMap) -> bool {
    let labels = object.metadata.labels.iter().flatten();
    labels.into_iter().any(|label| {
        label
            == (
                &"app.kubernetes.io/managed-by".to_owned(),
                &"alscope-operator".to_owned(),
            )
    })
}

/// The address is in a ConfigMap.
fn wired(cluster: &Cluster, name: &ObjectName, address: &str, foreign: &str) {
    let backups = cluster.backups();
    let backup: Option<&Backup> = backups.iter().find(|backup| backup.originals.contains_key(name));
    let log = &cluster.log;
    assert!(
        backup.is_some(),
        "{name} is wired without a backup, after {log:?}"
    );
    let before = backup.unwrap().originals.get(name).unwrap().text();
    assert_eq!(
        own(before),
        own(foreign),
        "the backup of {name} is not what was there"
    );
    let uid = &backup.unwrap().uid;
    let Some(resource) = cluster
        .resources
        .iter()
        .find(|one| one.metadata.uid.as_ref() == Some(uid))
    else {
        // It went without its finalizer, and so did the Service: what is left is the operator's to take back.
        return;
    };
    assert!(
        resource.metadata.finalizers.is_some(),
        "{name} is wired without a finalizer, after {log:?}"
    );
    let service = address.split('.').next().unwrap();
    assert!(
        cluster
            .owned
            .iter()
            .any(|owned| owned.kind == OwnedKind::Service && owned.name == service),
        "{name} names {address}, and there is no Service {service}, after {log:?}"
    );
}

/// A provider has the host and the port apart.
fn host(address: &str) -> &str {
    address.split(':').next().unwrap()
}

fn is_provider(value: &Value) -> bool {
    value["name"] == "alscope"
}

/// What a text says at the operator's paths.
fn own(text: &str) -> BTreeMap<&'static str, Value> {
    let value = parsed(text);
    let mut providers = value["extensionProviders"].as_array().into_iter().flatten();
    let provider = providers.find(|one| is_provider(one)).cloned();
    let service = &value["defaultConfig"]["envoyAccessLogService"];
    BTreeMap::from([
        ("flag", value["enableEnvoyAccessLogService"].clone()),
        ("service", service.clone()),
        ("provider", provider.unwrap_or_default()),
    ])
}

/// What a text says elsewhere.
fn others(text: &str) -> Value {
    let mut value = parsed(text);
    if let Some(root) = value.as_object_mut() {
        root.remove("enableEnvoyAccessLogService");
        if let Some(proxy) = root.get_mut("defaultConfig").and_then(Value::as_object_mut) {
            proxy.remove("envoyAccessLogService");
        }
        if let Some(providers) = root.get_mut("extensionProviders").and_then(Value::as_array_mut) {
            providers.retain(|one| !is_provider(one));
        }
        let has_file = root
            .get("accessLogFile")
            .is_some_and(|file| file.as_str() != Some(""));
        if let Some(defaults) = root.get_mut("defaultProviders").and_then(Value::as_object_mut) {
            if let Some(names) = defaults.get_mut("accessLogging").and_then(Value::as_array_mut) {
                names.retain(|name| name != "alscope");
                // It is what the file means without a list.
                if has_file && names.iter().all(|name| name == "envoy") {
                    names.clear();
                }
            }
            defaults.retain(|_, value| !is_empty(value));
        }
        root.retain(|key, value| {
            !["defaultConfig", "extensionProviders", "defaultProviders"].contains(&key.as_str())
                || !is_empty(value)
        });
    }
    value
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    }
}

fn parsed(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    // What is not YAML is not written, so it is compared as it stands.
    serde_saphyr::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What a run has come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    texts: BTreeMap<ObjectName, Option<String>>,
    objects: Vec<(OwnedKind, String)>,
    finalizers: Vec<(String, Vec<String>)>,
    backups: Vec<(
        String,
        String,
        BTreeMap<ObjectName, alscope_plan::world::MeshConfigContent>,
    )>,
    owned_texts: Vec<ObjectName>,
}

impl End {
    /// As things are.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let of_mesh: Vec<&ObjectName> = cluster
            .config_maps
            .keys()
            .filter(|name| name.namespace != cluster.settings.namespace)
            .collect();
        let mut objects: Vec<(OwnedKind, String)> = cluster
            .owned
            .iter()
            .map(|owned| (owned.kind, owned.name.clone()))
            .collect();
        objects.sort();
        Self {
            texts: of_mesh
                .iter()
                .map(|name| ((*name).clone(), cluster.text_of(name)))
                .collect(),
            objects,
            finalizers: cluster
                .resources
                .iter()
                .map(|one| {
                    let name = one.metadata.name.clone().unwrap_or_default();
                    (name, one.metadata.finalizers.clone().unwrap_or_default())
                })
                .collect(),
            backups: cluster
                .backups()
                .into_iter()
                .map(|backup| (backup.uid, backup.address, backup.originals))
                .collect(),
            owned_texts: of_mesh
                .into_iter()
                .filter(|name| cluster.is_owner_of(&name.name))
                .cloned()
                .collect(),
        }
    }
}

/// Nothing of the operator's is left, and every text is what it would be without it.
pub(crate) fn assert_nothing_is_left(cluster: &Cluster) {
    assert_eq!(cluster.resources, [], "a resource is left");
    assert_eq!(cluster.owned, [], "an object is left");
    assert_eq!(cluster.backups(), [], "a backup is left");
    let texts: BTreeMap<ObjectName, Option<String>> = cluster
        .config_maps
        .keys()
        .map(|name| (name.clone(), cluster.text_of(name)))
        .collect();
    assert_eq!(texts, cluster.foreign, "after {:?}", cluster.log);
    for name in cluster.foreign.keys() {
        assert!(!cluster.is_owner_of(&name.name), "{name} is owned");
    }
    assert!(cluster.config_maps.contains_key(&named("istio")) || cluster.foreign.is_empty());
}

/// The resource `alscope` is deleted, and then nothing is left.
pub(crate) fn assert_deletion_leaves_nothing(cluster: &mut Cluster) {
    cluster.delete();
    cluster.settle();
    assert_nothing_is_left(cluster);
}
