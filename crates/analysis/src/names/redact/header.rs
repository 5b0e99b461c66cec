//! Removes secrets from the values of headers.
//!
//! | header | what is shown |
//! |---|---|
//! | `authorization`, `cookie`, `set-cookie`, `proxy-authorization`, those that are configured | `{redacted}` |
//! | any whose name speaks of a secret: `x-api-key`, `x-auth-token` | `{redacted}` |
//! | `:path`, `x-envoy-original-path` | as a target |
//! | `:authority`, `host` | as an authority |
//! | others | word by word: URLs and paths as targets, tokens and e-mail addresses hidden, and what follows a secret's name |

use super::request::{REDACTED, hide_secret, write_authority, write_printable, write_target};
use crate::names::segment::is_scheme;

/// Parts of a name that always mean a secret.
const SECRET_NAME_PARTS: [&[u8]; 13] = [
    b"authorization",
    b"cookie",
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"apikey",
    b"credential",
    b"signature",
    b"session",
    b"jwt",
    b"csrf",
    b"xsrf",
];
/// Words that mean a secret when they stand between dashes or underscores in a name.
const SECRET_NAME_WORDS: [&[u8]; 5] = [b"auth", b"key", b"pin", b"otp", b"sid"];

pub(super) fn write(name: &[u8], value: &[u8], configured: &[Box<str>], output: &mut String) {
    let is_one_of = |names: &[&[u8]]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    let is_configured = configured
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other.as_bytes()));
    if is_configured || names_a_secret(name) {
        output.push_str(REDACTED);
    } else if is_one_of(&[b":path", b"x-envoy-original-path"]) {
        write_target(value, output);
    } else if is_one_of(&[b":authority", b"host"]) {
        write_authority(value, output);
    } else {
        write_words(value, output);
    }
}

/// Whether a header or a key of this name holds a secret.
fn names_a_secret(name: &[u8]) -> bool {
    let contains = |part: &[u8]| {
        name.windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
    };
    let mut words = name.split(|byte| !byte.is_ascii_alphanumeric());
    SECRET_NAME_PARTS.into_iter().any(contains)
        || words.any(|word| {
            SECRET_NAME_WORDS
                .iter()
                .any(|secret| word.eq_ignore_ascii_case(secret))
        })
}

fn write_words(value: &[u8], output: &mut String) {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b';');
    let mut is_secret_next = false;
    let mut rest = value;
    while !rest.is_empty() {
        let start = rest.iter().position(|byte| !is_separator(byte));
        let (separators, after) = rest
            .split_at_checked(start.unwrap_or(rest.len()))
            .unwrap_or_default();
        write_printable(separators, output);
        let end = after.iter().position(is_separator);
        let (word, after) = after
            .split_at_checked(end.unwrap_or(after.len()))
            .unwrap_or_default();
        if is_secret_next && !word.is_empty() {
            output.push_str(REDACTED);
        } else {
            write_word(word, output);
        }
        is_secret_next = announces_a_secret(word);
        rest = after;
    }
}

/// Whether a secret follows this word: `Bearer`, `token:`, `"password":` and the like.
fn announces_a_secret(word: &[u8]) -> bool {
    let is_punctuation = |byte: &u8| !byte.is_ascii_alphanumeric();
    let start = word.iter().position(|byte| !is_punctuation(byte));
    let end = word.iter().rposition(|byte| !is_punctuation(byte));
    let (Some(start), Some(end)) = (start, end) else {
        return false;
    };
    let name = word.get(start..=end).unwrap_or_default();
    let is_followed = word.last().is_some_and(|byte| matches!(byte, b':' | b'='));
    is_scheme(name) || (is_followed && names_a_secret(name))
}

fn write_word(word: &[u8], output: &mut String) {
    let quote = word
        .iter()
        .position(|byte| !matches!(byte, b'<' | b'"' | b'\'' | b'('));
    let (quotes, text) = word
        .split_at_checked(quote.unwrap_or(word.len()))
        .unwrap_or_default();
    write_printable(quotes, output);
    let is_url =
        text.starts_with(b"/") || text.contains(&b'?') || text.windows(3).any(|window| window == b"://");
    if is_url {
        return write_target(text, output);
    }
    let equals = text.iter().position(|byte| matches!(byte, b'=' | b':'));
    let pair = equals.and_then(|equals| text.split_at_checked(equals + 1));
    if let Some((key, secret)) = pair
        && names_a_secret(key)
        && !secret.is_empty()
    {
        write_printable(key, output);
        return output.push_str(REDACTED);
    }
    if !hide_secret(text, output) {
        write_without_password(text, output);
    }
}

/// Appends a text; of `user:password@host` only the host.
fn write_without_password(text: &[u8], output: &mut String) {
    let at = text.iter().rposition(|byte| *byte == b'@');
    let parts = at.and_then(|at| text.split_at_checked(at));
    match parts {
        Some((userinfo, host)) if userinfo.contains(&b':') => {
            output.push_str(REDACTED);
            write_printable(host, output);
        }
        _ => write_printable(text, output),
    }
}
