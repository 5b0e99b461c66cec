//! Protobuf's wire format: one message's bytes as a sequence of keys and values.
//!
//! A reader asks for a [`Fields::key`], matches on it whole (field number and wire type in one comparison)
//! and takes the value that the key announces. Whatever it does not match goes to [`Fields::skip`] or
//! [`Fields::skip_unknown`], which also find every invalid key.

use crate::Malformed;

/// Wire types, the low three bits of a key.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// How deep groups may nest in an unknown field: the limit of Google's and of prost's readers.
const MAX_GROUP_DEPTH: usize = 100;

/// The key of a `bool`, `enum`, `int32`, `int64`, `uint32` or `uint64` field.
pub(crate) const fn varint(field_number: u32) -> u32 {
    field_number << 3 | VARINT
}

/// The key of a `double` field.
pub(crate) const fn fixed64(field_number: u32) -> u32 {
    field_number << 3 | FIXED64
}

/// The key of a `string`, `bytes`, message or map field.
pub(crate) const fn length_delimited(field_number: u32) -> u32 {
    field_number << 3 | LENGTH_DELIMITED
}

/// The field number in a key.
pub(crate) const fn field_number(key: u32) -> u32 {
    key >> 3
}

/// The fields of a message that are still to be read. What is not inlined takes and returns it by value: a cursor that lives in
/// memory costs a reader a third of its time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that are still to be read.
    #[inline]
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The next field's key, or `None` at the end of the message.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Option<u32>, Malformed> {
        match *self.rest {
            [] => Ok(None),
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(Some(u32::from(low)))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(Some(u32::from(low & 0x7f) | u32::from(high) << 7))
            }
            _ => Ok(Some(u32::try_from(self.any_varint()?).map_err(|_| Malformed)?)),
        }
    }

    /// The value of an `uint64` field.
    #[inline]
    pub(crate) fn uint64(&mut self) -> Result<u64, Malformed> {
        match *self.rest {
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.any_varint(),
        }
    }

    /// The value of an `int64` field.
    #[inline]
    pub(crate) fn int64(&mut self) -> Result<i64, Malformed> {
        Ok(self.uint64()?.cast_signed())
    }

    /// The value of an `uint32` field: the low half of a varint that is too large, as protobuf has it.
    #[inline]
    pub(crate) fn uint32(&mut self) -> Result<u32, Malformed> {
        Ok(self.uint64()? as u32)
    }

    /// The value of an `int32` or `enum` field, which is ten bytes long when negative.
    #[inline]
    pub(crate) fn int32(&mut self) -> Result<i32, Malformed> {
        Ok(self.uint32()?.cast_signed())
    }

    /// The value of a `bool` field.
    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.uint64()? != 0)
    }

    /// The value of a `double` field.
    pub(crate) fn double(&mut self) -> Result<f64, Malformed> {
        let (value, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*value))
    }

    /// The value of a `string`, `bytes`, message or map field.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.uint64()?).map_err(|_| Malformed)?;
        self.take(length)
    }

    /// The value of the next field, if that has the key `key` and is at most 127 bytes long: for messages that are nearly always
    /// written alike.
    #[inline]
    pub(crate) fn short_bytes(&mut self, key: u32) -> Option<&'a [u8]> {
        match *self.rest {
            [first, length, ref rest @ ..] if u32::from(first) == key && length < 0x80 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length))?;
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// The value of the one field that is left, if [`Fields::short_bytes`] reads it.
    #[inline]
    pub(crate) fn only_short_bytes(mut self, key: u32) -> Option<&'a [u8]> {
        let bytes = self.short_bytes(key)?;
        self.rest.is_empty().then_some(bytes)
    }

    /// The key of the next field and its value as a varint, if the key has one byte.
    #[inline]
    pub(crate) fn plain_varint(&mut self) -> Option<(u32, u64)> {
        let [key, ref rest @ ..] = *self.rest else {
            return None;
        };
        let (value, length) = any_varint(rest);
        if key >= 0x80 || length == 0 {
            return None;
        }
        self.rest = rest.get(length..)?;
        Some((key.into(), value))
    }

    /// Passes over the value that belongs to `key`, a field that nobody reads.
    #[inline]
    pub(crate) fn skip(&mut self, key: u32) -> Result<(), Malformed> {
        *self = self.behind(key)?;
        Ok(())
    }

    #[inline(never)]
    fn behind(mut self, key: u32) -> Result<Self, Malformed> {
        if field_number(key) == 0 {
            return Err(Malformed);
        }
        match wire_type(key) {
            VARINT => self.uint64().map(drop)?,
            FIXED64 => self.take(8).map(drop)?,
            LENGTH_DELIMITED => self.bytes().map(drop)?,
            START_GROUP => return self.behind_group(field_number(key)),
            FIXED32 => self.take(4).map(drop)?,
            _ => return Err(Malformed),
        }
        Ok(self)
    }

    /// Passes over a field that is unknown, where all fields up to number `last_known` are known: one of
    /// those can only come here with a wire type that is not its own.
    #[inline]
    pub(crate) fn skip_unknown(&mut self, key: u32, last_known: u32) -> Result<(), Malformed> {
        *self = self.behind_unknown(key, last_known)?;
        Ok(())
    }

    #[inline(never)]
    fn behind_unknown(self, key: u32, last_known: u32) -> Result<Self, Malformed> {
        if field_number(key) <= last_known {
            return Err(Malformed);
        }
        self.behind(key)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn any_varint(&mut self) -> Result<u64, Malformed> {
        let (value, length) = any_varint(self.rest);
        if length == 0 {
            return Err(Malformed);
        }
        self.rest = self.rest.get(length..).ok_or(Malformed)?;
        Ok(value)
    }

    #[cold]
    fn behind_group(mut self, number_of_group: u32) -> Result<Self, Malformed> {
        let mut open_groups = [number_of_group; MAX_GROUP_DEPTH];
        let mut depth = 1;
        while depth > 0 {
            let key = self.key()?.ok_or(Malformed)?;
            let number = field_number(key);
            match wire_type(key) {
                START_GROUP if number != 0 => {
                    *open_groups.get_mut(depth).ok_or(Malformed)? = number;
                    depth += 1;
                }
                END_GROUP if open_groups.get(depth - 1) == Some(&number) => depth -= 1,
                _ => self.skip(key)?,
            }
        }
        Ok(self)
    }
}

