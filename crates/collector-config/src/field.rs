//! The fields of the configuration: where each value is stored, which texts are valid for it, and
//! how a file spells it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use alscope_naming::kubernetes_name::KubernetesPath;
use alscope_naming::template::{Template, TemplateError};

use crate::raw_config::{RawConfig, Text};
use crate::{Analyzer, Config, ConfigError, ValueKind};

/// The largest accepted number of threads. No machine has as many cores, so a larger number is
/// a slip of the hand.
const MAX_WORKERS: usize = 1024;
/// The longest accepted time. It is as good as never, so a longer one is a slip of the hand.
const MAX_TIME: Duration = Duration::from_hours(365 * 24);

/// The remedy for a time that cannot be used.
pub(crate) const TIME_REMEDY: &str = "write a time with its unit, as in 30m, 90s or 500ms, at most 365 days";

/// A function that returns a value's place in the configuration, for reading and writing.
pub(crate) type Access<T> = fn(&mut Config) -> &mut T;

/// A place in the configuration with the rules for its value. A text is trimmed before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// The key `directory` and its sources. They exclude each other, so they are read together.
    Directory(ValueKind),
    /// An IP address and port to listen on.
    Address(Access<SocketAddr>),
    /// A comma-separated chain of analyzers.
    Analyzers(Access<Vec<Analyzer>>),
    /// A template of a service's name, and the objects whose metadata it may use.
    NamingRule(
        Access<Template<KubernetesPath>>,
        fn(&str) -> Result<Template<KubernetesPath>, TemplateError>,
    ),
    /// Comma-separated names. Blank names are left out.
    Names(Access<Vec<String>>),
    /// A list of texts, with the function that reads one of them and the remedy for one that it refuses.
    List(Access<Vec<String>>, fn(&str) -> Option<String>, &'static str),
    /// A limit from 1 to 4294967295. HTTP/2 and gRPC count in 32 bits, so a larger
    /// number would not limit anything.
    Number(Access<usize>),
    /// A number of threads. If the file leaves it out, there is one for each core.
    Workers(Access<Option<NonZeroUsize>>),
    /// A duration in milliseconds. If the file leaves it out, it never takes effect.
    Milliseconds(Access<Option<Duration>>),
    /// A time with its unit, the shortest accepted time, and the remedy for a shorter one.
    Time(Access<Duration>, Duration, &'static str),
    /// A number from 0 to 1.
    Share(Access<f64>),
    /// The text `true` or `false`.
    Switch(Access<bool>),
}

/// A value in the form that a file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileValue {
    /// The value is the default, and the file leaves the key out.
    Unset,
    Text(String),
    List(Vec<String>),
}

impl Field {
    /// The kind of value that the field takes.
    pub(crate) const fn kind(self) -> ValueKind {
        match self {
            Self::Directory(kind) => kind,
            Self::Address(_) => ValueKind::Address,
            Self::Analyzers(_) => ValueKind::Analyzers,
            Self::NamingRule(..) => ValueKind::NamingRule,
            Self::Names(_) => ValueKind::Names,
            Self::List(..) => ValueKind::List,
            Self::Number(_) | Self::Workers(_) => ValueKind::Number,
            Self::Milliseconds(_) => ValueKind::Milliseconds,
            Self::Time(..) => ValueKind::Time,
            Self::Share(_) => ValueKind::Share,
            Self::Switch(_) => ValueKind::Switch,
        }
    }

