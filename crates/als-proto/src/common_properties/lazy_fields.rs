//! The length-delimited fields of `AccessLogCommon`, as bytes that are decoded when they are asked for.

use super::COMMON_PROPERTIES;
use crate::Malformed;
use crate::occurrences::{Merge, NestedOccurrences};
use crate::wire::{field_number, length_delimited};

/// One more than the highest number of a lazy field.
const FIELD_COUNT: usize = 29;
/// One more than the highest key of a lazy field, rounded up.
const KEY_COUNT: usize = length_delimited(FIELD_COUNT as u32) as usize;
/// The field number of each key of a lazy field, else 0. Fields 1, 24 and 27 are not length-delimited, and 21 is repeated.
const FIELD_NUMBER_BY_KEY: [u8; KEY_COUNT] = {
    let mut numbers = [0; KEY_COUNT];
    let mut number = 0;
    while number < FIELD_COUNT {
        if !matches!(number, 0 | 1 | 21 | 24 | 27) {
            numbers[length_delimited(number as u32) as usize] = number as u8;
        }
        number += 1;
    }
    numbers
};

/// The bytes of the lazy fields. All are stored alike: a branch for each field would cost more than storing those that nobody
/// reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LazyFields<'a> {
    /// The bytes of the entry around the properties. They are never empty when there are properties.
    entry: &'a [u8],
    /// The first occurrence of each field, by its number.
    first: [Option<&'a [u8]>; FIELD_COUNT],
    /// Bit n: field n occurs more than once.
    repeated: u32,
}

/// The number of the field with this key, if it is a lazy field.
#[inline]
pub(super) fn lazy_field_number(key: u32) -> Option<usize> {
    match FIELD_NUMBER_BY_KEY.get(key as usize) {
        None | Some(0) => None,
        Some(number) => Some(usize::from(*number)),
    }
}

impl<'a> LazyFields<'a> {
    /// Sets the bytes of the entry, in which later occurrences of a field are found again.
    #[inline]
    pub(super) const fn set_entry(&mut self, entry: &'a [u8]) {
        self.entry = entry;
    }

    /// Whether the bytes of the entry are set.
    #[inline]
    pub(super) const fn has_entry(&self) -> bool {
        !self.entry.is_empty()
    }

    /// Notes an occurrence of the field with this number.
    #[inline]
    pub(super) fn note_occurrence(&mut self, number: usize, bytes: &'a [u8]) {
        match self.first.get_mut(number) {
            Some(first @ None) => *first = Some(bytes),
            _ => self.repeated |= 1 << number,
        }
    }

    /// Decodes the message in the field with this key, if it occurs.
    #[inline]
    pub(super) fn decode<T: Merge<'a>>(&self, key: u32) -> Result<Option<T>, Malformed> {
        let Some(first) = self.first(key) else {
            return Ok(None);
        };
        let mut value = T::default();
        if self.is_repeated(key) {
            self.all(key).try_for_each(|bytes| value.merge(bytes?))?;
        } else {
            value.merge(first)?;
        }
        Ok(Some(value))
    }

    /// Reads the string in the field with this key, if it occurs.
    #[inline]
    pub(super) fn string(&self, key: u32, string: &mut &'a [u8]) -> Result<(), Malformed> {
        if let Some(first) = self.first(key) {
            *string = if self.is_repeated(key) {
                self.all(key).last().unwrap_or(Ok(&[]))?
            } else {
                first
            };
        }
        Ok(())
    }

    /// The bytes of the field with this key, empty if it does not occur; `None` if it occurs more than once.
    #[inline]
    pub(super) fn only(&self, key: u32) -> Option<&'a [u8]> {
        if self.is_repeated(key) {
            return None;
        }
        Some(self.first(key).unwrap_or_default())
    }

    #[inline]
    fn first(&self, key: u32) -> Option<&'a [u8]> {
        *self.first.get(field_number(key) as usize)?
    }

    #[inline]
    fn is_repeated(&self, key: u32) -> bool {
        self.repeated & 1 << field_number(key) != 0
    }

    #[cold]
    fn all(&self, key: u32) -> NestedOccurrences<'a> {
        NestedOccurrences::new(self.entry, COMMON_PROPERTIES, key)
    }
}
