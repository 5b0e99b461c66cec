//! Settings of Apache `SkyWalking` that carry over: what it is told in the section `envoy-metric` of its file, or by its
//! environment variables, becomes texts of our own keys. What has no meaning here is told, with the reason.

pub(crate) mod mapping;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::error::Place;
use crate::parse::bad;
use crate::raw_config::{Text, Written};
use crate::{ConfigError, Environment, placeholder};
use mapping::table::CARRIED;
use mapping::{Carried, Listener, Meaning};

/// What `SkyWalking`'s settings are, by its keys.
#[derive(Debug)]
pub(crate) struct Given(BTreeMap<&'static str, Text>);

/// What becomes of one setting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// It is this text for that key of ours.
    Sets(&'static str, Text),
    /// It has no effect, and why.
    Ignored(&'static str),
}

/// The texts of our keys that `given` sets, but for those that `written` has itself; `ignored` is told what has no effect.
pub(crate) fn carry_over(
    given: &Given,
    written: &Written,
    ignored: &mut Vec<String>,
) -> Result<Vec<(&'static str, Text)>, ConfigError> {
    let mut texts = Vec::new();
    for (carried, text) in given.rows() {
        if carried.sets().is_some_and(|key| written.texts.contains_key(key)) {
            continue;
        }
        match given.carry(carried, text)? {
            Carry::Sets(key, text) => texts.push((key, text)),
            Carry::Ignored(_) if text.value == carried.shipped => {}
            Carry::Ignored(reason) => {
                ignored.push(format!("`{}` in {} is ignored: {reason}", text.name, text.place));
            }
        }
    }
    Ok(texts)
}

impl Given {
    /// What a file says, and the environment where the file says nothing.
    pub(crate) fn new(written: &Written, environment: &Environment) -> Self {
        let text = |carried: &Carried| {
            let of_the_file = written.texts.get(carried.key).cloned();
            of_the_file.or_else(|| {
                Some(Text {
                    name: carried.variable.to_owned(),
                    place: Place::Environment,
                    value: placeholder::unquoted(environment.value(carried.variable)?).to_owned(),
                })
            })
        };
        let texts = CARRIED
            .iter()
            .filter_map(|carried| Some((carried.key, text(carried)?)));
        Self(texts.collect())
    }

    /// What is set, in the order of the table.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Carried, &Text)> {
        CARRIED
            .iter()
            .filter_map(|carried| Some((carried, self.0.get(carried.key)?)))
    }

    /// What becomes of one of the settings.
    pub(crate) fn carry(&self, carried: &'static Carried, text: &Text) -> Result<Carry, ConfigError> {
        let listener = self.listener();
        if let Some(own) = carried.listener
            && own != listener
            && !is_zero(carried, text)
        {
            return Ok(Carry::Ignored(own.unused()));
        }
        let value = text.value.trim();
        match carried.meaning {
            Meaning::SetsUnlessZero(_) if value == "0" => {
                Ok(Carry::Ignored("0 is no bound, so the default is one"))
            }
            Meaning::Names(_, None) if value.is_empty() => {
                Ok(Carry::Ignored("a blank rule leaves the default"))
            }
            Meaning::Names(key, Some(rule)) if value.is_empty() => {
                Ok(Carry::Sets(key, with(text, rule.to_owned())))
            }
            Meaning::Sets(key) | Meaning::SetsUnlessZero(key) | Meaning::Names(key, _) => {
                Ok(Carry::Sets(key, text.clone()))
            }
            Meaning::Port if is_zero(carried, text) => {
                Ok(Carry::Ignored("0 leaves the port to the next listener"))
            }
            Meaning::Host | Meaning::Port => {
                let address = self.address(listener)?.to_string();
                Ok(Carry::Sets("listen.grpc", with(text, address)))
            }
            Meaning::Only(accepted, _) if value == accepted => Ok(Carry::Ignored("it is as it is here")),
            Meaning::Only(_, remedy) => Err(bad(text, remedy)),
            Meaning::Ignored(reason) => Ok(Carry::Ignored(reason)),
        }
    }

    /// The first listener that has a port; the core's has one in any case.
    fn listener(&self) -> Listener {
        let has_port = |listener: &Listener| {
            self.part(*listener, Meaning::Port)
                .is_some_and(|(carried, text)| !is_zero(carried, text))
        };
        Listener::ALL.into_iter().find(has_port).unwrap_or(Listener::Core)
    }

    fn part(&self, listener: Listener, meaning: Meaning) -> Option<(&'static Carried, &Text)> {
        self.rows()
            .find(|(carried, _)| carried.listener == Some(listener) && carried.meaning == meaning)
    }

    /// Where a listener listens.
    fn address(&self, listener: Listener) -> Result<SocketAddr, ConfigError> {
        let default = crate::Listen::default().grpc;
        let host = match self.part(listener, Meaning::Host) {
            Some((_, text)) => (text.value.trim().parse::<IpAddr>())
                .map_err(|_| bad(text, "write an IP address, as in 0.0.0.0 or ::"))?,
            None => default.ip(),
        };
        let port = match self.part(listener, Meaning::Port) {
            Some((_, text)) => {
                let port = text.value.trim().parse::<u16>().ok().filter(|port| *port > 0);
                port.ok_or_else(|| bad(text, "write a port from 1 to 65535"))?
            }
            None => default.port(),
        };
        Ok(SocketAddr::new(host, port))
    }
}

/// Whether it says that another listener has the port. That of the core cannot.
fn is_zero(carried: &Carried, text: &Text) -> bool {
    carried.meaning == Meaning::Port && carried.listener != Some(Listener::Core) && text.value.trim() == "0"
}

fn with(text: &Text, value: String) -> Text {
    Text {
        value,
        ..text.clone()
    }
}
