//! The whole configuration, with its keys outside of any block.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::field::Field;
use crate::setting::{Setting, setting};
use crate::{Analysis, ConfigError, Directory, Ending, Environment, Kubernetes, Limits, Listen, parse};

/// Everything that the configuration file decides, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the collector listens.
    pub listen: Listen,
    /// Where it learns which address belongs to whom.
    pub directory: Directory,
    /// Which rules read the entries.
    pub analysis: Analysis,
    /// Whether Envoy's own metrics are taken beside its access logs.
    pub accept_metrics_service: bool,
    /// Number of ingest threads; `None` is one for each core.
    pub workers: Option<NonZeroUsize>,
    /// What a client may send at most.
    pub limits: Limits,
    /// The names, beside those of loopback, by which the page may be asked for: what a browser shows as the host, without a port.
    pub web_hosts: Vec<String>,
    /// How long the end may take.
    pub ending: Ending,
    /// Settings of `SkyWalking` that are written but have no effect here, one sentence each.
    pub ignored: Vec<String>,
}

/// What runs with a file that says nothing but `directory: { kubernetes: {} }`.
impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            directory: Directory::Kubernetes(Kubernetes::default()),
            analysis: Analysis::default(),
            accept_metrics_service: true,
            workers: None,
            limits: Limits::default(),
            web_hosts: Vec::new(),
            ending: Ending::default(),
            ignored: Vec::new(),
        }
    }
}

/// The keys outside of any block.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "acceptMetricsService",
        Field::Switch(|config| &mut config.accept_metrics_service),
        "Whether the metrics that Envoys report about themselves (Envoy's Metrics Service) are taken, and shown at `/metrics`.",
    ),
    setting(
        "workers",
        Field::Workers(|config| &mut config.workers),
        "Threads that receive, at most 1024.",
    ),
];

impl Config {
    /// Reads and parses the file at `path`, with the environment of this process.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(&crate::read(path)?, path, &Environment::of_process())
    }

    /// Parses `text` as if no environment variable were set; `origin` is the file that it came from, for error messages
    /// and relative paths.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(text, origin, &Environment::default())
    }

    /// Parses `text`. What neither its own keys nor its section `envoy-metric` set is taken from the environment
    /// variables that `SkyWalking` takes it from.
    pub fn parse_with(text: &str, origin: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        parse::config(text, origin, environment)
    }
}
