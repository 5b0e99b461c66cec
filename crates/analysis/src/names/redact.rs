//! Removes secrets from what is shown of a request: paths, authorities and headers.
//!
//! | of | what is shown |
//! |---|---|
//! | query | the keys; `{redacted}` for each value, and for what is no pair or has no key's form |
//! | fragment | nothing |
//! | userinfo of an authority | nothing |
//! | path segment with an e-mail address | `{email}` |
//! | path segment that is a token, a key, or 32 and more hexadecimal digits | `{redacted}` |
//! | path segment with `=`, `;`, `?`, `&`, `#`, or a `:` before an `@` | what stands before, and `{redacted}` |
//! | headers of secrets, by name | `{redacted}` |
//! | other headers | the same rules word by word |
//!
//! Escapes are resolved before the rules look, also those of escapes. What is shown is printable.

mod header;
mod request;

pub use request::{REDACTED, bounded};
use request::{write_authority, write_printable, write_target};

/// Whether and how secrets are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// Secrets are hidden, and so are the values of these headers.
    On {
        /// The names of the headers in lower case, besides those that are always hidden.
        headers: Vec<Box<str>>,
    },
    /// Everything is shown, in printable form.
    Off,
}

impl Default for Redaction {
    fn default() -> Self {
        Redaction::On { headers: Vec::new() }
    }
}

impl Redaction {
    /// A redaction that hides secrets and the values of `headers`, whose case does not matter.
    pub fn with_headers<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let headers = headers.into_iter();
        Redaction::On {
            headers: headers.map(|name| name.to_ascii_lowercase().into()).collect(),
        }
    }

    /// Appends what may be shown of a request's target, in any of its forms.
    pub fn target(&self, target: &[u8], output: &mut String) {
        match self {
            Redaction::On { .. } => write_target(target, output),
            Redaction::Off => write_printable(target, output),
        }
    }

    /// Appends what may be shown of an authority or a `Host`.
    pub fn authority(&self, authority: &[u8], output: &mut String) {
        match self {
            Redaction::On { .. } => write_authority(authority, output),
            Redaction::Off => write_printable(authority, output),
        }
    }

    /// Appends what may be shown of a header's value.
    pub fn header(&self, name: &[u8], value: &[u8], output: &mut String) {
        match self {
            Redaction::On { headers } => header::write(name, value, headers, output),
            Redaction::Off => write_printable(value, output),
        }
    }
}

#[cfg(test)]
mod tests;
