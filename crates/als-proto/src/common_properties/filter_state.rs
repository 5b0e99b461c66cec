//! `AccessLogCommon.filter_state_objects`: what Envoy's filters were told to log, a map of
//! `google.protobuf.Any`.

use crate::Malformed;
use crate::occurrences::NestedOccurrences;
use crate::wire::{Fields, length_delimited};

/// The key and the value of an entry of the map.
const KEY: u32 = length_delimited(1);
const VALUE: u32 = length_delimited(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// Fields of `google.protobuf.Any`.
const ANY_TYPE_URL: u32 = length_delimited(1);
const ANY_VALUE: u32 = length_delimited(2);
const LAST_KNOWN_ANY_FIELD: u32 = 2;

/// One entry of `AccessLogCommon.filter_state_objects`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterStateObject<'a> {
    /// The name of the object, such as `upstream_peer`.
    pub key: &'a [u8],
    /// `google.protobuf.Any.type_url`: what `value` is.
    pub type_url: &'a [u8],
    /// `google.protobuf.Any.value`: the object, serialised.
    pub value: &'a [u8],
}

impl<'a> FilterStateObject<'a> {
    fn read(entry: &'a [u8]) -> Result<Self, Malformed> {
        let mut object = Self::default();
        let mut fields = Fields::new(entry);
        while let Some(key) = fields.key()? {
            match key {
                KEY => object.key = fields.bytes()?,
                VALUE => object.merge_any(fields.bytes()?)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(object)
    }

    /// Whether `value` is the message of this full name: the part of its type's URL behind the last slash.
    pub fn is_of_type(&self, name: &[u8]) -> bool {
        let domain = self.type_url.strip_suffix(name);
        domain.is_some_and(|domain| matches!(domain, [] | [.., b'/']))
    }

    fn merge_any(&mut self, any: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(any);
        while let Some(key) = fields.key()? {
            match key {
                ANY_TYPE_URL => self.type_url = fields.bytes()?,
                ANY_VALUE => self.value = fields.bytes()?,
                _ => fields.skip_unknown(key, LAST_KNOWN_ANY_FIELD)?,
            }
        }
        Ok(())
    }
}

/// Iterates over `AccessLogCommon.filter_state_objects` in the order they were sent. The map allows a key to
/// occur again: then the last object counts. A malformed object leaves those behind it; where the properties
/// themselves are malformed the iterator ends.
#[derive(Clone, Debug)]
pub struct FilterStateObjects<'a> {
    entries: NestedOccurrences<'a>,
}

impl<'a> FilterStateObjects<'a> {
    pub(super) fn new(entries: NestedOccurrences<'a>) -> Self {
        Self { entries }
    }
}

impl<'a> Iterator for FilterStateObjects<'a> {
    type Item = Result<FilterStateObject<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.entries.next()?.and_then(FilterStateObject::read))
    }
}
