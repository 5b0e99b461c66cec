//! The submessages of `AccessLogCommon` that are decoded when they are asked for.

use super::COMMON_PROPERTIES;
use crate::Malformed;
use crate::occurrences::{Merge, NestedOccurrences};
use crate::wire::field_number;

/// How many fields [`slot`] numbers.
const SLOTS: usize = 15;

/// The bytes of submessages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Submessages<'a> {
    /// The entry that has the properties that have the submessages. It is never empty when there are
    /// properties.
    entry: &'a [u8],
    /// The first occurrence of each field, by its [`slot`].
    first: [&'a [u8]; SLOTS],
    /// Bit n: field n occurs.
    present: u32,
    /// Bit n: field n occurs more than once.
    repeated: u32,
}

impl<'a> Submessages<'a> {
    /// Notes the entry in which occurrences that are not kept can be found again.
    #[inline]
    pub(super) const fn are_in(&mut self, entry: &'a [u8]) {
        self.entry = entry;
    }

    /// Whether an entry was noted.
    #[inline]
    pub(super) const fn are_in_an_entry(&self) -> bool {
        !self.entry.is_empty()
    }

    /// Keeps an occurrence of the field with this key.
    #[inline]
    pub(super) fn keep(&mut self, key: u32, bytes: &'a [u8]) {
        let bit = bit(key);
        if self.present & bit != 0 {
            self.repeated |= bit;
        } else if let Some(first) = self.first.get_mut(slot(key)) {
            self.present |= bit;
            *first = bytes;
        }
    }

    /// Decodes the field with this key, if it occurs.
    #[inline]
    pub(super) fn decode<T: Merge<'a>>(&self, key: u32) -> Result<Option<T>, Malformed> {
        let bit = bit(key);
        if self.present & bit == 0 {
            return Ok(None);
        }
        let mut value = T::default();
        match self.first.get(slot(key)) {
            Some(bytes) if self.repeated & bit == 0 => value.merge(bytes)?,
            _ => self.merge_all(key, &mut value)?,
        }
        Ok(Some(value))
    }

    #[cold]
    fn merge_all<T: Merge<'a>>(&self, key: u32, value: &mut T) -> Result<(), Malformed> {
        NestedOccurrences::new(self.entry, COMMON_PROPERTIES, key).try_for_each(|bytes| value.merge(bytes?))
    }
}

const fn bit(key: u32) -> u32 {
    1 << field_number(key)
}

/// The place of a field among those that are kept, without gaps: an entry is copied, and so are its gaps.
const fn slot(key: u32) -> usize {
    match field_number(key) {
        // AccessLogCommon.downstream_direct_remote_address and .duration; the others are fields 2 to 14.
        20 => 13,
        23 => 14,
        number => (number as usize).wrapping_sub(2),
    }
}
