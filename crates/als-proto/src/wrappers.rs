//! `google.protobuf.UInt32Value`, `BytesValue` and `StringValue`: a scalar as a message of its own.

use crate::Malformed;
use crate::wire::{Fields, length_delimited, varint};

const VALUE: u32 = varint(1);
const BYTES: u32 = length_delimited(1);
const LAST_KNOWN_FIELD: u32 = 1;

/// Merges one occurrence of a `google.protobuf.UInt32Value` into those before it.
#[inline]
pub(crate) fn merge_uint32_value(number: &mut Option<u32>, bytes: &[u8]) -> Result<(), Malformed> {
    let number = number.get_or_insert(0);
    // Status codes have two bytes.
    if let [0x08, low, high] = *bytes
        && low >= 0x80
        && high < 0x80
    {
        *number = u32::from(low & 0x7f) | u32::from(high) << 7;
        return Ok(());
    }
    merge_fields(number, bytes)
}

fn merge_fields(number: &mut u32, bytes: &[u8]) -> Result<(), Malformed> {
    let mut fields = Fields::new(bytes);
    while let Some(key) = fields.key()? {
        match key {
            VALUE => *number = fields.uint32()?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(())
}

/// The `value` of a serialised `google.protobuf.BytesValue` or `StringValue`; empty when there is none.
pub fn wrapped_bytes(message: &[u8]) -> Result<&[u8], Malformed> {
    let mut value: &[u8] = &[];
    let mut fields = Fields::new(message);
    while let Some(key) = fields.key()? {
        match key {
            BYTES => value = fields.bytes()?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(value)
}
