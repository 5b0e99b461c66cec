//! From a file's texts to the configuration: every value is checked here, and every refusal says where it stands.

mod serving;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use alscope_naming::kubernetes_name::{KubernetesPath, istio_service_name, k8s_service_name};
use alscope_naming::template::{Template, TemplateError};

use crate::error::Place;
use crate::raw_config::{Form, RawConfig, Schema, Text, read};
use crate::settings::SETTINGS;
use crate::skywalking::mapping::table::MAPPINGS;
use crate::skywalking::{self, SkyWalkingSettings};
use crate::{
    Analysis, Analyzer, Config, ConfigError, Directory, Endpoints, Environment, Kubernetes, Limits, Listen,
    Naming, Persistence, Redaction,
};

/// More threads than any machine has cores; a larger number is a slip of the hand.
const MAX_WORKERS: usize = 1024;
/// What is idle is looked for six times in that time, and a drain of all that was counted is due each second.
const SHORTEST_IDLE: Duration = Duration::from_secs(10);
/// What to write for a time.
const TIME: &str = "write a time with its unit, as in 30m, 90s or 500ms, at most 365 days";
/// What to write for one that is not shorter than [`SHORTEST_IDLE`].
const IDLE: &str = "write a time with its unit, as in 30m, 90s or 500ms, at least 10s and at most 365 days";

/// The configuration in `text`, which stands in the file `origin`.
pub(crate) fn config(text: &str, origin: &Path, environment: &Environment) -> Result<Config, ConfigError> {
    let mut raw = read(text, origin, &schema(), environment)?;
    let settings = SkyWalkingSettings::new(&raw, environment);
    let mut ignored = Vec::new();
    let mapping = skywalking::take_over(&settings, &raw, &mut ignored)?;
    let mapping = mapping.into_iter().map(|(key, text)| (key.to_owned(), text));
    raw.texts.extend(mapping);
    let config = Values { origin, raw: &raw }.config()?;
    Ok(Config { ignored, ..config })
}

/// What one setting makes of a text, with all others at their defaults.
pub(crate) fn single(key: &str, text: Text, origin: &Path) -> Result<Config, ConfigError> {
    let mut raw = RawConfig::default();
    let directory = Place::File(origin.to_owned());
    raw.blocks.insert("directory.kubernetes".to_owned(), directory);
    raw.texts.insert(key.to_owned(), text);
    Values { origin, raw: &raw }.config()
}

/// The keys of the file: its own ones and `SkyWalking`'s section.
fn schema() -> Schema {
    let own = SETTINGS.iter().map(|setting| (setting.key, setting.kind.form()));
    let mapping = MAPPINGS.iter().filter(|mapping| mapping.is_of_the_section());
    Schema {
        keys: own
            .chain(mapping.map(|mapping| (mapping.key, Form::Text)))
            .collect(),
        strict: None,
    }
}

/// Turns the texts of one file into values.
struct Values<'a> {
    origin: &'a Path,
    raw: &'a RawConfig,
}

