//! Finds the classes of characters in a text, in one pass that spares it most rules.

/// A set of character classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::names) struct Classes(u8);

impl Classes {
    pub(in crate::names) const DIGIT: Self = Classes(1);
    pub(in crate::names) const UPPER: Self = Classes(1 << 1);
    pub(in crate::names) const AT: Self = Classes(1 << 2);
    /// The characters that join words and parts of keys: `-` and `_`.
    pub(in crate::names) const DASH: Self = Classes(1 << 3);
    /// The characters between an authentication scheme and its credentials.
    pub(in crate::names) const BLANK: Self = Classes(1 << 4);
    /// The characters of a query.
    pub(in crate::names) const QUERY: Self = Classes(1 << 5);
    pub(in crate::names) const SEMICOLON: Self = Classes(1 << 6);
    /// The characters that begin an escape, or are escaped in a segment's canonical spelling.
    pub(in crate::names) const ESCAPE: Self = Classes(1 << 7);

    const NONE: Self = Classes(0);

    pub(in crate::names) fn of(text: &[u8]) -> Self {
        let classes = text.iter().map(|byte| CLASSES.get(usize::from(*byte)).copied());
        classes.flatten().fold(Self::NONE, Self::or)
    }

    pub(in crate::names) const fn or(self, other: Self) -> Self {
        Classes(self.0 | other.0)
    }

    /// Whether any of `classes` is among these.
    pub(in crate::names) fn have(self, classes: Self) -> bool {
        self.0 & classes.0 != 0
    }

    /// Whether the text has only small letters and other characters that no rule looks for.
    pub(in crate::names) fn are_none(self) -> bool {
        self == Self::NONE
    }

    const fn of_byte(byte: u8) -> Self {
        match byte {
            b'0'..=b'9' => Self::DIGIT,
            b'A'..=b'Z' => Self::UPPER,
            b'@' => Self::AT,
            b'-' | b'_' => Self::DASH,
            b':' | b'+' => Self::BLANK,
            b' ' => Self::BLANK.or(Self::ESCAPE),
            b'&' | b'=' => Self::QUERY,
            b'?' | b'#' => Self::QUERY.or(Self::ESCAPE),
            b';' => Self::SEMICOLON.or(Self::ESCAPE),
            b'a'..=b'z' | b'.' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' => Self::NONE,
            _ => Self::ESCAPE,
        }
    }
}

/// The classes of each byte value.
const CLASSES: [Classes; 256] = {
    let mut classes = [Classes::NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = Classes::of_byte(byte as u8);
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::escape;

    #[test]
    fn bytes_that_are_escaped_are_of_the_class_escape() {
        for byte in 0..=u8::MAX {
            let mut spelling = String::new();
            escape::write_segment(&[byte], &mut spelling);
            let is_plain = spelling.as_bytes() == [byte];
            assert_ne!(Classes::of(&[byte]).have(Classes::ESCAPE), is_plain, "{byte}");
        }
    }

    #[test]
    fn a_text_has_the_classes_of_its_bytes() {
        let classes = Classes::of(b"a1;");
        assert!(classes.have(Classes::DIGIT) && classes.have(Classes::SEMICOLON));
        assert!(!classes.have(Classes::UPPER.or(Classes::AT)));
        assert!(classes.have(Classes::UPPER.or(Classes::DIGIT)));
    }
}
