//! A buffer that a worker's messages are put together in, one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A larger buffer is given back to the system: a proxy's first message fits in this, and all later ones are smaller.
pub const MOST_BYTES: usize = 64 * 1024;

/// The buffer that no message is in at the moment, if there is one. Only tasks of one worker ask for it, so its lock is free.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<u8>>);

impl Spare {
    /// A buffer is empty or not whatever happens to who has it, so a poisoned lock is as good as any.
    fn buffer(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer: the spare one, or one without capacity while a message is in that.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.buffer())
    }

    /// Keeps a buffer for the next message, unless it is large.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_BYTES {
            buffer.clear();
            *self.buffer() = buffer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_given_back_is_taken_once_and_empty() {
        let spare = Spare::default();
        let mut buffer = spare.take();
        assert_eq!(buffer.capacity(), 0);
        buffer.resize(MOST_BYTES, 1);
        spare.give_back(buffer);
        let again = spare.take();
        assert_eq!((again.len(), again.capacity()), (0, MOST_BYTES));
        assert_eq!(spare.take().capacity(), 0);
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        let spare = Spare::default();
        spare.give_back(Vec::with_capacity(MOST_BYTES + 1));
        assert_eq!(spare.take().capacity(), 0);
    }
}
