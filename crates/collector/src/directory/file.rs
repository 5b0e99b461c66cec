//! The directory source `file`: what `kubectl get pods,services,endpointslices,nodes,serviceentries,workloadentries -A` prints with
//! `-o json` or `-o yaml`; clusters without Istio's definitions have neither of the last two.
//!
//! Each item is reduced to its record before the next one is decoded, so that a large file costs little more than its text. Of
//! 100 000 pods, 67 MB of YAML or 116 MB of JSON, the one took 6.6 s and 136 MB, the other 1.6 s and 183 MB: the parser of YAML
//! alone takes 5.6 s.

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
    /// It is neither JSON nor YAML, or no object.
    #[error("directory file {}: not YAML, or no List: {message}; write it with `{KUBECTL}`", path.display())]
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
}

/// The command that writes such a file.
const KUBECTL: &str = "kubectl get pods,services,endpointslices,nodes -A -o json";

/// An item that can't be decoded, of this kind.
pub type LeftOut = (ObjectKind, Undecodable);

/// An item of a directory file.
type Item = Result<Record, LeftOut>;

/// Reads the file into `state`, in which nothing is yet. The items that can't be decoded are left out and named.
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

/// Hands each item of a kind that the directory uses to `take`. After an error what was handed on is of no use.
fn parse(text: &str, path: &Path, rules: &NamingRules, mut take: impl FnMut(Item)) -> Result<(), FileError> {
    let list = if is_json(text) {
        let take = |item: &RawValue| decode_item(item, rules).into_iter().for_each(&mut take);
        let mut json = serde_json::Deserializer::from_str(text);
        List::read(&mut json, take).map_err(|error| error.to_string())
    } else {
        // The parser's bounds are for what strangers send: a mesh of a thousand pods is beyond them. Nothing of the file is shown.
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
                None => "missing".to_owned(),
                Some("List") => "List without items".to_owned(),
                Some(kind) => format!("\"{kind}\""),
            };
            Err(FileError::NotAList { path, found })
        }
    }
}

/// Whether a text that may be YAML is JSON, which is parsed ten times as fast. A flow mapping of YAML looks alike at its begin.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[derive(Deserialize)]
struct Typed {
    kind: Option<String>,
}

/// An item as its record; `None` of a kind that the directory does not use.
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
