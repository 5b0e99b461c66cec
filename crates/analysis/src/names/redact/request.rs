//! Removes secrets from targets and authorities, and unprintable characters from any text of a client.

use std::borrow::Cow;

use crate::names::escape;
use crate::names::segment::{Classes, Placeholder, has_credential, has_email};
use crate::names::target::absolute_form;

/// The text that replaces a secret.
pub const REDACTED: &str = "{redacted}";

/// Cuts a text after `bytes` bytes and marks the cut with `…`.
pub fn bounded(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}

/// The fewest hexadecimal digits that may be a session id or a key; a `MongoDB` id has 24.
const MIN_SECRET_HEX_DIGITS: usize = 32;
/// How many bytes the key of a query may have; a longer one is more likely a value.
pub(super) const MAX_QUERY_KEY_BYTES: usize = 64;
/// How often escapes may be escaped again before they are no longer resolved.
const MAX_ESCAPE_DEPTH: usize = 4;

pub(super) fn write_target(target: &[u8], output: &mut String) {
    let fragment = target.iter().position(|byte| *byte == b'#');
    let target = target.get(..fragment.unwrap_or(target.len())).unwrap_or_default();
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let (path, query) = (parts.next().unwrap_or_default(), parts.next());
    match absolute_form(path) {
        Some((scheme, authority, path)) => {
            write_printable(scheme, output);
            output.push_str("://");
            write_authority(authority, output);
            write_path(path, output);
        }
        None => write_path(path, output),
    }
    if let Some(query) = query {
        output.push('?');
        write_query(query, output);
    }
}

fn write_path(path: &[u8], output: &mut String) {
    let (mut before_last, mut last): (&[u8], &[u8]) = (b"", b"");
    for (index, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if index > 0 {
            output.push('/');
        }
        // A URL within the path: what follows `http://` is an authority.
        if before_last.ends_with(b":") && last.is_empty() && !segment.is_empty() {
            write_authority(segment, output);
        } else {
            write_segment(segment, output);
        }
        (before_last, last) = (last, segment);
    }
}

fn write_segment(segment: &[u8], output: &mut String) {
    // A word of small letters needs none of the rules.
    if Classes::of(segment).are_none() {
        return escape::write_segment(segment, output);
    }
    let decoded = decoded(segment);
    if has_long_hex(&decoded) {
        return output.push_str(REDACTED);
    }
    if hide_secret(&decoded, output) {
        return;
    }
    let is_delimiter = |byte: &u8| matches!(byte, b'=' | b';' | b'?' | b'&' | b'#');
    let delimiter = decoded.iter().position(is_delimiter);
    let at = decoded.iter().position(|byte| *byte == b'@');
    let colon = decoded.iter().position(|byte| *byte == b':');
    let password = colon.filter(|colon| at.is_some_and(|at| *colon < at));
    match [delimiter, password].into_iter().flatten().min() {
        None => escape::write_segment(segment, output),
        // The text before a password is the user's name, so it is hidden too.
        Some(start) if password == Some(start) => output.push_str(REDACTED),
        Some(start) => {
            for byte in decoded.iter().take(start) {
                escape::write_byte(*byte, true, output);
            }
            let delimiter = decoded.get(start).filter(|byte| matches!(byte, b'=' | b';'));
            output.extend(delimiter.map(|byte| char::from(*byte)));
            output.push_str(REDACTED);
        }
    }
}

/// Appends the placeholder for a text that holds a credential or an e-mail address. Returns whether it does.
pub(super) fn hide_secret(decoded: &[u8], output: &mut String) -> bool {
    if has_credential(decoded) {
        output.push_str(REDACTED);
    } else if has_email(decoded) {
        output.push_str(Placeholder::Email.text());
    } else {
        return false;
    }
    true
}

fn has_long_hex(decoded: &[u8]) -> bool {
    let is_long_hex = |piece: &[u8]| {
        piece.len() >= MIN_SECRET_HEX_DIGITS && Placeholder::of(piece) == Some(Placeholder::Hex)
    };
    decoded
        .split(|byte| !byte.is_ascii_alphanumeric())
        .any(is_long_hex)
}

fn write_query(query: &[u8], output: &mut String) {
    let mut rest = Some(query);
    while let Some(pairs) = rest {
        let end = pairs.iter().position(|byte| matches!(byte, b'&' | b';'));
        let (pair, after) = pairs
            .split_at_checked(end.unwrap_or(pairs.len()))
            .unwrap_or_default();
        write_pair(pair, output);
        output.extend(after.first().map(|byte| char::from(*byte)));
        rest = after.get(1..);
    }
}

fn write_pair(pair: &[u8], output: &mut String) {
    if pair.is_empty() {
        return;
    }
    let equals = pair.iter().position(|byte| *byte == b'=');
    let Some((key, value)) = equals.and_then(|equals| pair.split_at_checked(equals)) else {
        output.push_str(REDACTED);
        return;
    };
    // Padded base64 alone looks like a key without a value.
    if value.len() <= 2 && has_credential(&decoded(pair)) {
        output.push_str(REDACTED);
        return;
    }
    write_key(&decoded(key), output);
    output.push('=');
    if value.len() > 1 {
        output.push_str(REDACTED);
    }
}

fn write_key(key: &[u8], output: &mut String) {
    let is_name = key
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]$:".contains(byte));
    if hide_secret(key, output) {
        return;
    }
    if is_name && key.len() <= MAX_QUERY_KEY_BYTES && !has_long_hex(key) {
        output.extend(key.iter().map(|byte| char::from(*byte)));
    } else {
        output.push_str(REDACTED);
    }
}

pub(super) fn write_authority(authority: &[u8], output: &mut String) {
    let authority = decoded(authority);
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    // A character that can't be in an authority begins something else.
    let end = host
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b".-_:[]~".contains(byte));
    let shown = host.get(..end.unwrap_or(host.len())).unwrap_or_default();
    output.extend(shown.iter().map(|byte| char::from(*byte)));
    if shown.len() < host.len() {
        output.push_str(REDACTED);
    }
}

/// Appends text from a client: bytes that are not UTF-8 and control characters become the replacement character.
pub(super) fn write_printable(text: &[u8], output: &mut String) {
    let text = String::from_utf8_lossy(text);
    let printable = text.chars().map(|character| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    });
    output.extend(printable);
}

/// The text without escapes, also without escaped ones.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..MAX_ESCAPE_DEPTH {
        if !escape::has_escape(&decoded) {
            break;
        }
        decoded = Cow::Owned(escape::bytes(&decoded).map(|(byte, _)| byte).collect());
    }
    decoded
}
