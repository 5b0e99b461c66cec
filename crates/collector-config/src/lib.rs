//! The configuration file of `alscope-collector`: one YAML file, written by a person or by the operator, read once at
//! start. Every value is parsed here, so the collector trusts what it gets. An unknown key or a bad value is an error
//! that names the file, the line, the key and what would be right. A value may hold placeholders of environment
//! variables, and settings of Apache `SkyWalking` effect over: from its section `envoy-metric`, or from its environment
//! variables.
//!
//! ```
//! use std::path::Path;
//!
//! let config = alscope_collector_config::Config::parse(
//!     "{ directory: { file: cluster.yaml }, analysis: { http: k8s-mesh } }",
//!     Path::new("/etc/alscope/collector.yaml"),
//! )?;
//! assert_eq!(config.listen.web.to_string(), "127.0.0.1:8080");
//! # Ok::<(), alscope_collector_config::ConfigError>(())
//! ```

mod analysis;
mod analyzer;
mod check;
mod describe;
mod ending;
mod environment;
mod error;
mod limits;
mod nearest;
mod parse;
mod placeholder;
mod raw_config;
mod settings;
mod skywalking;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use analysis::{Analysis, Endpoints, Naming, Persistence, Redaction};
pub use analyzer::{Analyzer, AnalyzerError};
pub use check::{Checked, Outcome, Row, SkyWalkingReport};
pub use ending::Ending;
pub use environment::Environment;
pub use error::{ConfigError, Place};
pub use limits::Limits;
pub use settings::{SETTINGS, Setting, ValueKind};
pub use skywalking::mapping::Mapping;
pub use skywalking::mapping::table::MAPPINGS;

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

/// The three addresses that the collector listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Envoy's access-log streams.
    pub grpc: SocketAddr,
    /// The page and its API; on loopback unless the file says otherwise, because it shows who calls whom.
    pub web: SocketAddr,
    /// Liveness, readiness and the Prometheus metrics.
    pub admin: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            grpc: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 11800),
            web: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9090),
        }
    }
}

/// Where the collector learns which address belongs to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Watches of a Kubernetes API server.
    Kubernetes(Kubernetes),
    /// A snapshot in a YAML file; the path is already joined to the configuration file's directory.
    File(PathBuf),
    /// Nowhere: no address is looked up, and no right is needed.
    None,
}

/// How the Kubernetes API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// A kubeconfig, already joined to the configuration file's directory; `None` is the pod's own service account, or
    /// else the environment's kubeconfig.
    pub kubeconfig: Option<PathBuf>,
}

impl Config {
    /// Reads and parses the file at `path`, with the environment of this process.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(&read(path)?, path, &Environment::of_process())
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

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        file: path.to_owned(),
        source,
    })
}
