//! The directory source `file`: what `kubectl get pods,services,endpointslices,nodes,serviceentries,workloadentries -A -o yaml`
//! prints; clusters without Istio's definitions have neither of the last two.

use std::path::{Path, PathBuf};

use alscope_analysis::directory::Directory;
use alscope_analysis::directory::naming::NamingRules;
use alscope_analysis::directory::records::Record;
use alscope_analysis::directory::state::State;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::objects::Object;
use super::service_entry::ServiceEntry;
use super::workload_entry::WorkloadEntry;
use crate::clock;

/// Why a directory file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("directory file {}: {source}; write it with `{KUBECTL}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("directory file {}: not YAML: {message}; write it with `{KUBECTL}`", path.display())]
    NotYaml {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the place.
        message: String,
    },
    /// It is not a List.
    #[error("directory file {}: its kind is {found}, not List; write it with `{KUBECTL}`", path.display())]
    NotAList {
        /// The file.
        path: PathBuf,
        /// The kind that it has.
        found: String,
    },
    /// One of its items is not the object that its kind says.
    #[error("directory file {}: items[{index}] ({object}): {message}; write the file anew with `{KUBECTL}`", path.display())]
    BadItem {
        /// The file.
        path: PathBuf,
        /// The item's place, from 0.
        index: usize,
        /// Its kind, namespace and name.
        object: String,
        /// What is wrong.
        message: String,
    },
}

/// The command that writes such a file.
const KUBECTL: &str = "kubectl get pods,services,endpointslices,nodes -A -o yaml";

/// Reads the file into `state`, as the directory's only version.
pub fn load(path: &Path, state: State) -> Result<Directory, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path, state)
}

fn parse(text: &str, path: &Path, mut state: State) -> Result<Directory, FileError> {
    // The parser's bounds are for what strangers send: a mesh of a thousand pods is beyond them.
    let options = serde_saphyr::options! { budget: None };
    let list: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| FileError::NotYaml {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
    let kind = list.get("kind").and_then(Value::as_str);
    let (Some("List"), Some(items)) = (kind, list.get("items").and_then(Value::as_array)) else {
        let found = kind.map_or_else(|| "missing".to_owned(), |kind| format!("\"{kind}\""));
        return Err(FileError::NotAList {
            path: path.to_owned(),
            found,
        });
    };
    let now = clock::now();
    for (index, item) in items.iter().enumerate() {
        let record = record(item, state.naming_rules()).map_err(|error| FileError::BadItem {
            path: path.to_owned(),
            index,
            object: describe(item),
            message: error.to_string(),
        })?;
        if let Some(record) = record {
            state.apply(record, now);
        }
    }
    Ok(state.publish().unwrap_or_default())
}

/// The item's record; `None` of a kind that the directory does not use.
fn record(item: &Value, rules: &NamingRules) -> Result<Option<Record>, serde_json::Error> {
    Ok(Some(match item.get("kind").and_then(Value::as_str) {
        Some("Pod") => object::<Pod>(item, rules)?,
        Some("Service") => object::<Service>(item, rules)?,
        Some("EndpointSlice") => object::<EndpointSlice>(item, rules)?,
        Some("Node") => object::<Node>(item, rules)?,
        Some("ServiceEntry") => object::<ServiceEntry>(item, rules)?,
        Some("WorkloadEntry") => object::<WorkloadEntry>(item, rules)?,
        _ => return Ok(None),
    }))
}

fn object<K: Object + DeserializeOwned>(
    item: &Value,
    rules: &NamingRules,
) -> Result<Record, serde_json::Error> {
    Ok(K::deserialize(item)?.record(rules))
}

fn describe(item: &Value) -> String {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    format!(
        "{} {}/{}",
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name")
    )
}

#[cfg(test)]
mod tests;
