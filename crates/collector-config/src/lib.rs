//! The configuration file of `alscope-collector`: one YAML file, written by a person or by the
//! operator, read once at start.
//!
//! Every value is parsed and checked here, so the collector trusts what it gets. An unknown key or a bad
//! value is an error that names the file, the line, the key and the remedy. A value may hold placeholders
//! of environment variables. Settings of Apache `SkyWalking` carry over, from the file's section
//! `envoy-metric` or from `SkyWalking`'s environment variables.
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
mod config;
mod describe;
mod directory;
mod ending;
mod environment;
mod error;
mod field;
mod given_value;
mod limits;
mod listen;
mod nearest;
mod parse;
mod placeholder;
mod raw_config;
mod render;
mod setting;
mod skywalking;
mod value_kind;
mod web;

use std::path::Path;

pub use analysis::{Analysis, Endpoints, Naming, Persistence, Redaction};
pub use analyzer::{Analyzer, AnalyzerError};
pub use check::{Checked, Outcome, Row, SkyWalkingReport};
pub use config::Config;
pub use directory::{Directory, Kubernetes};
pub use ending::Ending;
pub use environment::Environment;
pub use error::{ConfigError, Place};
pub use given_value::GivenValue;
pub use limits::Limits;
pub use listen::Listen;
pub use nearest::choices;
pub use setting::{Setting, settings};
pub use skywalking::mapping::Mapping;
pub use skywalking::mapping::table::MAPPINGS;
pub use value_kind::ValueKind;

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        file: path.to_owned(),
        source,
    })
}
