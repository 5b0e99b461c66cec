//! The kinds of values that keys take.

use std::fmt;

use crate::raw_config::Form;

/// The kind of value that a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A block of further keys.
    Keys,
    /// An IP address with a port, as in `127.0.0.1:8080`.
    Address,
    /// A path. A relative one starts at the configuration file's directory.
    File,
    /// A comma-separated chain of analyzers.
    Analyzers,
    /// A template of a service's name.
    NamingRule,
    /// Comma-separated names. Blank names are left out.
    Names,
    /// A list of texts, one for each item.
    List,
    /// A whole number from 1 to `u32::MAX`.
    Number,
    /// A whole number of milliseconds, at least 1.
    Milliseconds,
    /// A time with its unit, as in `30m`, `90s` or `500ms`.
    Time,
    /// A decimal number from 0 to 1.
    Share,
    /// The text `true` or `false`.
    Switch,
}

impl ValueKind {
    pub(crate) const fn form(self) -> Form {
        match self {
            Self::Keys => Form::Keys,
            Self::List => Form::List,
            Self::Address
            | Self::File
            | Self::Analyzers
            | Self::NamingRule
            | Self::Names
            | Self::Number
            | Self::Milliseconds
            | Self::Time
            | Self::Share
            | Self::Switch => Form::Text,
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Keys => "keys",
            Self::Address => "IP address and port",
            Self::File => "path",
            Self::Analyzers => "comma-separated analyzers",
            Self::NamingRule => "naming rule",
            Self::Names => "comma-separated names",
            Self::List => "list",
            Self::Number => "number from 1",
            Self::Milliseconds => "milliseconds from 1",
            Self::Time => "time with its unit",
            Self::Share => "number from 0 to 1",
            Self::Switch => "`true` or `false`",
        })
    }
}
