//! Finds which path segments are values and not words of the API. The types are a closed list, and the segment alone decides.
//!
//! A type must be certain. If a value is missed here, the trie still collapses its position when there are many, but a word that is
//! taken for a value is lost from every name. So a type requires a shape that words, slugs and versions do not have.

mod base64;
mod classes;
mod credential;
mod date;
mod email;

pub(super) use classes::Classes;
pub(super) use credential::{has_credential, is_scheme};
pub(super) use email::has_email;

/// A placeholder, which stands for values in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placeholder {
    /// Decimal digits: ids, years, pages.
    Int,
    /// A UUID with its dashes.
    Uuid,
    /// A hexadecimal number, such as a hash or a `MongoDB` id.
    Hex,
    /// Random bytes as text: base64, base64url, a JWT, a ULID.
    Base64,
    /// An ISO 8601 month, date or date and time.
    Date,
    /// Anything with an e-mail address in it.
    Email,
    /// Any value: at a position with too many of them, too long for a word, a credential, or written like a query.
    Any,
    /// Any number of further segments.
    Rest,
}

const CREDENTIAL_CLASSES: Classes = Classes::UPPER.or(Classes::DASH).or(Classes::BLANK);
const QUERY: Classes = Classes::QUERY.or(Classes::AT);

type TypeRule = (Placeholder, Classes, fn(&[u8]) -> bool);

/// The types in the order in which they are tried, each with the character classes of which it needs at least one.
const TYPE_RULES: [TypeRule; 8] = [
    (Placeholder::Email, Classes::AT, has_email),
    (Placeholder::Int, Classes::DIGIT, is_int),
    (Placeholder::Uuid, Classes::DASH, is_uuid),
    (Placeholder::Date, Classes::DIGIT, date::is_date),
    (Placeholder::Hex, Classes::DIGIT, is_hex),
    (Placeholder::Base64, Classes::UPPER, base64::is_base64),
    (Placeholder::Any, CREDENTIAL_CLASSES, has_credential),
    (Placeholder::Any, QUERY, is_like_a_query),
];

impl Placeholder {
    /// Every placeholder, also those that no type yields.
    pub const ALL: [Placeholder; 8] = [
        Placeholder::Int,
        Placeholder::Uuid,
        Placeholder::Hex,
        Placeholder::Base64,
        Placeholder::Date,
        Placeholder::Email,
        Placeholder::Any,
        Placeholder::Rest,
    ];

    /// The placeholder as it is written in a name.
    pub const fn text(self) -> &'static str {
        match self {
            Placeholder::Int => "{int}",
            Placeholder::Uuid => "{uuid}",
            Placeholder::Hex => "{hex}",
            Placeholder::Base64 => "{base64}",
            Placeholder::Date => "{date}",
            Placeholder::Email => "{email}",
            Placeholder::Any => "{any}",
            Placeholder::Rest => "**",
        }
    }

    /// The placeholder for a segment, percent-decoded and without its matrix parameters; `None` for a word.
    ///
    /// A placeholder's own text stays what it is, so that a name is named like itself.
    pub fn of(segment: &[u8]) -> Option<Self> {
        Self::of_classes(segment, Classes::of(segment))
    }

    /// The placeholder for a segment whose character classes are known.
    pub(super) fn of_classes(segment: &[u8], classes: Classes) -> Option<Self> {
        if matches!(segment.first(), Some(b'{' | b'*')) {
            let is_itself = |placeholder: &Placeholder| placeholder.text().as_bytes() == segment;
            if let Some(itself) = Self::ALL.into_iter().find(is_itself) {
                return Some(itself);
            }
        }
        TYPE_RULES
            .into_iter()
            .find_map(|(placeholder, needs, is)| (classes.have(needs) && is(segment)).then_some(placeholder))
    }
}

/// Only digits, even if they could be a year or a date.
fn is_int(segment: &[u8]) -> bool {
    !segment.is_empty() && segment.iter().all(u8::is_ascii_digit)
}

/// RFC 9562's text form: groups of 8, 4, 4, 4 and 12 hexadecimal digits, of any version.
fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment
            .split(|byte| *byte == b'-')
            .map(<[u8]>::len)
            .eq([8, 4, 4, 4, 12])
        && segment
            .iter()
            .all(|byte| *byte == b'-' || byte.is_ascii_hexdigit())
}

/// The fewest hexadecimal digits that count as a number; shorter ones are words too often.
const MIN_HEX_DIGITS: usize = 8;
/// The fewest hexadecimal digits that need not be well mixed: no longer word consists of digits and the letters a to f.
const MIN_CERTAIN_HEX_DIGITS: usize = 16;
/// How often a shorter number must change between letters and digits; `face2face` does so twice.
const MIN_HEX_CHANGES: usize = 3;

/// At least eight hexadecimal digits, both letters and decimals, below sixteen well mixed; or `0x` before any number of them.
fn is_hex(segment: &[u8]) -> bool {
    if let Some(digits) = segment.strip_prefix(b"0x") {
        return !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    }
    if segment.len() < MIN_HEX_DIGITS || !segment.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let neighbours = segment.iter().zip(segment.iter().skip(1));
    let changes = neighbours
        .filter(|(one, next)| one.is_ascii_digit() != next.is_ascii_digit())
        .count();
    let least = if segment.len() < MIN_CERTAIN_HEX_DIGITS {
        MIN_HEX_CHANGES
    } else {
        1
    };
    changes >= least
}

/// A pair `key=value`, `user:password@host`, or what else belongs into a query or an authority: it could hold a secret.
fn is_like_a_query(segment: &[u8]) -> bool {
    let is_delimiter = |byte: &u8| matches!(byte, b'?' | b'#' | b'&' | b'=');
    let at = segment.iter().position(|byte| *byte == b'@');
    let has_password = at.is_some_and(|at| segment.iter().take(at).any(|byte| *byte == b':'));
    has_password || segment.iter().any(is_delimiter)
}

#[cfg(test)]
mod tests;