/// The varint at the beginning of `bytes`, and how many bytes it has; none if it is no varint. Two numbers come back in registers.
#[inline(never)]
fn any_varint(bytes: &[u8]) -> (u64, usize) {
    let two = |first: u8, second: u8| u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
    // Ports, sizes and nanoseconds have three to five bytes; what is shorter seldom comes here.
    match *bytes {
        [first, second, last, ..] if first >= 0x80 && second >= 0x80 && last < 0x80 => {
            (two(first, second) | u64::from(last) << 14, 3)
        }
        [first, second, third, last, ..] if third >= 0x80 && last < 0x80 && first & second >= 0x80 => {
            (two(first, second) | two(third, last) << 14, 4)
        }
        [first, second, third, fourth, last, ..]
            if first & second & third & fourth >= 0x80 && last < 0x80 =>
        {
            (
                two(first, second) | two(third, fourth) << 14 | u64::from(last) << 28,
                5,
            )
        }
        _ => longer_varint(bytes),
    }
}

/// The same of a varint of any length.
fn longer_varint(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0;
    let mut shift = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            // The tenth byte has room for the 64th bit only.
            let is_too_large = shift == 63 && *byte > 1;
            return (value, if is_too_large { 0 } else { place + 1 });
        }
        shift += 7;
    }
    (0, 0)
}

const fn wire_type(key: u32) -> u32 {
    key & 7
}
