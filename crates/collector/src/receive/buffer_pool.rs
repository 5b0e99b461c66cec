//! A pool of one buffer: a worker reassembles its messages in it, one after the other.

use parking_lot::Mutex;

/// The largest buffer that is pooled; a larger one is freed. A proxy's first message fits in it, and
/// its later ones are smaller.
pub const MAX_POOLED_BYTES: usize = 64 * 1024;

/// The buffer that no message uses at the moment, if there is one. Only tasks of one worker take it, so its lock is uncontended.
#[derive(Debug, Default)]
pub struct BufferPool(Mutex<Vec<u8>>);

impl BufferPool {
    /// Returns the pooled buffer, or one without capacity while another message uses it.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock())
    }

    /// Keeps a buffer for the next message, unless it is large.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_POOLED_BYTES {
            buffer.clear();
            *self.0.lock() = buffer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_given_back_is_taken_once_and_empty() {
        let pool = BufferPool::default();
        let mut buffer = pool.take();
        assert_eq!(buffer.capacity(), 0);
        buffer.resize(MAX_POOLED_BYTES, 1);
        pool.give_back(buffer);
        let again = pool.take();
        assert_eq!((again.len(), again.capacity()), (0, MAX_POOLED_BYTES));
        assert_eq!(pool.take().capacity(), 0);
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        let pool = BufferPool::default();
        pool.give_back(Vec::with_capacity(MAX_POOLED_BYTES + 1));
        assert_eq!(pool.take().capacity(), 0);
    }
}
