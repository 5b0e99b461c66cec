//! Room for unfinished messages.
//!
//! What a stream has sent and nobody reads fills its connection's window (RFC 9113, 6.9.1). A stream that waits for room may so keep
//! another one of its connection from the rest of its message, and that one keeps the room. So that they do not wait for one
//! another, a stream waits long only while no other of its connection has room; proxies have a connection for each thread of theirs,
//! but what stands between may send the streams of many over one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout};

use super::limits::Usage;

/// How long a stream waits for room while another of its connection has some.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How long the rest of a message may take once its room is held: a client that stalls must not hold what others wait for.
pub const MESSAGE_DEADLINE: Duration = Duration::from_secs(30);

/// How many messages of one connection have room.
#[derive(Debug, Default)]
pub struct Unfinished(AtomicUsize);

/// Room for an unfinished or a compressed message. Dropped, it gives the room back.
#[derive(Debug)]
pub struct Room<'a> {
    /// Until when it may be held for the rest of the message.
    pub deadline: Instant,
    of_connection: &'a Unfinished,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Unfinished {
    /// Waits for room for `bytes` more of the connection; `None` if it comes too late.
    pub async fn room<'a>(&'a self, usage: &'a Usage, bytes: usize) -> Option<Room<'a>> {
        let permit = usage.room(bytes);
        tokio::pin!(permit);
        loop {
            match timeout(PATIENCE, &mut permit).await {
                Ok(permit) => {
                    self.0.fetch_add(1, Ordering::Relaxed);
                    return Some(Room {
                        deadline: Instant::now() + MESSAGE_DEADLINE,
                        of_connection: self,
                        _permit: permit,
                    });
                }
                Err(_) if self.0.load(Ordering::Relaxed) > 0 => return None,
                Err(_) => {}
            }
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.of_connection.0.fetch_sub(1, Ordering::Relaxed);
    }
}
