//! What can be wrong with a configuration file. Each message says what, where, and what to do next.

use std::path::{Path, PathBuf};

use alscope_naming::template::TemplateError;

use crate::analyzer::AnalyzerError;

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "cannot read the configuration file {file}; check that it exists and is readable",
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
    #[error("unknown key `{key}` in {place}; {choices}")]
    UnknownKey {
        /// File and line.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
        /// The nearest key that may stand there, and all of them.
        choices: String,
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
        /// `keys`, `one value` or `a list of values`.
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
        /// The key with its parents, or the environment variable.
        key: String,
        /// The value, with its placeholders filled.
        value: String,
        /// What to write.
        remedy: &'static str,
    },
    /// A placeholder without default, of a variable that is not set.
    #[error(
        "`{key}` in {place} takes the environment variable {variable}, which is not set; set it, or write a default as in \
         ${{{variable}:default}}"
    )]
    UnsetVariable {
        /// File and line.
        place: Place,
        /// The key with its parents.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A chain of analyzers that cannot be used.
    #[error("`{key}` in {place}: {problem}")]
    BadAnalyzers {
        /// File and line.
        place: Place,
        /// The key with its parents, or the environment variable.
        key: String,
        /// What is wrong with the chain.
        problem: AnalyzerError,
    },
    /// A naming rule that cannot be used.
    #[error("`{key}` in {place}: {problem}")]
    BadNamingRule {
        /// File and line.
        place: Place,
        /// The key with its parents, or the environment variable.
        key: String,
        /// What is wrong with the rule.
        problem: TemplateError,
    },
    /// No source for the directory, or several.
    #[error(
        "{place} has {found} for `directory`; write one of `directory: {{ kubernetes: {{}} }}`, `directory: {{ file: PATH }}` and \
         `directory: {{ none: {{}} }}`"
    )]
    DirectorySource {
        /// File, and line when the key is there.
        place: Place,
        /// `no source` or `more than one source`.
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

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// A line of a file; the first is 1.
    Line(PathBuf, u64),
    /// The environment of the process.
    Environment,
}

impl Place {
    /// A line of a file; 0 stands for one that is not known.
    pub(crate) fn line(file: &Path, line: u64) -> Self {
        if line == 0 {
            return Self::File(file.to_owned());
        }
        Self::Line(file.to_owned(), line)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(formatter, "{}", file.display()),
            Self::Line(file, line) => write!(formatter, "{} line {line}", file.display()),
            Self::Environment => formatter.write_str("the environment"),
        }
    }
}
