//! The file as it is written: keys and texts with their lines, nothing decided yet. A block without keys is a block
//! of defaults, because that is what is left when every line of it is commented out.

use std::path::Path;

use serde::Deserialize;
use serde_path_to_error::{Segment, Track};
use serde_saphyr::Spanned;

use crate::ConfigError;
use crate::error::Place;

/// A scalar as written, with its line.
pub(crate) type Text = Spanned<String>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) listen: Option<ListenBlock>,
    pub(crate) directory: Option<Spanned<DirectoryBlock>>,
    pub(crate) analysis: Option<AnalysisBlock>,
    pub(crate) workers: Option<Text>,
    pub(crate) limits: Option<LimitsBlock>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListenBlock {
    pub(crate) grpc: Option<Text>,
    pub(crate) web: Option<Text>,
    pub(crate) admin: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DirectoryBlock {
    pub(crate) kubernetes: Option<KubernetesBlock>,
    pub(crate) file: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KubernetesBlock {
    pub(crate) kubeconfig: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnalysisBlock {
    pub(crate) http: Option<Text>,
    pub(crate) tcp: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct LimitsBlock {
    pub(crate) message_bytes: Option<Text>,
    pub(crate) entries_per_message: Option<Text>,
    pub(crate) string_bytes: Option<Text>,
    pub(crate) streams_per_connection: Option<Text>,
    pub(crate) streams_per_peer: Option<Text>,
    pub(crate) buffered_bytes: Option<Text>,
}

/// Reads the keys and texts of the file `origin`.
pub(crate) fn read(text: &str, origin: &Path) -> Result<File, ConfigError> {
    let mut track = Track::new();
    let options = serde_saphyr::options! { with_snippet: false };
    let file = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        File::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track))
    });
    file.map_err(|error| refusal(&error, &track.path(), origin))
}

fn refusal(error: &serde_saphyr::Error, path: &serde_path_to_error::Path, origin: &Path) -> ConfigError {
    let place = Place::line(origin, error.location().map_or(0, |location| location.line()));
    let mut keys = keys(path);
    match error {
        serde_saphyr::Error::SerdeUnknownField { expected, .. } => ConfigError::UnknownKey {
            place,
            key: keys.join("."),
            known: expected.iter().map(ToString::to_string).collect(),
        },
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
            keys.extend(key.clone());
            ConfigError::DuplicateKey {
                place,
                key: keys.join("."),
            }
        }
        serde_saphyr::Error::Unexpected { expected, .. } if !keys.is_empty() => ConfigError::WrongForm {
            place,
            key: keys.join("."),
            expected: form(expected),
        },
        serde_saphyr::Error::Unexpected { .. } => ConfigError::NotAMapping { place },
        serde_saphyr::Error::MultipleDocuments { .. } => ConfigError::NotYaml {
            place,
            problem: "a second document starts".to_owned(),
        },
        other => ConfigError::NotYaml {
            place,
            problem: message_without_place(other),
        },
    }
}

/// The keys that lead to the error. `value` is a step of [`Spanned`] and no key of the file; a duplicate key is not on
/// the path.
fn keys(path: &serde_path_to_error::Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Map { key } if key != "value" => Some(key.clone()),
        Segment::Map { .. } | Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(key).collect()
}

fn form(expected: &str) -> &'static str {
    if expected.contains("mapping") {
        "keys"
    } else {
        "one value"
    }
}

/// The parser's message; the line is told apart from it.
fn message_without_place(error: &serde_saphyr::Error) -> String {
    let message = error.to_string();
    message
        .rsplit_once(" at line ")
        .map_or(message.clone(), |(problem, _)| problem.to_owned())
}
