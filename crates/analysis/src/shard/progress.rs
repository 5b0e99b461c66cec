//! The progress of reading a message. Long messages are read in turns.

use als_proto::Entries;

use crate::moment::Moment;

/// A message and how far it has been read.
#[derive(Clone, Debug)]
pub struct MessageProgress<'a> {
    pub(super) entries: Entries<'a>,
    pub(super) read: usize,
    pub(super) received: Moment,
}

impl<'a> MessageProgress<'a> {
    /// The beginning of a message that was received at `received`.
    pub fn new(entries: Entries<'a>, received: Moment) -> Self {
        MessageProgress {
            entries,
            read: 0,
            received,
        }
    }

    /// How many entries were read, whatever became of them.
    pub fn entries_read(&self) -> usize {
        self.read
    }
}
