//! The errors of a configuration file. Each message says what is wrong, where, and what to do next.

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
        /// The configuration file's path.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("{place} is not YAML: {problem}; correct the line")]
    NotYaml {
        /// The file and line that the parser complains about.
        place: Place,
        /// The parser's message.
        problem: String,
    },
    /// The file has a key that does not exist.
    #[error("unknown key `{key}` in {place}; {choices}")]
    UnknownKey {
        /// The file and line of the key.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
        /// The nearest key that may stand there, followed by all of them.
        choices: String,
    },
    /// The file has a key more than once.
    #[error("`{key}` stands twice in {place}; keep one of them")]
    DuplicateKey {
        /// The file and line of the second occurrence.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
    },
    /// The value is a list or text where keys belong, or the other way round.
    #[error("`{key}` in {place} has the wrong form; write {expected}")]
    WrongForm {
        /// The file and line of the key.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
        /// The right form: `keys`, `one value` or `a list of values`.
        expected: &'static str,
    },
    /// The file holds a text or a list where its keys belong.
    #[error("{place} holds no keys; write at least `directory: {{ kubernetes: {{}} }}`")]
    NotAMapping {
        /// The file and line of the text or list.
        place: Place,
    },
    /// The value of a key or environment variable cannot be used.
    #[error("`{key}` in {place} is `{value}`; {remedy}")]
    BadValue {
        /// The file and line of the value, or the environment.
        place: Place,
        /// The key with its parents, or the environment variable's name.
        key: String,
        /// The value, with its placeholders filled.
        value: String,
        /// What to write instead, as an imperative sentence.
        remedy: &'static str,
    },
    /// A value has a placeholder without a default, and its environment variable is not set.
    #[error(
        "`{key}` in {place} takes the environment variable {variable}, which is not set; set it, or write a default as in \
         ${{{variable}:default}}"
    )]
    UnsetVariable {
        /// The file and line of the value.
        place: Place,
        /// The key with its parents, as in `listen.grpc`.
        key: String,
        /// The environment variable's name.
        variable: String,
    },
    /// The value takes an environment variable where no placeholder is filled.
    #[error("`{key}` in {place} is `{value}`, which takes an environment variable; write the value itself")]
    Placeholder {
        /// Where the value stands.
        place: Place,
        /// The name of the value, as in `spec.analysis.http`.
        key: String,
        /// The value with its placeholder.
        value: String,
    },
    /// The value names a chain of analyzers that cannot be used.
    #[error("`{key}` in {place}: {problem}")]
    BadAnalyzers {
        /// The file and line of the value, or the environment.
        place: Place,
        /// The key with its parents, or the environment variable's name.
        key: String,
        /// The problem of the chain, and what to write.
        problem: AnalyzerError,
    },
    /// The value is a naming rule that cannot be used.
    #[error("`{key}` in {place}: {problem}")]
    BadNamingRule {
        /// The file and line of the value, or the environment.
        place: Place,
        /// The key with its parents, or the environment variable's name.
        key: String,
        /// The problem of the rule, and what to write.
        problem: TemplateError,
    },
    /// The file has no source for the directory, or more than one.
    #[error(
        "{place} has {found} for `directory`; write one of `directory: {{ kubernetes: {{}} }}`, `directory: {{ file: PATH }}` and \
         `directory: {{ none: {{}} }}`"
    )]
    DirectorySource {
        /// The file, with the line if the key `directory` is there.
        place: Place,
        /// How many sources there are: `no source` or `more than one source`.
        found: &'static str,
    },
    /// Two listeners have the same address.
    #[error("`{first}` and `{second}` in {place} are both on port {port}; give each a port of its own")]
    SamePort {
        /// The configuration file.
        place: Place,
        /// The key of one listener.
        first: &'static str,
        /// The key of the other listener.
        second: &'static str,
        /// The port that both have.
        port: u16,
    },
    /// The limit of one message is higher than the limit of all buffered messages, so the largest
    /// message could never be read.
    #[error(
        "`limits.messageBytes` in {place} is {message_bytes}, more than `limits.bufferedBytes` {buffered_bytes}; raise the second"
    )]
    MessageOverBuffer {
        /// The configuration file.
        place: Place,
        /// Bytes that `limits.messageBytes` allows.
        message_bytes: usize,
        /// Bytes that `limits.bufferedBytes` allows.
        buffered_bytes: usize,
    },
}

/// The place that a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file, with no line.
    File(PathBuf),
    /// A line of a file. Lines count from 1.
    Line(PathBuf, u64),
    /// The environment variables of the process.
    Environment,
}

impl Place {
    /// A line of a file. The parser says 0 for a line that it does not know.
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
