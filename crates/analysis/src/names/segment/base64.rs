//! Recognises random bytes that are written as text.

/// The fewest characters that count as base64: fifteen random bytes are 20, sixteen are 22.
const MIN_BYTES: usize = 20;
/// The fewest characters with padding, which is rare enough in words to trust shorter texts.
const MIN_PADDED_BYTES: usize = 8;
/// The fewest characters of a JSON object in base64url, which begins with `eyJ` (`{"`).
pub(super) const MIN_JSON_BYTES: usize = 10;

/// Whether `segment` is random bytes as text: a JWT, a ULID, padded base64, or 20 and more characters of base64 or base64url
/// that are mixed as random ones are.
pub(super) fn is_base64(segment: &[u8]) -> bool {
    is_jwt(segment) || is_ulid(segment) || is_padded(segment) || is_mixed(segment)
}

/// A JSON object's beginning `{"` in base64url, and at least two more parts (RFC 7519; an encrypted one has four more).
fn is_jwt(text: &[u8]) -> bool {
    let parts = || text.split(|byte| *byte == b'.');
    let is_header = |part: &[u8]| part.starts_with(b"eyJ") && part.len() >= MIN_JSON_BYTES;
    parts().next().is_some_and(is_header)
        && parts().count() >= 3
        && parts().all(|part| part.iter().all(|byte| is_base64url(*byte)))
}

/// 26 characters of Crockford's base32, whose first one holds three bits.
fn is_ulid(segment: &[u8]) -> bool {
    let is_digit = |byte: &u8| {
        byte.is_ascii_digit() || byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U')
    };
    segment.len() == 26 && matches!(segment.first(), Some(b'0'..=b'7')) && segment.iter().all(is_digit)
}

/// Whole groups of four that end in padding, with letters of both cases.
fn is_padded(segment: &[u8]) -> bool {
    let text = without_padding(segment);
    segment.len() >= MIN_PADDED_BYTES
        && segment.len().is_multiple_of(4)
        && text.len() < segment.len()
        && text.iter().all(|byte| is_alphabet(*byte))
        && text.iter().any(u8::is_ascii_uppercase)
        && text.iter().any(u8::is_ascii_lowercase)
}

/// Letters of both cases and digits, of which at least two in five are followed by one of another class. In random text about
/// two in three are, in `camelCaseWords` and `Title-Case-Slugs-2024` about one in four. Separators count for nothing.
fn is_mixed(segment: &[u8]) -> bool {
    let text = without_padding(segment);
    if text.len() < MIN_BYTES || !text.iter().all(|byte| is_alphabet(*byte)) {
        return false;
    }
    let has = |class: Class| text.iter().any(|byte| Class::of(*byte) == Some(class));
    let neighbours = text.iter().zip(text.iter().skip(1));
    let (mut pairs, mut changes) = (0, 0);
    for (one, next) in neighbours {
        if let (Some(one), Some(next)) = (Class::of(*one), Class::of(*next)) {
            pairs += 1;
            changes += usize::from(one != next);
        }
    }
    has(Class::Upper) && has(Class::Lower) && has(Class::Digit) && changes * 5 >= pairs * 2
}

fn without_padding(segment: &[u8]) -> &[u8] {
    let text = segment.strip_suffix(b"=").unwrap_or(segment);
    text.strip_suffix(b"=").unwrap_or(text)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_alphabet(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'+' | b'/')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
}

impl Class {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'A'..=b'Z' => Some(Class::Upper),
            b'a'..=b'z' => Some(Class::Lower),
            b'0'..=b'9' => Some(Class::Digit),
            _ => None,
        }
    }
}
