//! What the values of keys are.

use std::fmt;

use crate::raw_config::Form;

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Further keys.
    Keys,
    /// An IP address with a port.
    Address,
    /// A path, relative to the file's directory unless it is absolute.
    File,
    /// Comma-separated analyzers.
    Analyzers,
    /// A template of a service's name.
    NamingRule,
    /// Comma-separated names.
    Names,
    /// A list of texts.
    List,
    /// A whole number from 1 on.
    Number,
    /// A whole number of milliseconds from 1 on.
    Milliseconds,
    /// A time with its unit.
    Time,
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
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
