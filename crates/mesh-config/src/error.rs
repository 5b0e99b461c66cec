//! Why a mesh config is not read or not changed. Each message says what, where, and what to do next.

/// Why a mesh config was refused; nothing is written then. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshConfigError {
    /// The text is not YAML; istiod goes on with the last good one, and starts with defaults.
    #[error("line {line} of the mesh config is not YAML: {problem}; correct the line")]
    NotYaml {
        /// The line at which the parser stopped.
        line: usize,
        /// What the parser reports.
        problem: String,
    },
    /// A line is indented with a tab, where YAML wants spaces.
    #[error("line {line} of the mesh config is indented with a tab; indent it with spaces")]
    Tab {
        /// The line with the tab.
        line: usize,
    },
    /// A character that istiod's YAML reader refuses, or takes for the end of a line.
    #[error(
        "line {line} of the mesh config holds the character U+{code:04X}, which istiod does not read as text; \
         take it out or write it as an escape in double quotes"
    )]
    Character {
        /// The line with the character.
        line: usize,
        /// The code point of the character.
        code: u32,
    },
    /// More levels than a mesh config has.
    #[error("line {line} of the mesh config is nested deeper than {limit} levels; make it flatter")]
    TooDeep {
        /// The line that opens one level too many.
        line: usize,
        /// The number of levels that are read.
        limit: usize,
    },
    /// A second document; istiod reads only the first.
    #[error("line {line} of the mesh config starts a second YAML document; keep one document")]
    SeveralDocuments {
        /// The line at which the second document starts.
        line: usize,
    },
    /// A list or a single value where the keys belong.
    #[error("line {line} of the mesh config holds no keys; write it as `key: value` lines")]
    RootNotMapping {
        /// The line of the value.
        line: usize,
    },
    /// A mapping has a key twice.
    #[error("`{key}` on line {line} of the mesh config stands there for the second time; keep one of them")]
    DuplicateKey {
        /// The line of the second key.
        line: usize,
        /// The key that is there twice.
        key: String,
    },
    /// A key that is a list, a mapping or an alias.
    #[error("line {line} of the mesh config has a key that is not a plain text; write the key out")]
    KeyNotText {
        /// The line of the key.
        line: usize,
    },
    /// An alias without its anchor before it.
    #[error("line {line} of the mesh config uses an anchor that no line before it sets; correct the line")]
    UnknownAnchor {
        /// The line of the alias.
        line: usize,
    },
    /// A value that istiod would not read.
    #[error(
        "`{path}` on line {line} of the mesh config is not {expected}; istiod refuses that, so correct it"
    )]
    WrongForm {
        /// The line of the value.
        line: usize,
        /// The key with its parents.
        path: String,
        /// The form of value that istiod reads there.
        expected: &'static str,
    },
    /// A key in the spelling of the protobuf field. istiod reads it as the same field, so both would be the field twice.
    #[error("`{key}` on line {line} of the mesh config is in snake case; write it as `{camel}`")]
    SnakeCase {
        /// The line of the key.
        line: usize,
        /// The key as it is written.
        key: &'static str,
        /// The key as it should be written.
        camel: &'static str,
    },
    /// `<<` that sets, or may set, a key that is read or written here.
    #[error(
        "`<<` on line {line} of the mesh config sets keys of access logging from elsewhere; \
         write those keys out instead of merging them"
    )]
    MergeKey {
        /// The line of the `<<`.
        line: usize,
    },
    /// A mapping or list that would have to change is an alias.
    #[error("`{path}` on line {line} of the mesh config is an alias; write its keys out")]
    Aliased {
        /// The line of the alias.
        line: usize,
        /// The key with its parents.
        path: String,
    },
    /// A value that would have to change is used by an alias too.
    #[error(
        "`{path}` of the mesh config cannot change alone, because the alias on line {line} repeats it; \
         write the alias out"
    )]
    Shared {
        /// The line of the alias.
        line: usize,
        /// The key with its parents.
        path: String,
    },
    /// No edit was found that leaves everything else as it is.
    #[error(
        "`{path}` near line {line} of the mesh config cannot be changed without changing something else; \
         change it by hand"
    )]
    Unsupported {
        /// The line of the key, or of the mapping that it would be in.
        line: usize,
        /// The key with its parents.
        path: String,
    },
    /// An address that istiod would refuse, and the whole mesh config with it.
    #[error("the collector's address `{address}` {problem}; write it as name:port")]
    Address {
        /// The address of the collector.
        address: String,
        /// What is wrong with the address.
        problem: &'static str,
    },
    /// The text to go back to is itself not usable.
    #[error("the mesh config from before cannot be used: {0}")]
    Original(#[source] Box<MeshConfigError>),
}
