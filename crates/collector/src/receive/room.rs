//! Room for unfinished messages.
//!
//! What of a message has come in takes room, not what it announces, and of three shares at once: its connection's, its client
//! address's and the one of all. So nobody holds room without having sent as much, and no client has more than its share.
//!
//! Where there is none left, progress decides. A message that is unfinished after [`GRACE`] gives way to one that waits, the one
//! that stalled first before the others, so that who sends at full speed waits for no stall of another. One of an address that has
//! taken much gives way to other addresses sooner, after [`GRACE_OF_GREEDY`].
//!
//! What a stream has sent and nobody reads fills its connection's window (RFC 9113, 6.9.1). A stream that waits for room may so keep
//! another one of its connection from the rest of its message. So that they do not wait for one another, it waits no longer than
//! [`PATIENCE`] while another of its connection has room.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use super::limits::Usage;
use super::share::Share;

/// How long a stream waits for room while another of its connection has some.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// After how long a message whose rest does not come gives way to one that waits for room.
pub const GRACE: Duration = Duration::from_millis(250);
/// After how long it gives way to one of another address, if its own address has taken more than an eighth of what it may.
pub const GRACE_OF_GREEDY: Duration = Duration::from_millis(20);
/// After how long a message that waits for room itself gives way to others.
pub const GRACE_OF_WAITING: Duration = Duration::from_secs(1);
/// How long a message may be unfinished at all.
pub const MESSAGE_DEADLINE: Duration = Duration::from_secs(30);

/// A connection's part in this.
#[derive(Debug)]
pub struct Unfinished {
    /// Of the connection, of its client's address, of all.
    shares: [Arc<Share>; 3],
    /// How many messages of the connection have room.
    with_room: AtomicUsize,
}

/// The room of one message. Dropped, it gives the room back.
#[derive(Debug)]
pub struct Room<'a> {
    connection: &'a Unfinished,
    held: [Option<SemaphorePermit<'a>>; 3],
    /// When it got its first room.
    since: Option<Instant>,
}

/// Why a message is not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// There was no room for it, or another one needed its room.
    NoRoom,
    /// It took too long.
    Late,
}

impl Unfinished {
    /// Nothing held, by a connection from an address with this share.
    pub fn new(usage: &Usage, peer: Arc<Share>) -> Self {
        Unfinished {
            shares: [usage.share_of_connection(), peer, usage.share_of_all()],
            with_room: AtomicUsize::new(0),
        }
    }

    /// No room yet, for a message that begins.
    pub fn begin(&self) -> Room<'_> {
        Room {
            connection: self,
            held: [None, None, None],
            since: None,
        }
    }
}

impl Room<'_> {
    /// Waits until there is room for so many bytes of the message.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Unread> {
        let Room {
            connection,
            held,
            since,
        } = self;
        let growing = async {
            for (share, held) in connection.shares.iter().zip(held) {
                share.grow(held, bytes).await;
            }
        };
        tokio::select! {
            biased;
            () = growing => {}
            () = connection.impatience(*since) => return Err(Unread::NoRoom),
            () = connection.gives_way(*since, GRACE_OF_WAITING) => return Err(Unread::NoRoom),
        }
        if since.is_none() {
            connection.with_room.fetch_add(1, Ordering::Relaxed);
            *since = Some(Instant::now());
        }
        Ok(())
    }

    /// What `rest` brings of the message, unless it is late or has to give way.
    pub async fn rest<T>(&self, rest: impl Future<Output = T>) -> Result<T, Unread> {
        tokio::select! {
            biased;
            rest = rest => Ok(rest),
            () = late(self.since) => Err(Unread::Late),
            () = self.connection.gives_way(self.since, GRACE) => Err(Unread::NoRoom),
        }
    }
}

async fn late(since: Option<Instant>) {
    match since {
        Some(since) => sleep_until(since + MESSAGE_DEADLINE).await,
        None => sleep(MESSAGE_DEADLINE).await,
    }
}

impl Unfinished {
    /// Ends when a message that waits for room has waited long enough: too long at all, or while another of its connection has some.
    async fn impatience(&self, since: Option<Instant>) {
        let own = usize::from(since.is_some());
        let others_have_room = async {
            loop {
                sleep(PATIENCE).await;
                if self.with_room.load(Ordering::Relaxed) > own {
                    return;
                }
            }
        };
        tokio::select! {
            () = others_have_room => {}
            () = sleep(MESSAGE_DEADLINE) => {}
        }
    }

    /// Ends when a message that has room since then is asked to give way.
    async fn gives_way(&self, since: Option<Instant>, grace: Duration) {
        let Some(since) = since else {
            return std::future::pending().await;
        };
        let [connection, peer, all] = &self.shares;
        let to_others = async {
            if !peer.is_much_taken() {
                sleep_until(since + grace).await;
            }
            sleep_until(since + GRACE_OF_GREEDY).await;
            all.wanted().await;
        };
        let to_own = async {
            sleep_until(since + grace).await;
            tokio::select! {
                () = connection.wanted() => {}
                () = peer.wanted() => {}
            }
        };
        tokio::select! {
            () = to_others => {}
            () = to_own => {}
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.since.is_some() {
            self.connection.with_room.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
