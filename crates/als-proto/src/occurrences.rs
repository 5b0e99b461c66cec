//! A field that occurs more than once, found again in the bytes instead of being remembered.
//!
//! Protobuf merges: the occurrences of a message field are one message whose fields are the occurrences'
//! fields in order. So whoever walks the occurrences in order and lets later values win has merged them,
//! without a copy.

use crate::Malformed;
use crate::wire::{Fields, field_number};

/// The occurrences of one length-delimited field in one message. Ends after the first [`Malformed`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Occurrences<'a> {
    fields: Fields<'a>,
    key: u32,
}

impl<'a> Occurrences<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8], key: u32) -> Self {
        Self {
            fields: Fields::new(bytes),
            key,
        }
    }

    #[inline]
    fn next_or_malformed(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some(key) = self.fields.key()? {
            if key == self.key {
                return self.fields.bytes().map(Some);
            }
            if field_number(key) == field_number(self.key) {
                return Err(Malformed);
            }
            self.fields.skip(key)?;
        }
        Ok(None)
    }
}

impl<'a> Iterator for Occurrences<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_or_malformed();
        if next.is_err() {
            self.fields = Fields::default();
        }
        next.transpose()
    }
}

/// The occurrences of one length-delimited field in every occurrence of the message around it. Ends after the
/// first [`Malformed`].
#[derive(Clone, Debug, Default)]
pub(crate) struct NestedOccurrences<'a> {
    outer: Occurrences<'a>,
    inner: Occurrences<'a>,
    key: u32,
}

impl<'a> NestedOccurrences<'a> {
    /// The field `key` in every message that `bytes` hold in a field `enclosing`.
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8], enclosing: u32, key: u32) -> Self {
        Self {
            outer: Occurrences::new(bytes, enclosing),
            inner: Occurrences::new(&[], key),
            key,
        }
    }

    /// The field `key` in the message `bytes` alone.
    #[inline]
    const fn flat(bytes: &'a [u8], key: u32) -> Self {
        Self {
            outer: Occurrences::new(&[], key),
            inner: Occurrences::new(bytes, key),
            key,
        }
    }
}

impl<'a> Iterator for NestedOccurrences<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.inner.next() {
                Some(Ok(bytes)) => return Some(Ok(bytes)),
                Some(Err(malformed)) => {
                    self.outer = Occurrences::default();
                    return Some(Err(malformed));
                }
                None => match self.outer.next()? {
                    Ok(bytes) => self.inner = Occurrences::new(bytes, self.key),
                    Err(malformed) => return Some(Err(malformed)),
                },
            }
        }
    }
}

/// A repeated or map field of a submessage, as the place where its occurrences are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RepeatedField<'a> {
    /// From the first occurrence to the end of the message.
    bytes: &'a [u8],
    /// Bytes of these that are behind the last occurrence.
    behind: usize,
    /// The key of the message around the field, when that message occurs more than once and `bytes` hold all
    /// of it.
    enclosing: Option<u32>,
}

impl<'a> RepeatedField<'a> {
    /// The field that is looked for in all the messages that `bytes` hold in a field `enclosing`.
    pub(crate) const fn in_all(bytes: &'a [u8], enclosing: u32) -> Self {
        Self {
            bytes,
            behind: 0,
            enclosing: Some(enclosing),
        }
    }

    /// Notes that the field occurs at the start of `fields`, and that `rest` is behind it.
    #[inline]
    pub(crate) const fn note_occurrence(&mut self, fields: Fields<'a>, rest: Fields<'a>) {
        if self.bytes.is_empty() {
            self.bytes = fields.rest();
        }
        self.behind = rest.rest().len();
    }

    /// Whether the field never occurs.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The occurrences of the field, whose key is `key`.
    #[inline]
    pub(crate) fn occurrences(self, key: u32) -> NestedOccurrences<'a> {
        match self.enclosing {
            None => {
                let end = self.bytes.len().saturating_sub(self.behind);
                NestedOccurrences::flat(self.bytes.get(..end).unwrap_or_default(), key)
            }
            Some(enclosing) => NestedOccurrences::new(self.bytes, enclosing, key),
        }
    }
}

/// A message that is decoded from its occurrences, one after the other.
pub(crate) trait Merge<'a>: Default {
    /// Lets the fields in `bytes` win over what is here, and adds to what is repeated.
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Malformed>;
}
