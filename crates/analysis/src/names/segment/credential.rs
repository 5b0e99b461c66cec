//! Recognises tokens and keys by their form.

use super::base64::{MIN_JSON_BYTES, is_base64};

/// The prefixes by which issuers mark their keys, so that scanners find leaked ones. Prefixes that also begin words, such as
/// `npm_`, are left out.
const CREDENTIAL_PREFIXES: [&[u8]; 17] = [
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"xoxa-",
    b"xoxb-",
    b"xoxp-",
    b"xoxs-",
    b"sk_live_",
    b"sk_test_",
    b"rk_live_",
    b"AIza",
    b"dop_v1_",
    b"shpat_",
];
/// The fewest characters of a key after its prefix.
const MIN_BYTES_AFTER_PREFIX: usize = 12;

/// Whether a token or key stands anywhere in `text`: random base64, JSON in base64 as in a JWT, a key that its issuer marks, or
/// something after `Bearer` or `Basic`.
pub(in crate::names) fn has_credential(text: &[u8]) -> bool {
    is_after_scheme(text)
        || text
            .split(|byte| !is_part(*byte))
            .any(|piece| is_base64(piece) || is_key(piece) || has_json(piece))
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=')
}

/// The credentials of RFC 9110's `Authorization`: a scheme, a blank and something; a colon is taken for the blank.
fn is_after_scheme(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b':' | b'+'));
    end.and_then(|end| text.split_at_checked(end))
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && rest.len() > 1)
}

/// Whether this is an authentication scheme whose credentials are secret.
pub(in crate::names) fn is_scheme(word: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"digest", b"negotiate", b"apikey"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn is_key(piece: &[u8]) -> bool {
    if piece.len() < MIN_BYTES_AFTER_PREFIX {
        return false;
    }
    let after_prefix = CREDENTIAL_PREFIXES
        .iter()
        .find_map(|prefix| piece.strip_prefix(*prefix));
    after_prefix.is_some_and(|rest| rest.len() >= MIN_BYTES_AFTER_PREFIX) || is_access_key(piece)
}

/// Whether this is the id of an AWS access key, long-lived or temporary.
fn is_access_key(piece: &[u8]) -> bool {
    piece.len() == 20
        && (piece.starts_with(b"AKIA") || piece.starts_with(b"ASIA"))
        && piece
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn has_json(piece: &[u8]) -> bool {
    let start = piece.windows(3).position(|window| window == b"eyJ");
    start.is_some_and(|start| piece.len() - start >= MIN_JSON_BYTES)
}
