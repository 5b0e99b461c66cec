//! A setting of Apache `SkyWalking` and its meaning here. The table lists all of them.

pub(crate) mod table;

/// A setting of `SkyWalking` that concerns access logs.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The key in `application.yml`, with its module and provider.
    pub key: &'static str,
    /// The environment variable that the shipped `application.yml` takes the value from.
    pub variable: &'static str,
    /// The value in the shipped `application.yml` when the variable is not set.
    pub shipped: &'static str,
    pub(crate) meaning: Meaning,
    /// The listener that the setting belongs to. The setting has no effect while
    /// another listener receives access logs.
    pub(crate) listener: Option<Listener>,
}

/// The meaning of a `SkyWalking` setting here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It sets this key of the collector.
    Sets(&'static str),
    /// It sets this key of the collector. 0 means no bound in `SkyWalking`, so here it leaves
    /// the key at its default.
    SetsUnlessZero(&'static str),
    /// It sets this key to a naming rule. A blank rule stands for the second one, or for the
    /// default if there is none.
    Names(&'static str, Option<&'static str>),
    /// It is the IP address of `listen.grpc`.
    Host,
    /// It is the port of `listen.grpc`. 0 leaves the port to the next listener.
    Port,
    /// It must have this value. The second text says what to do about any other.
    Only(&'static str, &'static str),
    /// It has no effect; the text says why.
    Ignored(&'static str),
}

/// The listeners on which `SkyWalking` may receive access logs. It uses the first one that has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The listener of the module `envoy-metric`.
    AccessLogs,
    /// The listener of the module `receiver-sharing-server`.
    Shared,
    /// The listener of the module `core`.
    Core,
}

impl Listener {
    pub(crate) const ALL: [Self; 3] = [Self::AccessLogs, Self::Shared, Self::Core];

    /// Says why a setting of this listener has no effect while another listener receives access logs.
    pub(crate) const fn unused(self) -> &'static str {
        match self {
            Self::AccessLogs => {
                "it counts only with a gRPCPort of its own; without one, access logs come in on the shared port"
            }
            Self::Shared => {
                "it counts only if access logs come in on this port: envoy-metric's gRPCPort is 0, and this one is not"
            }
            Self::Core => {
                "it counts only if access logs come in on this port: those of envoy-metric and receiver-sharing-server are 0"
            }
        }
    }
}

impl Mapping {
    /// Returns whether the key may stand in the collector's own file, in the section `envoy-metric`.
    pub fn is_of_the_section(&self) -> bool {
        self.key.starts_with("envoy-metric.")
    }

    /// Returns the collector's own key that the setting sets, if it sets one.
    pub fn sets(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Sets(key) | Meaning::SetsUnlessZero(key) | Meaning::Names(key, _) => Some(key),
            Meaning::Host | Meaning::Port => Some("listen.grpc"),
            Meaning::Only(..) | Meaning::Ignored(_) => None,
        }
    }

    /// Describes the effect of the setting in a sentence without its full stop.
    pub fn meaning(&self) -> String {
        match self.meaning {
            Meaning::Sets(key) => format!("sets `{key}`"),
            Meaning::SetsUnlessZero(key) => format!("sets `{key}`; 0 leaves its default"),
            Meaning::Names(key, None) => format!("sets `{key}`; a blank one leaves its default"),
            Meaning::Names(key, Some(rule)) => format!("sets `{key}`; a blank one is `{rule}`"),
            Meaning::Host => "the address of `listen.grpc`".to_owned(),
            Meaning::Port => match self.listener {
                Some(Listener::Core) | None => "the port of `listen.grpc`".to_owned(),
                Some(Listener::AccessLogs | Listener::Shared) => {
                    "the port of `listen.grpc`; 0 leaves it to the next listener".to_owned()
                }
            },
            Meaning::Only("", remedy) => format!("must be empty: {remedy}"),
            Meaning::Only(value, remedy) => format!("must be `{value}`: {remedy}"),
            Meaning::Ignored(reason) => format!("ignored: {reason}"),
        }
    }
}
