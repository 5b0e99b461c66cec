//! A `map<string, string>` of headers that Envoy was configured to log.

use crate::Malformed;
use crate::occurrences::RepeatedField;
use crate::wire::{Fields, length_delimited};

/// The key and the value of a map's entry.
const KEY: u32 = length_delimited(1);
const VALUE: u32 = length_delimited(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// The value of the header `name` in the map whose field has the key `map`: the last one, if there are
/// several.
#[inline]
pub(super) fn header<'a>(
    headers: RepeatedField<'a>,
    map: u32,
    name: &[u8],
) -> Result<Option<&'a [u8]>, Malformed> {
    if headers.is_empty() {
        return Ok(None);
    }
    find(headers, map, name)
}

fn find<'a>(headers: RepeatedField<'a>, map: u32, name: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut found = None;
    for header in self::headers(headers, map) {
        let (key, value) = header?;
        if key == name {
            found = Some(value);
        }
    }
    Ok(found)
}

/// The headers of the map whose field has the key `map`, in the order they were sent; a name may occur again, then the last counts.
pub(super) fn headers(
    headers: RepeatedField<'_>,
    map: u32,
) -> impl Iterator<Item = Result<(&[u8], &[u8]), Malformed>> {
    headers.occurrences(map).map(|entry| key_and_value(entry?))
}

/// A map's entry, or any message with a name and a value in the fields 1 and 2.
pub(crate) fn key_and_value(entry: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut header: (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::new(entry);
    while let Some(key) = fields.key()? {
        match key {
            KEY => header.0 = fields.bytes()?,
            VALUE => header.1 = fields.bytes()?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(header)
}
