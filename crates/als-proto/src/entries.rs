//! `StreamAccessLogsMessage.log_entries`: the entries of a message, one by one.

use std::error::Error;
use std::fmt;

use crate::Malformed;
use crate::http::HttpEntry;
use crate::occurrences::NestedOccurrences;
use crate::tcp::TcpEntry;
use crate::wire::length_delimited;

/// `StreamAccessLogsMessage.http_logs`.
pub(crate) const HTTP_LOGS: u32 = length_delimited(2);
/// `StreamAccessLogsMessage.tcp_logs`.
pub(crate) const TCP_LOGS: u32 = length_delimited(3);
/// `HTTPAccessLogEntries.log_entry` and `TCPAccessLogEntries.log_entry`.
const LOG_ENTRY: u32 = length_delimited(1);

/// One access-log entry of one Envoy.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an entry is used where it is read; a box would cost an allocation an entry"
)]
pub enum Entry<'a> {
    /// `envoy.data.accesslog.v3.HTTPAccessLogEntry`.
    Http(HttpEntry<'a>),
    /// `envoy.data.accesslog.v3.TCPAccessLogEntry`.
    Tcp(TcpEntry<'a>),
}

/// The bytes of one access-log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadEntry<'a> {
    /// `envoy.data.accesslog.v3.HTTPAccessLogEntry`.
    Http(&'a [u8]),
    /// `envoy.data.accesslog.v3.TCPAccessLogEntry`.
    Tcp(&'a [u8]),
}

/// Why the iterator over the entries could not give one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// This entry is not what its proto says. The ones behind it can be read.
    Entry,
    /// The list of entries is broken: nothing behind this place can be found. The iterator has ended.
    Rest,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Entry => "bytes are not the access-log entry they should be",
            Self::Rest => "the list of access-log entries is broken",
        })
    }
}

impl Error for Unreadable {}

/// The kind of a message's list of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EntryKind {
    #[default]
    Http,
    Tcp,
}

/// Iterates over the entries of a message. It only holds a position in the message's bytes, so it can be suspended and resumed.
#[derive(Clone, Debug, Default)]
pub struct Entries<'a> {
    kind: EntryKind,
    /// The message from the first list on that belongs to the entries.
    bytes: &'a [u8],
    occurrences: NestedOccurrences<'a>,
}

impl<'a> Entries<'a> {
    /// Notes that a list of `kind` starts where `bytes` do. It replaces a list of the other kind and extends one of its own kind,
    /// because the list is a member of a oneof.
    pub(crate) fn note_list(&mut self, kind: EntryKind, bytes: &'a [u8]) {
        if self.bytes.is_empty() || self.kind != kind {
            let list = match kind {
                EntryKind::Http => HTTP_LOGS,
                EntryKind::Tcp => TCP_LOGS,
            };
            *self = Self {
                kind,
                bytes,
                occurrences: NestedOccurrences::new(bytes, list, LOG_ENTRY),
            };
        }
    }
}

impl<'a> Entries<'a> {
    /// The bytes of the next entry. A caller that reads them in place with [`HttpEntry::read`] or [`TcpEntry::read`] saves the
    /// copies of what the iterator returns.
    #[inline]
    pub fn next_unread(&mut self) -> Option<Result<UnreadEntry<'a>, Unreadable>> {
        let entry = self.occurrences.next()?.map(|bytes| match self.kind {
            EntryKind::Http => UnreadEntry::Http(bytes),
            EntryKind::Tcp => UnreadEntry::Tcp(bytes),
        });
        Some(entry.map_err(|Malformed| Unreadable::Rest))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let read = self.next_unread()?.and_then(|unread| {
            let entry = match unread {
                UnreadEntry::Http(bytes) => {
                    let mut entry = HttpEntry::default();
                    entry.read(bytes).map(|()| Entry::Http(entry))
                }
                UnreadEntry::Tcp(bytes) => {
                    let mut entry = TcpEntry::default();
                    entry.read(bytes).map(|()| Entry::Tcp(entry))
                }
            };
            entry.map_err(|Malformed| Unreadable::Entry)
        });
        Some(read)
    }
}
