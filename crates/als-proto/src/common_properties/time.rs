//! `google.protobuf.Timestamp` and `google.protobuf.Duration`, which look alike on the wire.

use crate::Malformed;
use crate::occurrences::Merge;
use crate::wire::{Fields, varint};

const SECONDS: u32 = varint(1);
const NANOS: u32 = varint(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// `google.protobuf.Timestamp`, as sent: nothing says that it is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    /// `Timestamp.seconds` since the Unix epoch.
    pub seconds: i64,
    /// `Timestamp.nanos`, which count forward in time.
    pub nanos: i32,
}

/// `google.protobuf.Duration`, as sent: nothing says that it is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration {
    /// `Duration.seconds`.
    pub seconds: i64,
    /// `Duration.nanos`, of the same sign as the seconds.
    pub nanos: i32,
}

impl Merge<'_> for Timestamp {
    #[inline]
    fn merge(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        merge_time(bytes, &mut self.seconds, &mut self.nanos)
    }
}

impl Merge<'_> for Duration {
    #[inline]
    fn merge(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        merge_time(bytes, &mut self.seconds, &mut self.nanos)
    }
}

#[inline]
fn merge_time(bytes: &[u8], seconds: &mut i64, nanos: &mut i32) -> Result<(), Malformed> {
    let mut fields = Fields::new(bytes);
    while let Some((key, value)) = fields.plain_varint() {
        match key {
            SECONDS => *seconds = value.cast_signed(),
            NANOS => *nanos = (value as u32).cast_signed(),
            _ => return merge_fields(bytes, seconds, nanos),
        }
    }
    if fields.rest().is_empty() {
        return Ok(());
    }
    merge_fields(bytes, seconds, nanos)
}

/// The same of a time that has other fields, or is malformed.
#[cold]
fn merge_fields(bytes: &[u8], seconds: &mut i64, nanos: &mut i32) -> Result<(), Malformed> {
    let mut fields = Fields::new(bytes);
    while let Some(key) = fields.key()? {
        match key {
            SECONDS => *seconds = fields.int64()?,
            NANOS => *nanos = fields.int32()?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(())
}
