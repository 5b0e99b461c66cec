//! The keys and texts of a file with their lines. Only the names of the keys are checked here. A
//! block without keys is a block of defaults, because that is what is left when somebody comments
//! every line of it out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::Spanned;

use crate::error::Place;
use crate::nearest::choices;
use crate::{ConfigError, Environment, placeholder};

/// The form of the value under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Keys,
    Text,
    List,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Text => "one value",
            Self::List => "a list of values",
        }
    }
}

/// The keys that a file may have, each with the form of its value.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Every key with its parents, as in `listen.grpc`, in the order in which errors list them.
    pub(crate) keys: Vec<(&'static str, Form)>,
    /// The only block in which an unknown key is an error. `None` means the whole file.
    pub(crate) strict: Option<&'static str>,
}

/// A text from the file or from the environment, with the place that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The key with its parents, or the environment variable's name.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: String,
}

/// The texts of a file, by their key with its parents.
#[derive(Debug, Default)]
pub(crate) struct RawConfig {
    pub(crate) blocks: BTreeMap<String, Place>,
    pub(crate) texts: BTreeMap<String, Text>,
    pub(crate) lists: BTreeMap<String, Vec<Text>>,
}

/// Reads the keys and texts of the file `origin`, and fills their placeholders.
pub(crate) fn read(
    text: &str,
    origin: &Path,
    schema: &Schema,
    environment: &Environment,
) -> Result<RawConfig, ConfigError> {
    let mut reading = Reading {
        schema,
        origin,
        path: Vec::new(),
        raw: RawConfig::default(),
        refusal: None,
    };
    let options = serde_saphyr::options! { with_snippet: false };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        Block(&mut reading).deserialize(deserializer)
    });
    if let Some(refusal) = reading.refusal {
        return Err(refusal);
    }
    read.map_err(|error| reading.unreadable(&error))?;
    let mut raw = reading.raw;
    let lists = raw.lists.values_mut().flatten();
    for text in raw.texts.values_mut().chain(lists) {
        text.fill(environment)?;
    }
    Ok(raw)
}

impl Text {
    fn fill(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        match placeholder::fill(&self.value, environment) {
            Ok(value) => {
                self.value = value;
                Ok(())
            }
            Err(unset) => Err(ConfigError::UnsetVariable {
                place: self.place.clone(),
                key: self.name.clone(),
                variable: unset.variable,
            }),
        }
    }
}

impl Schema {
    /// Returns the form of a known key, or of a block that holds known keys.
    fn form(&self, path: &str) -> Option<Form> {
        let known = self.keys.iter().find(|(key, _)| *key == path);
        known.map(|(_, form)| *form).or_else(|| {
            let is_block = self.keys.iter().any(|(key, _)| child(path, key).is_some());
            is_block.then_some(Form::Keys)
        })
    }

    /// Returns the names that may stand in the block `path`.
    fn names(&self, path: &str) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for name in self.keys.iter().filter_map(|(key, _)| child(path, key)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn is_strict(&self, path: &str) -> bool {
        self.strict
            .is_none_or(|block| path == block || child(block, path).is_some())
    }
}

/// Returns the first name of `key` below the block `path`.
fn child<'a>(path: &str, key: &'a str) -> Option<&'a str> {
    let below = match path {
        "" => key,
        path => key.strip_prefix(path)?.strip_prefix('.')?,
    };
    below.split('.').next().filter(|name| !name.is_empty())
}

struct Reading<'a> {
    schema: &'a Schema,
    origin: &'a Path,
    /// The keys from the top of the file down to the current one.
    path: Vec<String>,
    raw: RawConfig,
    refusal: Option<ConfigError>,
}

impl Reading<'_> {
    fn place(&self, line: u64) -> Place {
        Place::line(self.origin, line)
    }

    fn text(&self, key: &str, text: Spanned<String>) -> Text {
        Text {
            name: key.to_owned(),
            place: self.place(text.referenced.line()),
            value: text.value,
        }
    }

    /// Reads the value of the current key, which is the last one of `path`.
    fn value<'de, Map: MapAccess<'de>>(&mut self, map: &mut Map, line: u64) -> Result<(), Map::Error> {
        let key = self.path.join(".");
        // A dot in a name would make it look like a key with its parents.
        let is_name = self.path.last().is_some_and(|name| !name.contains('.'));
        match self.schema.form(&key).filter(|_| is_name) {
            Some(Form::Keys) => {
                if map.next_value_seed(Block(self))? {
                    self.raw.blocks.insert(key, self.place(line));
                }
            }
            Some(Form::Text) => {
                if let Some(text) = map.next_value::<Option<Spanned<String>>>()? {
                    self.raw.texts.insert(key.clone(), self.text(&key, text));
                }
            }
            Some(Form::List) => {
                if let Some(list) = map.next_value::<Option<Vec<Spanned<String>>>>()? {
                    let list = list.into_iter().map(|text| self.text(&key, text)).collect();
                    self.raw.lists.insert(key, list);
                }
            }
            None => {
                let parents = self.path.split_last().map(|(_, parents)| parents.join("."));
                let parents = parents.unwrap_or_default();
                if self.schema.is_strict(&parents) {
                    let name = self.path.last().map_or("", String::as_str);
                    self.refusal = Some(ConfigError::UnknownKey {
                        place: self.place(line),
                        choices: choices(name, &self.schema.names(&parents)),
                        key,
                    });
                    return Err(Map::Error::custom("unknown key"));
                }
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// Converts the parser's error at the current key.
    fn unreadable(&self, error: &serde_saphyr::Error) -> ConfigError {
        let place = self.place(error.location().map_or(0, |location| location.line()));
        let mut key = self.path.join(".");
        match error {
            serde_saphyr::Error::DuplicateMappingKey { key: name, .. } => {
                if !key.is_empty() && name.is_some() {
                    key.push('.');
                }
                key.push_str(name.as_deref().unwrap_or_default());
                ConfigError::DuplicateKey { place, key }
            }
            serde_saphyr::Error::Unexpected { .. } if key.is_empty() => ConfigError::NotAMapping { place },
            serde_saphyr::Error::Unexpected { .. } => ConfigError::WrongForm {
                place,
                expected: self.schema.form(&key).unwrap_or(Form::Keys).name(),
                key,
            },
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
}

/// The block of the current key. Deserializing it returns `false` if it is empty.
struct Block<'a, 'b>(&'a mut Reading<'b>);

impl<'de> DeserializeSeed<'de> for Block<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Block<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("keys")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<Map: MapAccess<'de>>(self, mut map: Map) -> Result<bool, Map::Error> {
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            self.0.path.push(key.value);
            self.0.value(&mut map, key.referenced.line())?;
            self.0.path.pop();
        }
        Ok(true)
    }
}

/// Returns the parser's message without the line, which the error names separately.
fn message_without_place(error: &serde_saphyr::Error) -> String {
    let message = error.to_string();
    message
        .rsplit_once(" at line ")
        .map_or(message.clone(), |(problem, _)| problem.to_owned())
}
