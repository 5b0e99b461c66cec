//! The directory source `file`. It reads what `kubectl get
//! pods,services,endpointslices,nodes,serviceentries,workloadentries -A` prints with `-o json` or `-o
//! yaml`. A cluster without Istio's definitions has neither of the last two kinds.
//!
//! Each item is reduced to its record before the next one is decoded, so a large file costs little more
//! than its text. For 100 000 pods, 67 MB of YAML took 6.6 s and 136 MB, and 116 MB of JSON took 1.6 s and
//! 183 MB. The YAML parser alone takes 5.6 s.

pub mod follow;
mod list;

use std::path::{Path, PathBuf};

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::{ObjectKind, Record};
use alscope_analysis::directory::state::DirectoryState;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::{Undecodable, decode};
use super::service_entry::ServiceEntry;
use super::workload_entry::WorkloadEntry;
use crate::clock;
use list::List;

/// The errors of a directory file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file can't be read.
    #[error("directory file {}: {source}; write it with `{KUBECTL}`", path.display())]
    Unreadable {
        /// The directory file's path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is neither JSON nor YAML, or its top level is not an object.
    #[error("directory file {}: not YAML, or no List: {message}; write it with `{KUBECTL}`", path.display())]
    NotYaml {
        /// The directory file's path.
        path: PathBuf,
        /// The parser's message, with the place.
        message: String,
    },
    /// The file is not a List of Kubernetes objects.
    #[error("directory file {}: it holds {found}, not a List with items; write it with `{KUBECTL}`", path.display())]
    NotAList {
        /// The directory file's path.
        path: PathBuf,
        /// What the file holds instead, such as `an object of the kind Pod`.
        found: String,
    },
}

/// The command that writes such a file, for error messages.
const KUBECTL: &str = "kubectl get pods,services,endpointslices,nodes -A -o json";

/// An item that can't be decoded, with its kind.
pub type LeftOut = (ObjectKind, Undecodable);

/// An item of a directory file, decoded.
type Item = Result<Record, LeftOut>;

/// Reads the file into `state`, which must be empty. Returns the items that can't be
/// decoded and are left out.
pub fn load(path: &Path, state: &mut DirectoryState) -> Result<Vec<LeftOut>, FileError> {
    let text = read(path)?;
    let (rules, now) = (state.naming_rules().clone(), clock::now());
    let mut left_out = Vec::new();
    parse(&text, path, &rules, |item| match item {
        Ok(record) => state.apply(record, now),
        Err(undecodable) => left_out.push(undecodable),
    })?;
    Ok(left_out)
}

fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Passes each item of a kind that the directory uses to `take`. After an error the items passed
/// so far must be discarded.
fn parse(text: &str, path: &Path, rules: &NamingRules, mut take: impl FnMut(Item)) -> Result<(), FileError> {
    let list = if is_json(text) {
        let take = |item: &RawValue| decode_item(item, rules).into_iter().for_each(&mut take);
        let mut json = serde_json::Deserializer::from_str(text);
        List::read(&mut json, take).map_err(|error| error.to_string())
    } else {
        // The parser's default limits are for input from strangers; a mesh of a thousand pods is beyond
        // them. No error shows a part of the file, which may hold secrets.
        let options = serde_saphyr::options! { budget: None, with_snippet: false };
        let take = |item: Value| decode_item(&item, rules).into_iter().for_each(&mut take);
        serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| List::read(yaml, take))
            .map_err(|error| error.to_string())
    };
    let path = path.to_owned();
    match list {
        Err(message) => Err(FileError::NotYaml { path, message }),
        Ok(list) if list.is_complete() => Ok(()),
        Ok(list) => {
            let found = match list.kind.as_deref() {
                None => "an object without a kind".to_owned(),
                Some("List") => "a List without items".to_owned(),
                Some(kind) => format!("an object of the kind {kind}"),
            };
            Err(FileError::NotAList { path, found })
        }
    }
}

/// Returns whether a text is likely JSON, which parses ten times as fast as YAML. A flow mapping of
/// YAML begins the same way.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[derive(Deserialize)]
struct Typed {
    kind: Option<String>,
}

/// Decodes an item into its record. Returns `None` for a kind that the directory does not use.
fn decode_item<'de, D: Deserializer<'de> + Copy>(item: D, rules: &NamingRules) -> Option<Item> {
    let typed = Typed::deserialize(item).ok()?;
    let kind = typed.kind?;
    let kind = ObjectKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let decoded = match kind {
        ObjectKind::Pod => decode::<Pod, _>(item, rules),
        ObjectKind::Service => decode::<Service, _>(item, rules),
        ObjectKind::EndpointSlice => decode::<EndpointSlice, _>(item, rules),
        ObjectKind::Node => decode::<Node, _>(item, rules),
        ObjectKind::ServiceEntry => decode::<ServiceEntry, _>(item, rules),
        ObjectKind::WorkloadEntry => decode::<WorkloadEntry, _>(item, rules),
    };
    Some(decoded.map_err(|undecodable| (kind, undecodable)))
}

#[cfg(test)]
mod tests;
