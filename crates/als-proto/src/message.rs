//! `envoy.service.accesslog.v3.StreamAccessLogsMessage`, its top level only: where the identifier and the
//! entries are.

use crate::entries::{Entries, EntryKind};
use crate::identifier::{Identifier, LAST_FIELD_OF_ACCESS_LOGS};
use crate::wire::{Fields, length_delimited};
use crate::{Malformed, entries};

/// `StreamAccessLogsMessage.identifier`.
pub(crate) const IDENTIFIER: u32 = length_delimited(1);
const LAST_KNOWN_FIELD: u32 = 3;

/// One `envoy.service.accesslog.v3.StreamAccessLogsMessage`, which borrows the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    has_identifier: bool,
    entries: Entries<'a>,
}

impl<'a> Message<'a> {
    /// Finds the parts of a message. Only its top level is read: an error in an entry, or in the identifier,
    /// shows when that is asked for.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut message = Self {
            bytes,
            has_identifier: false,
            entries: Entries::default(),
        };
        let mut fields = Fields::new(bytes);
        loop {
            let start = fields.rest();
            let Some(key) = fields.key()? else {
                return Ok(message);
            };
            match key {
                IDENTIFIER => message.has_identifier = true,
                entries::HTTP_LOGS => message.entries.note_list(EntryKind::Http, start),
                entries::TCP_LOGS => message.entries.note_list(EntryKind::Tcp, start),
                _ => {
                    fields.skip_unknown(key, LAST_KNOWN_FIELD)?;
                    continue;
                }
            }
            fields.bytes()?;
        }
    }

    /// `StreamAccessLogsMessage.identifier`, wherever in the message it is: who sends the log. Envoy sends it
    /// in the first message of a stream only.
    pub fn identifier(&self) -> Result<Option<Identifier<'a>>, Malformed> {
        if self.has_identifier {
            Identifier::read(self.bytes, LAST_FIELD_OF_ACCESS_LOGS).map(Some)
        } else {
            Ok(None)
        }
    }

    /// `StreamAccessLogsMessage.log_entries`: the entries of the list that stands last, HTTP or TCP.
    #[inline]
    pub fn entries(&self) -> Entries<'a> {
        self.entries.clone()
    }
}
