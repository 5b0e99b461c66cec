//! Settings of Apache `SkyWalking` that carry over to the collector. They come from the section
//! `envoy-metric` of the file or from `SkyWalking`'s environment variables, and become texts of the
//! collector's own keys. A setting without a meaning here is reported with the reason.

pub(crate) mod mapping;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::error::Place;
use crate::field::bad_value;
use crate::raw_config::{RawConfig, Text};
use crate::{ConfigError, Environment, placeholder};
use mapping::table::MAPPINGS;
use mapping::{Listener, Mapping, Meaning};

/// The texts of `SkyWalking`'s settings, by their keys in `application.yml`.
#[derive(Debug)]
pub(crate) struct SkyWalkingSettings(BTreeMap<&'static str, Text>);

/// The effect of one `SkyWalking` setting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The setting gives this text to the collector's own key.
    Sets(&'static str, Text),
    /// The setting has no effect; the text says why.
    Ignored(&'static str),
}

/// Returns the texts that `settings` give to the collector's own keys. A key that `raw` sets itself is left
/// out. Settings without an effect are added to `ignored`.
pub(crate) fn take_over(
    settings: &SkyWalkingSettings,
    raw: &RawConfig,
    ignored: &mut Vec<String>,
) -> Result<Vec<(&'static str, Text)>, ConfigError> {
    let mut texts = Vec::new();
    for (mapping, text) in settings.rows() {
        if mapping.sets().is_some_and(|key| raw.texts.contains_key(key)) {
            continue;
        }
        match settings.effect(mapping, text)? {
            Effect::Sets(key, text) => texts.push((key, text)),
            Effect::Ignored(_) if text.value == mapping.shipped => {}
            Effect::Ignored(reason) => {
                ignored.push(format!("`{}` in {} is ignored: {reason}", text.name, text.place));
            }
        }
    }
    Ok(texts)
}

impl SkyWalkingSettings {
    /// Collects the settings from the file, and from the environment where the file has none.
    pub(crate) fn new(raw: &RawConfig, environment: &Environment) -> Self {
        let text = |mapping: &Mapping| {
            let of_the_file = raw.texts.get(mapping.key).cloned();
            of_the_file.or_else(|| {
                Some(Text {
                    name: mapping.variable.to_owned(),
                    place: Place::Environment,
                    value: placeholder::unquoted(environment.value(mapping.variable)?).to_owned(),
                })
            })
        };
        let texts = MAPPINGS
            .iter()
            .filter_map(|mapping| Some((mapping.key, text(mapping)?)));
        Self(texts.collect())
    }

    /// Returns the settings that are set, in the order of the table.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Mapping, &Text)> {
        MAPPINGS
            .iter()
            .filter_map(|mapping| Some((mapping, self.0.get(mapping.key)?)))
    }

    /// Returns the effect of one setting that is set.
    pub(crate) fn effect(&self, mapping: &'static Mapping, text: &Text) -> Result<Effect, ConfigError> {
        let listener = self.listener();
        if let Some(own) = mapping.listener
            && own != listener
            && !is_zero(mapping, text)
        {
            return Ok(Effect::Ignored(own.unused()));
        }
        let value = text.value.trim();
        match mapping.meaning {
            Meaning::SetsUnlessZero(_) if value == "0" => Ok(Effect::Ignored(
                "0 means no bound in SkyWalking; here the default applies",
            )),
            Meaning::Names(_, None) if value.is_empty() => {
                Ok(Effect::Ignored("a blank rule leaves the default"))
            }
            Meaning::Names(key, Some(rule)) if value.is_empty() => {
                Ok(Effect::Sets(key, with(text, rule.to_owned())))
            }
            Meaning::Sets(key) | Meaning::SetsUnlessZero(key) | Meaning::Names(key, _) => {
                Ok(Effect::Sets(key, text.clone()))
            }
            Meaning::Port if is_zero(mapping, text) => {
                Ok(Effect::Ignored("0 leaves the port to the next listener"))
            }
            Meaning::Host | Meaning::Port => {
                let address = self.address(listener)?.to_string();
                Ok(Effect::Sets("listen.grpc", with(text, address)))
            }
            Meaning::Only(accepted, _) if value == accepted => {
                Ok(Effect::Ignored("the collector does so anyway"))
            }
            Meaning::Only(_, remedy) => Err(bad_value(text, remedy)),
            Meaning::Ignored(reason) => Ok(Effect::Ignored(reason)),
        }
    }

    /// Returns the listener that receives access logs: the first one that has a port.
    /// The core's always has one.
    fn listener(&self) -> Listener {
        let has_port = |listener: &Listener| {
            self.part(*listener, Meaning::Port)
                .is_some_and(|(mapping, text)| !is_zero(mapping, text))
        };
        Listener::ALL.into_iter().find(has_port).unwrap_or(Listener::Core)
    }

    fn part(&self, listener: Listener, meaning: Meaning) -> Option<(&'static Mapping, &Text)> {
        self.rows()
            .find(|(mapping, _)| mapping.listener == Some(listener) && mapping.meaning == meaning)
    }

    /// Returns the address that `listener` listens on.
    fn address(&self, listener: Listener) -> Result<SocketAddr, ConfigError> {
        let default = crate::Listen::default().grpc;
        let host = match self.part(listener, Meaning::Host) {
            Some((_, text)) => (text.value.trim().parse::<IpAddr>())
                .map_err(|_| bad_value(text, "write an IP address, as in 0.0.0.0 or ::"))?,
            None => default.ip(),
        };
        // SkyWalking ships 0.0.0.0, which to Java is any address of either family.
        let host = if host.is_unspecified() { default.ip() } else { host };
        let port = match self.part(listener, Meaning::Port) {
            Some((_, text)) => {
                let port = text.value.trim().parse::<u16>().ok().filter(|port| *port > 0);
                port.ok_or_else(|| bad_value(text, "write a port from 1 to 65535"))?
            }
            None => default.port(),
        };
        Ok(SocketAddr::new(host, port))
    }
}

/// Returns whether a port of 0 passes access logs on to the next listener. The core is the last one,
/// so its port never does.
fn is_zero(mapping: &Mapping, text: &Text) -> bool {
    mapping.meaning == Meaning::Port && mapping.listener != Some(Listener::Core) && text.value.trim() == "0"
}

fn with(text: &Text, value: String) -> Text {
    Text {
        value,
        ..text.clone()
    }
}
