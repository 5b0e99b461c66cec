//! Recognises dates and times of ISO 8601 that are written with dashes. Dates of digits alone count as numbers.

/// Whether `segment` is a month, a date, or a date and time with or without a zone.
pub(super) fn is_date(segment: &[u8]) -> bool {
    after_date(segment).is_some_and(|rest| match rest.split_first() {
        None => true,
        Some((b'T' | b't' | b' ' | b'_', time)) => after_time(time).is_some_and(is_zone),
        Some(_) => false,
    })
}

/// The rest after a month or date of the years 1900 to 2199. A number like `1234-56` is more likely an id.
fn after_date(text: &[u8]) -> Option<&[u8]> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    if !(1900..2200).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if rest.is_empty() {
        return Some(rest);
    }
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    (1..=31).contains(&day).then_some(rest)
}

/// The rest after hours and minutes, with or without seconds and a fraction.
fn after_time(text: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    if hour > 23 || minute > 59 {
        return None;
    }
    let Some(rest) = rest.strip_prefix(b":") else {
        return Some(rest);
    };
    let (second, rest) = number(rest, 2)?;
    if second > 60 {
        return None;
    }
    let Some(fraction) = rest.strip_prefix(b".") else {
        return Some(rest);
    };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    fraction.get(digits..)
}

fn is_zone(text: &[u8]) -> bool {
    let offset = match text.split_first() {
        None => return true,
        Some((b'Z' | b'z', rest)) => return rest.is_empty(),
        Some((b'+' | b'-', rest)) => number(rest, 2),
        Some(_) => None,
    };
    let minutes = offset.and_then(|(_, rest)| number(rest.strip_prefix(b":").unwrap_or(rest), 2));
    minutes.is_some_and(|(_, rest)| rest.is_empty())
}

/// A number of exactly `digits` digits, and the rest.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let number = digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })?;
    Some((number, rest))
}
