//! Percent-encoding: gives segments with the same meaning one canonical spelling.

/// The bytes that `text` stands for, each with whether it was written as an escape. A `%` without two hexadecimal digits
/// stands for itself.
pub(super) fn bytes(text: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        let escaped = match after.split_at_checked(2) {
            Some(([high, low], after)) if *byte == b'%' => {
                hexadecimal(*high).zip(hexadecimal(*low)).zip(Some(after))
            }
            _ => None,
        };
        rest = escaped.map_or(after, |(_, after)| after);
        Some(escaped.map_or((*byte, false), |((high, low), _)| (high << 4 | low, true)))
    })
}

/// Whether `text` holds an escape.
pub(super) fn has_escape(text: &[u8]) -> bool {
    bytes(text).any(|(_, is_escaped)| is_escaped)
}

/// `text` without its escapes: borrowed if there are none, `None` if it does not fit into `buffer`.
pub(super) fn decoded<'a>(text: &'a [u8], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    if !text.contains(&b'%') {
        return Some(text);
    }
    let mut length = 0;
    for (byte, _) in bytes(text) {
        *buffer.get_mut(length)? = byte;
        length += 1;
    }
    buffer.get(..length)
}

/// Appends the canonical spelling of a path segment: RFC 3986's unreserved characters plain, its other characters of a segment
/// as they were written, everything else escaped in capitals. So the result is printable ASCII without `/`, `?`, `#`, `;`,
/// `{` and `}`.
pub(super) fn write_segment(segment: &[u8], output: &mut String) {
    for (byte, is_escaped) in bytes(segment) {
        write_byte(byte, is_escaped, output);
    }
}

/// Appends one byte of a segment in its canonical spelling.
pub(super) fn write_byte(byte: u8, is_escaped: bool, output: &mut String) {
    const HEXADECIMAL: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if is_unreserved || (!is_escaped && b"!$&'()*+,=:@".contains(&byte)) {
        output.push(char::from(byte));
    } else {
        let digits = [byte >> 4, byte & 0xF].map(|digit| HEXADECIMAL.get(usize::from(digit)));
        output.push('%');
        output.extend(digits.into_iter().flatten());
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn canonical(segment: &[u8]) -> String {
        let mut output = String::new();
        write_segment(segment, &mut output);
        output
    }

    #[rstest]
    #[case::unreserved(b"a-Z_0.9~", "a-Z_0.9~")]
    #[case::needless_escape(b"%41%2d%7e", "A-~")]
    #[case::escape_in_capitals(b"caf%c3%a9", "caf%C3%A9")]
    #[case::unicode("café".as_bytes(), "caf%C3%A9")]
    #[case::not_utf8(b"a\xffb", "a%FFb")]
    #[case::control(b"a\x00\r\n\x7f", "a%00%0D%0A%7F")]
    #[case::plain_delimiters(b"!$&'()*+,=:@", "!$&'()*+,=:@")]
    #[case::escaped_delimiters(b"%21%40%3a", "%21%40%3A")]
    #[case::gen_delimiters(b"%2f%3F%23", "%2F%3F%23")]
    #[case::braces(b"{int}", "%7Bint%7D")]
    #[case::space_and_quotes(b" \"<>\\^`|", "%20%22%3C%3E%5C%5E%60%7C")]
    #[case::no_digits(b"100%", "100%25")]
    #[case::one_digit(b"%4", "%254")]
    #[case::bad_digits(b"%zz%4g", "%25zz%254g")]
    #[case::escaped_percent(b"%2541", "%2541")]
    fn segments_get_one_spelling(#[case] segment: &[u8], #[case] expected: &str) {
        assert_eq!(canonical(segment), expected);
    }

    #[test]
    fn what_does_not_fit_is_not_decoded() {
        assert_eq!(decoded(b"%41%42", &mut [0; 2]), Some(&b"AB"[..]));
        assert_eq!(decoded(b"%41%42C", &mut [0; 2]), None);
        assert_eq!(decoded(b"plain", &mut []), Some(&b"plain"[..]));
    }

    proptest! {
        #[test]
        fn the_canonical_spelling_is_stable_and_printable(segment: Vec<u8>) {
            let once = canonical(&segment);
            prop_assert_eq!(canonical(once.as_bytes()), once.clone());
            prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#;{}".contains(&byte)), "{}", once);
        }

        #[test]
        fn the_canonical_spelling_stands_for_the_same_bytes(segment: Vec<u8>) {
            let meaning = |text: &[u8]| bytes(text).map(|(byte, _)| byte).collect::<Vec<_>>();
            prop_assert_eq!(meaning(canonical(&segment).as_bytes()), meaning(&segment));
        }
    }
}
