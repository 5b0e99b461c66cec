//! What `alscope-collector check` finds in a file: our own configuration, or that of Apache `SkyWalking` with what
//! becomes of each setting here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use crate::raw_config::{Form, Schema, Text, read};
use crate::setting::{Setting, settings};
use crate::skywalking::mapping::table::MAPPINGS;
use crate::skywalking::{Effect, SkyWalkingSettings};
use crate::{Config, ConfigError, Environment, parse};

/// The section of `SkyWalking`'s file that decides about access logs.
const SECTION: &str = "envoy-metric";

/// What a file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// A configuration of the collector.
    Collector(Box<Config>),
    /// `SkyWalking`'s `application.yml`, or a part of it that has the section `envoy-metric`.
    SkyWalking(SkyWalkingReport),
}

/// What becomes of the settings in a file of `SkyWalking`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkyWalkingReport {
    /// Every setting of the file that concerns access logs.
    pub rows: Vec<Row>,
    /// Modules of the file that have nothing to do with access logs.
    pub other_modules: usize,
}

/// What becomes of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key, with module and provider.
    pub key: &'static str,
    /// Its value, with placeholders filled.
    pub value: String,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of a setting of `SkyWalking`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It carries over.
    Sets {
        /// The key of ours.
        key: &'static str,
        /// The value that it has then.
        value: String,
    },
    /// It has no effect here, and why.
    Ignored(&'static str),
    /// The collector would not start with it, and why.
    Refused(String),
}

impl Checked {
    /// Checks the file at `path`, with the environment of this process.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&crate::read(path)?, path, &Environment::of_process())
    }

    /// Checks `text`, which stands in the file `origin`. A key of the section `envoy-metric` that `SkyWalking` does not
    /// have is an error; other modules may have any keys.
    pub fn parse(text: &str, origin: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let modules = modules(text);
        if is_skywalking(&modules) {
            let report = report(text, &modules, origin, environment)?;
            return Ok(Self::SkyWalking(report));
        }
        let config = Config::parse_with(text, origin, environment)?;
        Ok(Self::Collector(Box::new(config)))
    }
}

impl SkyWalkingReport {
    /// Whether the collector would start with these settings.
    pub fn is_accepted(&self) -> bool {
        !self
            .rows
            .iter()
            .any(|row| matches!(row.outcome, Outcome::Refused(_)))
    }
}

/// The outermost keys; none when the text cannot be read, which our own reading then says.
#[expect(
    clippy::zero_sized_map_values,
    reason = "a set is not read from a mapping's keys"
)]
fn modules(text: &str) -> Vec<String> {
    let keys: Result<BTreeMap<String, IgnoredAny>, _> = serde_saphyr::from_str(text);
    keys.unwrap_or_default().into_keys().collect()
}

fn is_skywalking(modules: &[String]) -> bool {
    let is_ours = |module: &String| settings().any(|setting| setting.key.split('.').next() == Some(module));
    modules.iter().any(|module| module == SECTION) && !modules.iter().any(is_ours)
}

fn report(
    text: &str,
    modules: &[String],
    origin: &Path,
    environment: &Environment,
) -> Result<SkyWalkingReport, ConfigError> {
    let schema = Schema {
        keys: MAPPINGS.iter().map(|mapping| (mapping.key, Form::Text)).collect(),
        strict: Some(SECTION),
    };
    let raw = read(text, origin, &schema, environment)?;
    // A variable counts where the file names it, as in SkyWalking.
    let settings = SkyWalkingSettings::new(&raw, &Environment::default());
    let rows = settings.rows().map(|(mapping, text)| Row {
        key: mapping.key,
        value: text.value.clone(),
        outcome: match settings.effect(mapping, text) {
            Ok(Effect::Sets(key, text)) => set(key, text, origin),
            Ok(Effect::Ignored(reason)) => Outcome::Ignored(reason),
            Err(refusal) => Outcome::Refused(refusal.to_string()),
        },
    });
    let is_known = |module: &&String| {
        let mut keys = MAPPINGS.iter().map(|mapping| mapping.key);
        keys.any(|key| key.split('.').next() == Some(module))
    };
    Ok(SkyWalkingReport {
        rows: rows.collect(),
        other_modules: modules.iter().filter(|module| !is_known(module)).count(),
    })
}

/// What the collector makes of the text for a key of its own.
fn set(key: &'static str, text: Text, origin: &Path) -> Outcome {
    let config = match parse::single(key, text, origin) {
        Ok(config) => config,
        Err(refusal) => return Outcome::Refused(refusal.to_string()),
    };
    let value = Setting::find(key).and_then(|setting| setting.value(&config));
    Outcome::Sets {
        key,
        value: value.unwrap_or_default(),
    }
}
