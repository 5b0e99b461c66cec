//! The keys of the file. Each block's file lists its keys with their meaning and their field. The parser,
//! `alscope-collector check` and docs/configuration.md all read this list.

use crate::field::{Field, FileValue};
use crate::{Config, ValueKind, analysis, config, directory, ending, limits, listen, web};

/// One key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key with its parents, as in `listen.grpc`.
    pub key: &'static str,
    /// The meaning, in whole sentences. It says the default in words where that is not a value.
    pub meaning: &'static str,
    pub(crate) field: Field,
}

/// The keys of every block, in the order of docs/configuration.md.
const BLOCKS: [&[Setting]; 7] = [
    listen::SETTINGS,
    directory::SETTINGS,
    analysis::SETTINGS,
    config::SETTINGS,
    limits::SETTINGS,
    web::SETTINGS,
    ending::SETTINGS,
];

/// Returns every key of the file, in the order of docs/configuration.md.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    BLOCKS.into_iter().flatten()
}

/// Builds a row of a block's list of keys.
pub(crate) const fn setting(key: &'static str, field: Field, meaning: &'static str) -> Setting {
    Setting { key, meaning, field }
}

impl Setting {
    /// Finds the setting of `key`, which includes its parents, as in `listen.grpc`.
    pub fn find(key: &str) -> Option<&'static Self> {
        settings().find(|setting| setting.key == key)
    }

    /// The kind of value that the key takes.
    pub const fn kind(&self) -> ValueKind {
        self.field.kind()
    }

    /// Returns the value in effect, in words if it is unset. A key that only leads to other keys has none.
    pub fn value(&self, config: &Config) -> Option<String> {
        let value = match (self.field, self.field.value(&mut config.clone())) {
            (Field::Directory(_), _) if self.key == "directory" => config.directory.describe(),
            (Field::Directory(_), _) => return None,
            (Field::Workers(_), FileValue::Unset) => "one for each core".to_owned(),
            (_, FileValue::Unset) => String::new(),
            (_, FileValue::Text(text)) => text,
            (_, FileValue::List(items)) => items.join(","),
        };
        Some(if value.is_empty() {
            "none".to_owned()
        } else {
            value
        })
    }

    /// Returns the value that takes effect if the file leaves the key out. A key that only leads
    /// to other keys has none.
    pub fn default_value(&self) -> Option<String> {
        self.value(&Config::default())
    }
}
