//! A destination of single entries: the entries that it selects, and its encoding of them.

use super::kept_entry::{KeptEntry, ObservedEntry};
use super::reason::{self, SamplingRules};
use crate::accounting::KeepReason;

/// A function that appends an entry to the bytes of a batch. It must not write secrets, and uses [`KeptEntry::redaction`] for that.
pub type Encode = fn(&KeptEntry<'_, '_>, &mut Vec<u8>);

/// A destination of single entries. Each worker has a [`Batch`] for it.
#[derive(Clone, Copy, Debug)]
pub struct EntrySink {
    /// The entries that the sink takes.
    pub rules: SamplingRules,
    /// The sink's encoding.
    pub encode: Encode,
}

impl EntrySink {
    /// Returns why the sink takes an entry, if it does.
    #[inline]
    pub fn selects(&self, observed: &ObservedEntry<'_, '_>) -> Option<KeepReason> {
        reason::reason(&self.rules, observed)
    }
}

/// A batch of kept entries, as a sink encoded them one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The bytes of the encoded entries.
    pub bytes: Vec<u8>,
    /// How many entries there are.
    pub entries: u64,
}
