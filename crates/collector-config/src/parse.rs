//! Parses a file's text into the configuration. Each error says where the bad value stands.

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::raw_config::{Form, RawConfig, Schema, Text, read};
use crate::setting::settings;
use crate::skywalking::mapping::table::MAPPINGS;
use crate::skywalking::{self, SkyWalkingSettings};
use crate::{Config, ConfigError, Directory, Environment};

/// Parses `text`, which comes from the file `origin`, into the configuration.
pub(crate) fn config(text: &str, origin: &Path, environment: &Environment) -> Result<Config, ConfigError> {
    let mut raw = read(text, origin, &schema(), environment)?;
    let skywalking = SkyWalkingSettings::new(&raw, environment);
    let mut ignored = Vec::new();
    let taken_over = skywalking::take_over(&skywalking, &raw, &mut ignored)?;
    let taken_over = taken_over.into_iter().map(|(key, text)| (key.to_owned(), text));
    raw.texts.extend(taken_over);
    let config = interpret(Directory::read(&raw, origin)?, &raw, origin)?;
    Ok(Config { ignored, ..config })
}

/// Parses one setting's text, with all other settings at their defaults.
pub(crate) fn single(key: &str, text: Text, origin: &Path) -> Result<Config, ConfigError> {
    let mut raw = RawConfig::default();
    raw.texts.insert(key.to_owned(), text);
    interpret(Config::default().directory, &raw, origin)
}

/// The keys that the file may have: the collector's own ones and `SkyWalking`'s section.
fn schema() -> Schema {
    let own = settings().map(|setting| (setting.key, setting.kind().form()));
    let section = MAPPINGS.iter().filter(|mapping| mapping.is_of_the_section());
    Schema {
        keys: own
            .chain(section.map(|mapping| (mapping.key, Form::Text)))
            .collect(),
        strict: None,
    }
}

/// Reads every value from the texts. A key without a text keeps its default.
pub(crate) fn interpret(directory: Directory, raw: &RawConfig, origin: &Path) -> Result<Config, ConfigError> {
    let mut config = Config {
        directory,
        ..Config::default()
    };
    for setting in settings() {
        setting.field.read(setting.key, raw, &mut config)?;
    }
    config.listen.check(origin)?;
    config.limits.check(origin)?;
    Ok(config)
}
