//! The whole configuration, and the keys that stand outside of any block.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::field::Field;
use crate::setting::{Setting, setting};
use crate::{Analysis, ConfigError, Directory, Ending, Environment, Kubernetes, Limits, Listen, parse};

/// The configuration file as the collector uses it, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The addresses that the collector listens on.
    pub listen: Listen,
    /// The source of the directory, which knows who has which address.
    pub directory: Directory,
    /// The analyzers and their settings.
    pub analysis: Analysis,
    /// Whether the collector takes Envoy's own metrics in addition to its access logs.
    pub accept_metrics_service: bool,
    /// Number of ingest threads. `None` means one for each core.
    pub workers: Option<NonZeroUsize>,
    /// Upper bounds for what clients send and what is kept of it.
    pub limits: Limits,
    /// Host names by which the page may be asked for in addition to loopback, as a browser
    /// shows them, without a port.
    pub web_hosts: Vec<String>,
    /// How long each stage of the shutdown may take.
    pub ending: Ending,
    /// Settings of `SkyWalking` that are written but have no effect, one sentence each.
    pub ignored: Vec<String>,
}

/// The configuration of a file that holds only `directory: { kubernetes: {} }`.
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

/// The keys that stand outside of any block, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "acceptMetricsService",
        Field::Switch(|config| &mut config.accept_metrics_service),
        "Whether the collector takes the metrics that Envoys report about themselves (Envoy's Metrics Service) and shows them at `/metrics`.",
    ),
    setting(
        "workers",
        Field::Workers(|config| &mut config.workers),
        "The number of threads that receive entries, at most 1024.",
    ),
];

impl Config {
    /// Reads and parses the file at `path`, with this process's environment variables.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(&crate::read(path)?, path, &Environment::of_process())
    }

    /// Parses `text` as if no environment variable were set. Error messages name the file `origin`, and
    /// relative paths start at its directory.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(text, origin, &Environment::default())
    }

    /// Parses `text` with the given environment variables. A value that neither the collector's own keys
    /// nor the section `envoy-metric` set comes from `SkyWalking`'s environment variable.
    pub fn parse_with(text: &str, origin: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        parse::config(text, origin, environment)
    }
}
