//! What a setting of Apache `SkyWalking` is and means here; the table has them all.

pub(crate) mod table;

/// A setting of `SkyWalking`.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Its key in `application.yml`, with module and provider.
    pub key: &'static str,
    /// The environment variable that the shipped file takes it from.
    pub variable: &'static str,
    /// Its value in the shipped file when the variable is not set.
    pub shipped: &'static str,
    pub(crate) meaning: Meaning,
    /// The listener that it is of; without effect when another one receives access logs.
    pub(crate) listener: Option<Listener>,
}

/// What a setting of `SkyWalking` means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The key of ours that it sets.
    Sets(&'static str),
    /// The same, but 0 is no bound, which the default is taken for.
    SetsUnlessZero(&'static str),
    /// A naming rule, and the rule that a blank one stands for.
    Names(&'static str, Option<&'static str>),
    /// The address of `listen.grpc`.
    Host,
    /// The port of `listen.grpc`; 0 leaves it to the next listener.
    Port,
    /// Only one value is accepted, with what to do about another one.
    Only(&'static str, &'static str),
    /// It has no effect, and why.
    Ignored(&'static str),
}

/// Where `SkyWalking` receives access logs: on the first of these that has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The one of `envoy-metric`.
    AccessLogs,
    /// The one that receivers share.
    Shared,
    /// The one of the core.
    Core,
}

impl Listener {
    pub(crate) const ALL: [Self; 3] = [Self::AccessLogs, Self::Shared, Self::Core];

    /// Why a setting of this listener has no effect while another one receives.
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
    /// Whether it may stand in our own file, in the section `envoy-metric`.
    pub fn is_of_the_section(&self) -> bool {
        self.key.starts_with("envoy-metric.")
    }

    /// The key of ours that it sets; `None` when it sets none.
    pub fn sets(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Sets(key) | Meaning::SetsUnlessZero(key) | Meaning::Names(key, _) => Some(key),
            Meaning::Host | Meaning::Port => Some("listen.grpc"),
            Meaning::Only(..) | Meaning::Ignored(_) => None,
        }
    }

    /// What becomes of it, in a sentence without its stop.
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
