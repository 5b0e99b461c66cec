//! The keys of the file. Each stands in the file of its block, with what it is, where its value stands and what it sets; what
//! the file may hold, what `check` prints and the page of reference come from there.

use crate::field::{Field, FileValue};
use crate::{Config, ValueKind, analysis, config, directory, ending, limits, listen, web};

/// A key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key with its parents, as in `listen.grpc`.
    pub key: &'static str,
    /// What is set, in one sentence; the default in words where it is no value.
    pub meaning: &'static str,
    pub(crate) field: Field,
}

/// The keys of each block, in the order in which they are described.
const BLOCKS: [&[Setting]; 7] = [
    listen::SETTINGS,
    directory::SETTINGS,
    analysis::SETTINGS,
    config::SETTINGS,
    limits::SETTINGS,
    web::SETTINGS,
    ending::SETTINGS,
];

/// Every key of the file, in the order in which they are described.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    BLOCKS.into_iter().flatten()
}

/// A row of a block's keys.
pub(crate) const fn setting(key: &'static str, field: Field, meaning: &'static str) -> Setting {
    Setting { key, meaning, field }
}

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        settings().find(|setting| setting.key == key)
    }

    /// What its value is.
    pub const fn kind(&self) -> ValueKind {
        self.field.kind()
    }

    /// The value in effect, in words where it is unset; `None` for a key that only leads to others.
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

    /// The value when the file leaves it out; `None` for a key that only leads to others.
    pub fn default_value(&self) -> Option<String> {
        self.value(&Config::default())
    }
}