    /// Reads the value of `key` from `raw` into `config`. If `raw` does not have the key,
    /// `config` stays as it is.
    pub(crate) fn read(self, key: &str, raw: &RawConfig, config: &mut Config) -> Result<(), ConfigError> {
        if let Some(text) = raw.texts.get(key) {
            self.read_text(text, config)?;
        }
        if let (Self::List(place, item, remedy), Some(texts)) = (self, raw.lists.get(key)) {
            let items = texts
                .iter()
                .map(|text| item(text.value.trim()).ok_or_else(|| bad_value(text, remedy)));
            *place(config) = items.collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    fn read_text(self, text: &Text, config: &mut Config) -> Result<(), ConfigError> {
        let value = text.value.trim();
        let refused = |remedy| bad_value(text, remedy);
        match self {
            Self::Directory(_) | Self::List(..) => {}
            Self::Address(place) => {
                let remedy = "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080";
                *place(config) = value.parse().map_err(|_| refused(remedy))?;
            }
            Self::Analyzers(place) => {
                *place(config) = Analyzer::chain(value).map_err(|problem| ConfigError::BadAnalyzers {
                    place: text.place.clone(),
                    key: text.name.clone(),
                    problem,
                })?;
            }
            Self::NamingRule(..) if value.is_empty() => {
                return Err(refused("write a rule as in ${pod.metadata.name}"));
            }
            Self::NamingRule(place, parse) => {
                *place(config) = parse(value).map_err(|problem| ConfigError::BadNamingRule {
                    place: text.place.clone(),
                    key: text.name.clone(),
                    problem,
                })?;
            }
            Self::Names(place) => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                *place(config) = names.map(str::to_owned).collect();
            }
            Self::Number(place) => {
                let remedy = "write a whole number from 1 to 4294967295, without a unit";
                *place(config) = positive(value).ok_or_else(|| refused(remedy))? as usize;
            }
            Self::Workers(place) => {
                let workers = value.parse::<NonZeroUsize>().ok();
                let workers = workers.filter(|workers| workers.get() <= MAX_WORKERS);
                let remedy =
                    "write a number of threads from 1 to 1024, or leave the key out for one for each core";
                *place(config) = Some(workers.ok_or_else(|| refused(remedy))?);
            }
            Self::Milliseconds(place) => {
                let remedy = "write a whole number of milliseconds from 1 on, or leave the key out";
                let milliseconds = positive(value).ok_or_else(|| refused(remedy))?;
                *place(config) = Some(Duration::from_millis(milliseconds.into()));
            }
            Self::Time(place, least, remedy) => {
                *place(config) = time(value)
                    .filter(|time| (least..=MAX_TIME).contains(time))
                    .ok_or_else(|| refused(remedy))?;
            }
            Self::Share(place) => {
                let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                *place(config) = share.ok_or_else(|| refused("write a number from 0 to 1, as in 0.01"))?;
            }
            Self::Switch(place) => {
                *place(config) = bool::from_str(value).map_err(|_| refused("write true or false"))?;
            }
        }
        Ok(())
    }

    /// Returns the value as a file spells it.
    pub(crate) fn value(self, config: &mut Config) -> FileValue {
        let optional = |text: Option<String>| text.map_or(FileValue::Unset, FileValue::Text);
        FileValue::Text(match self {
            Self::Directory(_) => return FileValue::Unset,
            Self::List(place, ..) => return FileValue::List(place(config).clone()),
            Self::Workers(place) => return optional(place(config).map(|workers| workers.to_string())),
            Self::Milliseconds(place) => {
                return optional(place(config).map(|time| time.as_millis().to_string()));
            }
            Self::Address(place) => place(config).to_string(),
            Self::Analyzers(place) => {
                let names: Vec<&str> = place(config).iter().map(|analyzer| analyzer.as_str()).collect();
                names.join(",")
            }
            Self::NamingRule(place, _) => place(config).text().to_owned(),
            Self::Names(place) => place(config).join(","),
            Self::Number(place) => place(config).to_string(),
            Self::Time(place, ..) => time_text(*place(config)),
            Self::Share(place) => place(config).to_string(),
            Self::Switch(place) => place(config).to_string(),
        })
    }
}

/// Parses a whole number from 1 to `u32::MAX`.
fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

fn time(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok()
}

/// Formats a time as a file spells it, such as `30m`.
fn time_text(time: Duration) -> String {
    jiff::SignedDuration::try_from(time).map_or_else(|_| "for ever".to_owned(), |time| format!("{time:#}"))
}

/// Builds the error for a value that cannot be used; `remedy` says what to write instead.
pub(crate) fn bad_value(text: &Text, remedy: &'static str) -> ConfigError {
    ConfigError::BadValue {
        place: text.place.clone(),
        key: text.name.clone(),
        value: text.value.clone(),
        remedy,
    }
}
