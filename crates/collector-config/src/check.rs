//! Reads a file for `alscope-collector check`: a configuration of the collector, or a file of Apache
//! `SkyWalking` with the outcome of each of its settings.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use crate::raw_config::{Form, Schema, Text, read};
use crate::setting::{Setting, settings};
use crate::skywalking::mapping::table::MAPPINGS;
use crate::skywalking::{Effect, SkyWalkingSettings};
use crate::{Config, ConfigError, Environment, parse};

/// The section of `SkyWalking`'s file that configures the receiver of access logs.
const SECTION: &str = "envoy-metric";

/// A file that was checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// A configuration of the collector.
    Collector(Box<Config>),
    /// `SkyWalking`'s `application.yml`, or a part of it that has the section `envoy-metric`.
    SkyWalking(SkyWalkingReport),
}

/// The settings of a `SkyWalking` file, each with its outcome here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkyWalkingReport {
    /// One row for each setting of the file that concerns access logs, in the order of the table.
    pub rows: Vec<Row>,
    /// How many modules of the file have nothing to do with access logs.
    pub other_modules: usize,
}

/// One setting of a `SkyWalking` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key with its module and provider, as in `envoy-metric.default.gRPCPort`.
    pub key: &'static str,
    /// The value, with its placeholders filled.
    pub value: String,
    /// The effect of the setting on the collector.
    pub outcome: Outcome,
}

/// The effect of a `SkyWalking` setting on the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The setting carries over.
    Sets {
        /// The collector's own key that it sets.
        key: &'static str,
        /// The value of that key afterwards.
        value: String,
    },
    /// The setting has no effect; the text says why.
    Ignored(&'static str),
    /// The collector would refuse to start; the text says why.
    Refused(String),
}

impl Checked {
    /// Checks the file at `path`, with the environment of this process.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&crate::read(path)?, path, &Environment::of_process())
    }

    /// Checks `text`, which comes from the file `origin`. A key of the section `envoy-metric` that
    /// `SkyWalking` does not have is an error; other modules may have any key.
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
    /// Returns whether the collector would start with these settings.
    pub fn is_accepted(&self) -> bool {
        !self
            .rows
            .iter()
            .any(|row| matches!(row.outcome, Outcome::Refused(_)))
    }
}

/// Returns the outermost keys, or none if the text cannot be read; the parser that runs next reports why.
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

/// Returns the value that `text` gives to the collector's own `key`, or the refusal.
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
