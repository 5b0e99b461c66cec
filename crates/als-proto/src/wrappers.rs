//! `google.protobuf.UInt32Value`: a number whose absence differs from zero.

use crate::Malformed;
use crate::wire::{Fields, varint};

const VALUE: u32 = varint(1);
const LAST_KNOWN_FIELD: u32 = 1;

/// Merges one occurrence of a `google.protobuf.UInt32Value` into those before it.
#[inline]
pub(crate) fn merge_uint32_value(number: &mut Option<u32>, bytes: &[u8]) -> Result<(), Malformed> {
    let number = number.get_or_insert(0);
    let mut fields = Fields::new(bytes);
    while let Some(key) = fields.key()? {
        match key {
            VALUE => *number = fields.uint32()?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(())
}