impl Values<'_> {
    fn config(&self) -> Result<Config, ConfigError> {
        Ok(Config {
            listen: self.listen()?,
            directory: self.directory()?,
            analysis: self.analysis()?,
            accept_metrics_service: self.switch("acceptMetricsService", true)?,
            workers: self.workers()?,
            limits: self.limits()?,
            web_hosts: self.web_hosts()?,
            ending: self.ending()?,
            ignored: Vec::new(),
        })
    }

    fn listen(&self) -> Result<Listen, ConfigError> {
        let default = Listen::default();
        let listen = Listen {
            grpc: self.address("listen.grpc", default.grpc)?,
            web: self.address("listen.web", default.web)?,
            admin: self.address("listen.admin", default.admin)?,
        };
        let named = [
            ("listen.grpc", listen.grpc),
            ("listen.web", listen.web),
            ("listen.admin", listen.admin),
        ];
        for (position, (first, one)) in named.iter().enumerate() {
            if let Some((second, _)) = named
                .iter()
                .skip(position + 1)
                .find(|(_, other)| collide(*one, *other))
            {
                return Err(ConfigError::SamePort {
                    place: self.file(),
                    first,
                    second,
                    port: one.port(),
                });
            }
        }
        Ok(listen)
    }

    fn directory(&self) -> Result<Directory, ConfigError> {
        let kubernetes = self.raw.blocks.contains_key("directory.kubernetes");
        let none = self.raw.blocks.contains_key("directory.none");
        let found = match (kubernetes, self.text("directory.file"), none) {
            (true, None, false) => {
                let kubeconfig = self.text("directory.kubernetes.kubeconfig");
                return Ok(Directory::Kubernetes(Kubernetes {
                    kubeconfig: kubeconfig.map(|text| self.path(text)).transpose()?,
                }));
            }
            (false, Some(file), false) => return Ok(Directory::File(self.path(file)?)),
            (false, None, true) => return Ok(Directory::None),
            (false, None, false) => "no source",
            _ => "more than one source",
        };
        let block = self.raw.blocks.get("directory").cloned();
        Err(ConfigError::DirectorySource {
            place: block.unwrap_or_else(|| self.file()),
            found,
        })
    }

    fn path(&self, text: &Text) -> Result<PathBuf, ConfigError> {
        if text.value.trim().is_empty() {
            return Err(bad(text, "write the path of a file"));
        }
        Ok(self
            .origin
            .parent()
            .unwrap_or(Path::new(""))
            .join(text.value.trim()))
    }

    fn analysis(&self) -> Result<Analysis, ConfigError> {
        Ok(Analysis {
            http: self.chain("analysis.http")?,
            tcp: self.chain("analysis.tcp")?,
            naming: self.naming()?,
            endpoints: self.endpoints()?,
            persistence: self.persistence()?,
            redaction: self.redaction()?,
            trust_forwarded_address: self.switch("analysis.trustForwardedAddress", false)?,
        })
    }

    fn chain(&self, key: &str) -> Result<Vec<Analyzer>, ConfigError> {
        let Some(text) = self.text(key) else {
            return Ok(Vec::new());
        };
        Analyzer::chain(&text.value).map_err(|problem| ConfigError::BadAnalyzers {
            place: text.place.clone(),
            key: text.name.clone(),
            problem,
        })
    }

    fn naming(&self) -> Result<Naming, ConfigError> {
        let default = Naming::default();
        let rule = |key, default, parse: fn(&str) -> Result<Template<KubernetesPath>, TemplateError>| {
            let Some(text) = self.text(key) else {
                return Ok(default);
            };
            match text.value.trim() {
                "" => Err(bad(text, "write a rule as in ${pod.metadata.name}")),
                rule => parse(rule).map_err(|problem| ConfigError::BadNamingRule {
                    place: text.place.clone(),
                    key: text.name.clone(),
                    problem,
                }),
            }
        };
        let ignored = self.text("analysis.naming.istioServiceEntryIgnoredNamespaces");
        let names = ignored
            .iter()
            .flat_map(|text| text.value.split(','))
            .map(str::trim);
        Ok(Naming {
            k8s_service_name_rule: rule(
                "analysis.naming.k8sServiceNameRule",
                default.k8s_service_name_rule,
                k8s_service_name,
            )?,
            istio_service_name_rule: rule(
                "analysis.naming.istioServiceNameRule",
                default.istio_service_name_rule,
                istio_service_name,
            )?,
            istio_service_entry_ignored_namespaces: names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        let default = Endpoints::default();
        let remedy = "write the template of a path without its query, as in /users/{id} or GET /users/{id}";
        let is_path = |text: &str| {
            let (_, path) = text.split_once(' ').unwrap_or(("", text));
            path.starts_with('/')
                && !path.contains(|letter: char| letter.is_whitespace() || "?#".contains(letter))
        };
        Ok(Endpoints {
            rules: self.list("analysis.endpoints.rules", remedy, |text| {
                is_path(text).then(|| text.to_owned())
            })?,
            per_service: self.number("analysis.endpoints.perService", default.per_service)?,
        })
    }

    fn persistence(&self) -> Result<Persistence, ConfigError> {
        let default = Persistence::default();
        let slow = self.parsed(
            "analysis.persistence.slowMilliseconds",
            None,
            "write a whole number of milliseconds from 1 on, or leave the key out",
            |text| {
                let milliseconds = text.parse::<u32>().ok().filter(|number| *number > 0)?;
                Some(Some(Duration::from_millis(milliseconds.into())))
            },
        )?;
        Ok(Persistence {
            errors: self.switch("analysis.persistence.errors", default.errors)?,
            slow,
            sampled_share: self.parsed(
                "analysis.persistence.sampledShare",
                default.sampled_share,
                "write a number from 0 to 1, as in 0.01",
                |text| {
                    let share = text.parse::<f64>().ok()?;
                    (0.0..=1.0).contains(&share).then_some(share)
                },
            )?,
            entries_per_minute: self.number(
                "analysis.persistence.entriesPerMinute",
                default.entries_per_minute,
            )?,
        })
    }

    fn redaction(&self) -> Result<Redaction, ConfigError> {
        let default = Redaction::default();
        let remedy = "write the name of a header, as in x-api-key";
        let is_token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
        Ok(Redaction {
            enabled: self.switch("analysis.redaction.enabled", default.enabled)?,
            headers: self.list("analysis.redaction.headers", remedy, |text| {
                let is_name = !text.is_empty() && text.chars().all(is_token);
                is_name.then(|| text.to_ascii_lowercase())
            })?,
        })
    }

    fn workers(&self) -> Result<Option<NonZeroUsize>, ConfigError> {
        let remedy = "write a number of threads from 1 to 1024, or leave the key out for one for each core";
        self.parsed("workers", None, remedy, |text| {
            let workers = text.parse::<NonZeroUsize>().ok()?;
            (workers.get() <= MAX_WORKERS).then_some(Some(workers))
        })
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let limits = Limits {
            message_bytes: self.number("limits.messageBytes", default.message_bytes)?,
            entries_per_message: self.number("limits.entriesPerMessage", default.entries_per_message)?,
            string_bytes: self.number("limits.stringBytes", default.string_bytes)?,
            connections: self.number("limits.connections", default.connections)?,
            streams_per_connection: self
                .number("limits.streamsPerConnection", default.streams_per_connection)?,
            streams_per_peer: self.number("limits.streamsPerPeer", default.streams_per_peer)?,
            samples: self.number("limits.samples", default.samples)?,
            outside_hosts: self.number("limits.outsideHosts", default.outside_hosts)?,
            idle_series: self.time("limits.idleSeries", default.idle_series, (SHORTEST_IDLE, IDLE))?,
            buffered_bytes: self.number("limits.bufferedBytes", default.buffered_bytes)?,
            connection_age: self.time(
                "limits.connectionAge",
                default.connection_age,
                (Duration::from_millis(1), TIME),
            )?,
        };
        if limits.message_bytes > limits.buffered_bytes {
            return Err(ConfigError::MessageOverBuffer {
                place: self.file(),
                message_bytes: limits.message_bytes,
                buffered_bytes: limits.buffered_bytes,
            });
        }
        Ok(limits)
    }

    fn address(&self, key: &str, default: SocketAddr) -> Result<SocketAddr, ConfigError> {
        let remedy = "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080";
        self.parsed(key, default, remedy, |text| text.parse().ok())
    }

    fn switch(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        self.parsed(key, default, "write true or false", |text| {
            bool::from_str(text).ok()
        })
    }

    /// A limit. HTTP/2 and gRPC count in 32 bits, so a larger one would not be one.
    fn number(&self, key: &str, default: usize) -> Result<usize, ConfigError> {
        let remedy = "write a whole number from 1 to 4294967295, without a unit";
        self.parsed(key, default, remedy, |text| {
            let number = text.parse::<u32>().ok().filter(|number| *number > 0)?;
            Some(number as usize)
        })
    }

    fn parsed<T>(
        &self,
        key: &str,
        default: T,
        remedy: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        parse(text.value.trim()).ok_or_else(|| bad(text, remedy))
    }

    fn list(
        &self,
        key: &str,
        remedy: &'static str,
        parse: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<String>, ConfigError> {
        let texts = self.raw.lists.get(key).into_iter().flatten();
        texts
            .map(|text| parse(text.value.trim()).ok_or_else(|| bad(text, remedy)))
            .collect()
    }

    fn text(&self, key: &str) -> Option<&Text> {
        self.raw.texts.get(key)
    }

    fn file(&self) -> Place {
        Place::File(self.origin.to_owned())
    }
}

/// The refusal of a value, with what to write instead.
pub(crate) fn bad(text: &Text, remedy: &'static str) -> ConfigError {
    ConfigError::BadValue {
        place: text.place.clone(),
        key: text.name.clone(),
        value: text.value.clone(),
        remedy,
    }
}

/// Whether the system would refuse the second of two listeners; port 0 is a free port of the system's choice.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
