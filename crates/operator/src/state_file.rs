//! Reads the state of a cluster from a file that `kubectl get … -o yaml` has printed, for plans without a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_collector_config::choices;
use alscope_plan::api::{MeshObservability, definition};
use alscope_plan::plan::targets::config_maps as config_maps_of;
use alscope_plan::world::{ControlPlane, MeshConfigMap, ObjectName, Proxy, Telemetry, World};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The name of a file that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Why a file has no resource or no state of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file can't be read.
    #[error("{file} can't be read: {source}; check its path and its permissions")]
    File {
        /// The path of the file.
        file: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("{file} is not YAML: {message}")]
    Yaml {
        /// The path of the file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// An object does not fit its kind.
    #[error("{file}: {kind} {name} can't be read: {message}")]
    Object {
        /// The path of the file.
        file: PathBuf,
        /// The kind of the object.
        kind: String,
        /// The name of the object.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The resource has a field that does not exist.
    #[error("unknown field `{field}` in {file}; {choices}")]
    UnknownField {
        /// The path of the file.
        file: PathBuf,
        /// The field with its parents, as in `spec.collector.replicas`.
        field: String,
        /// The nearest field that may stand there, followed by all of them.
        choices: String,
    },
    /// The file has no `MeshObservability`.
    #[error(
        "{file} has no MeshObservability; write one, `apiVersion: alscope.dev/v1alpha1`, `kind: MeshObservability`"
    )]
    NoResource {
        /// The path of the file.
        file: PathBuf,
    },
    /// The file is not a List.
    #[error("{file} is no List; make it with `kubectl get deployments,configmaps,pods -A -o yaml`")]
    NoList {
        /// The path of the file.
        file: PathBuf,
    },
}

/// Reads the resource to plan for. The file may have other objects, too.
pub fn resource(file: &Path) -> Result<MeshObservability, StateError> {
    let found = documents(file)?
        .into_iter()
        .find(|document| kind(document) == "MeshObservability");
    let Some(mut value) = found else {
        return Err(StateError::NoResource {
            file: file.to_owned(),
        });
    };
    // As the API server's default does.
    if value.get("spec").is_none_or(Value::is_null) {
        value["spec"] = json!({});
    }
    refuse_unknown(file, &value)?;
    object(file, value)
}

/// Reads the state of a cluster from a List.
pub fn world(file: &Path) -> Result<World, StateError> {
    let mut world = World::default();
    let mut items = Vec::new();
    let documents = documents(file)?;
    if documents.is_empty() {
        return Err(StateError::NoList {
            file: file.to_owned(),
        });
    }
    for mut document in documents {
        match document.get_mut("items").map(Value::take) {
            Some(Value::Array(some)) => items.extend(some),
            _ => {
                return Err(StateError::NoList {
                    file: file.to_owned(),
                });
            }
        }
    }
    let (mut control_planes, mut gateways, mut proxies, mut telemetries) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut config_maps = BTreeMap::new();
    for item in items {
        match kind(&item) {
            "Deployment" => {
                let deployment: Deployment = object(file, item)?;
                let labels = deployment.metadata.labels.iter().flatten();
                if labels
                    .into_iter()
                    .any(|(name, _)| name == "gateway.istio.io/managed")
                {
                    gateways.push(ObjectName::of(&deployment));
                }
                control_planes.extend(ControlPlane::of(&deployment));
            }
            "ConfigMap" => {
                let config_map: ConfigMap = object(file, item)?;
                let found = MeshConfigMap::of(&config_map, Duration::MAX);
                config_maps.insert(found.name.clone(), Ok(Some(found)));
            }
            "Pod" => proxies.extend(Proxy::of(&object::<Pod>(file, item)?)),
            "Telemetry" => telemetries.push(Telemetry::of(&object::<DynamicObject>(file, item)?)),
            _ => {}
        }
    }
    // What istiod names and the list does not have does not exist, as far as can be told.
    for name in config_maps_of(&control_planes) {
        config_maps.entry(name).or_insert(Ok(None));
    }
    world.control_planes = Ok(control_planes);
    world.managed_gateways = Ok(gateways);
    world.proxies = Ok(proxies);
    world.telemetries = telemetries.into_iter().collect();
    world.config_maps = config_maps;
    Ok(world)
}

/// Refuses a field that the definition does not have, as the API server does if it is asked by `kubectl`.
fn refuse_unknown(file: &Path, resource: &Value) -> Result<(), StateError> {
    let definition = serde_json::to_value(definition()).unwrap_or_default();
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let found = schema.and_then(|schema| unknown_field("spec", schema, resource.get("spec")?));
    match found {
        None => Ok(()),
        Some((field, choices)) => Err(StateError::UnknownField {
            file: file.to_owned(),
            field,
            choices,
        }),
    }
}

/// The first field that a schema does not have, with what may stand there instead.
fn unknown_field(path: &str, schema: &Value, value: &Value) -> Option<(String, String)> {
    match value {
        Value::Object(fields) => {
            let known = schema.get("properties")?.as_object()?;
            fields.iter().find_map(|(name, value)| {
                let path = format!("{path}.{name}");
                let Some(schema) = known.get(name) else {
                    let known: Vec<&str> = known.keys().map(String::as_str).collect();
                    return Some((path, choices(name, &known)));
                };
                unknown_field(&path, schema, value)
            })
        }
        Value::Array(items) => {
            let schema = schema.get("items")?;
            let mut items = items.iter().enumerate();
            items.find_map(|(place, item)| unknown_field(&format!("{path}[{place}]"), schema, item))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn documents(file: &Path) -> Result<Vec<Value>, StateError> {
    let read = if file == Path::new(STANDARD_INPUT) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = read.map_err(|source| StateError::File {
        file: file.to_owned(),
        source,
    })?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|error| StateError::Yaml {
        file: file.to_owned(),
        message: error.to_string(),
    })?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

fn kind(value: &Value) -> &str {
    value.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn object<T: DeserializeOwned>(file: &Path, value: Value) -> Result<T, StateError> {
    let text = |pointer: &str| {
        let found = value.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or("without a name").to_owned()
    };
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    serde_json::from_value(value).map_err(|error| StateError::Object {
        file: file.to_owned(),
        kind,
        name,
        message: error.to_string(),
    })
}
