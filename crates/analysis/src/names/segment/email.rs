//! Recognises e-mail addresses.

/// The endings of image files, in whose names a pixel density looks like a domain: `logo@2x.png`.
const IMAGE_EXTENSIONS: [&[u8]; 7] = [b"png", b"jpg", b"jpeg", b"gif", b"webp", b"svg", b"avif"];

/// Whether an e-mail address stands anywhere in `text`: something visible before an `@`, and a domain name after it.
pub(in crate::names) fn has_email(text: &[u8]) -> bool {
    let pairs = text.iter().zip(text.iter().skip(1)).enumerate();
    pairs
        .filter(|(_, (before, at))| **at == b'@' && **before > b' ')
        .any(|(index, _)| starts_with_domain(text.get(index + 2..).unwrap_or_default()))
}

/// At least two labels, of which the last is letters. A package's version (`@3.6.0.min.js`) and an image's pixel density are
/// no domains; one label of digits is (`@163.com`).
fn starts_with_domain(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || !byte.is_ascii();
    let end = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
    let domain = text.get(..end).unwrap_or_default();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let labels = || domain.split(|byte| *byte == b'.');
    let is_number = |label: &[u8]| label.iter().all(u8::is_ascii_digit);
    if labels().count() < 2 || labels().any(<[u8]>::is_empty) {
        return false;
    }
    let mut from_the_end = labels().rev();
    let (last, before) = (from_the_end.next(), from_the_end.next());
    let (last, before) = (last.unwrap_or_default(), before.unwrap_or_default());
    let is_density = before.strip_suffix(b"x").is_some_and(is_number) && IMAGE_EXTENSIONS.contains(&last);
    let is_version = labels().take(2).all(is_number);
    let is_letters = last.len() >= 2
        && last
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    (is_letters || last.starts_with(b"xn--")) && !is_density && !is_version
}
