//! What can be wrong with a configuration file. Each message says what, where, and what to do next.

use std::path::{Path, PathBuf};

use crate::analyzer::AnalyzerError;

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "cannot read the configuration file {file}; check that the path given to --config exists and is readable",
        file = .file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("{place} is not YAML: {problem}; correct the line")]
    NotYaml {
        /// File and line.
        place: Place,
        /// What the parser said.
        problem: String,
    },
    /// A key that this file does not have.
    #[error("unknown key `{key}` in {place}; use {known}", known = .known.join(", "))]
    UnknownKey {
        /// File and line.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
        /// The keys that may stand there.
        known: Vec<String>,
    },
    /// A key that stands in the file more than once.
    #[error("`{key}` stands twice in {place}; keep one of them")]
    DuplicateKey {
        /// File and line of the second.
        place: Place,
        /// The key with its parents.
        key: String,
    },
    /// A list or text where keys belong, or the other way round.
    #[error("`{key}` in {place} has the wrong form; write {expected}")]
    WrongForm {
        /// File and line.
        place: Place,
        /// The key with its parents.
        key: String,
        /// `keys` or `one value`.
        expected: &'static str,
    },
    /// A text or a list where the file's keys belong.
    #[error("{place} holds no keys; write at least `directory: {{ kubernetes: {{}} }}`")]
    NotAMapping {
        /// File and line.
        place: Place,
    },
    /// A value that cannot be used.
    #[error("`{key}` in {place} is `{value}`; {remedy}")]
    BadValue {
        /// File and line.
        place: Place,
        /// The key with its parents.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What to write.
        remedy: &'static str,
    },
    /// A chain of analyzers that cannot be used.
    #[error("`{key}` in {place}: {problem}")]
    BadAnalyzers {
        /// File and line.
        place: Place,
        /// `analysis.http` or `analysis.tcp`.
        key: &'static str,
        /// What is wrong with the chain.
        problem: AnalyzerError,
    },
    /// No source for the directory, or two.
    #[error(
        "{place} has {found} for `directory`; write `directory: {{ kubernetes: {{}} }}` or `directory: {{ file: PATH }}`"
    )]
    DirectorySource {
        /// File, and line when the key is there.
        place: Place,
        /// `no source` or `two sources`.
        found: &'static str,
    },
    /// Two listeners with one address.
    #[error("`{first}` and `{second}` in {place} are both on port {port}; give each a port of its own")]
    SamePort {
        /// The file.
        place: Place,
        /// One key.
        first: &'static str,
        /// The other key.
        second: &'static str,
        /// Their port.
        port: u16,
    },
    /// A message that is allowed could never be buffered.
    #[error(
        "`limits.messageBytes` in {place} is {message_bytes}, more than `limits.bufferedBytes` {buffered_bytes}; raise the second"
    )]
    MessageOverBuffer {
        /// The file.
        place: Place,
        /// The limit of a message.
        message_bytes: usize,
        /// The limit of all messages together.
        buffered_bytes: usize,
    },
}

/// A file, and a line of it when one is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: PathBuf,
    line: Option<u64>,
}

impl Place {
    pub(crate) fn file(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
        }
    }

    pub(crate) fn line(file: &Path, line: u64) -> Self {
        Self {
            file: file.to_owned(),
            line: (line > 0).then_some(line),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{} line {line}", self.file.display()),
            None => write!(formatter, "{}", self.file.display()),
        }
    }
}
