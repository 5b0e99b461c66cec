//! The budget for the buffers of unfinished messages.
//!
//! A message takes as many bytes of the budget as have come in of it, not as many as it announces. It takes them of three shares at
//! once: its connection's, its client address's, and that of all clients. So nobody holds bytes without having sent as many, and no
//! client has more than its share.
//!
//! When the budget is spent, progress decides. A message that is unfinished after [`GRACE`] gives way to one that waits. The one that
//! stalled first is asked first, so a client that sends at full speed does not wait for another's stall. A message of an address that
//! has taken much gives way to other addresses sooner, after [`GREEDY_ADDRESS_GRACE`].
//!
//! Unread bytes of a stream fill its connection's window (RFC 9113, 6.9.1). So a stream that waits for the budget may
//! keep another stream of its connection from the rest of its message. To rule a deadlock out, a stream waits at most
//! [`MAX_WAIT_BESIDE_PENDING`] while another message of its connection is pending.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use super::limits::Usage;
use super::share::Share;

/// How long a message waits for the budget while another of its connection is pending.
pub const MAX_WAIT_BESIDE_PENDING: Duration = Duration::from_millis(100);
/// After how long a message whose rest does not come gives way to one that waits.
pub const GRACE: Duration = Duration::from_millis(250);
/// The same, towards a message of another address, if its own address has taken more than
/// an eighth of its share.
pub const GREEDY_ADDRESS_GRACE: Duration = Duration::from_millis(20);
/// After how long a message that has a permit and waits for more gives way to others.
pub const WAITING_GRACE: Duration = Duration::from_secs(1);
/// How long a message may take in all, from its first byte to its last.
pub const MESSAGE_DEADLINE: Duration = Duration::from_secs(30);

/// The pending messages of one connection: those that have a permit and are unfinished.
#[derive(Debug)]
pub struct PendingMessages {
    /// The shares that the messages draw on: the connection's, its client address's,
    /// and that of all clients.
    shares: [Arc<Share>; 3],
    /// How many of the connection's messages are pending.
    count: AtomicUsize,
}

/// The bytes that one message holds of the budget. Dropping the permit returns them.
#[derive(Debug)]
pub struct BufferPermit<'a> {
    connection: &'a PendingMessages,
    held: [Option<SemaphorePermit<'a>>; 3],
    /// When the message got its first bytes. `None` before that.
    since: Option<Instant>,
}

/// The reasons for which a message is not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The budget was spent, or another message needed its part of it.
    NoRoom,
    /// The message took longer than [`MESSAGE_DEADLINE`].
    Late,
}

impl PendingMessages {
    /// A connection without pending messages. `peer` is the share of its client's address.
    pub fn new(usage: &Usage, peer: Arc<Share>) -> Self {
        PendingMessages {
            shares: [usage.share_of_connection(), peer, usage.share_of_all()],
            count: AtomicUsize::new(0),
        }
    }

    /// Creates an empty permit for a message that begins.
    pub fn begin(&self) -> BufferPermit<'_> {
        BufferPermit {
            connection: self,
            held: [None, None, None],
            since: None,
        }
    }
}

impl BufferPermit<'_> {
    /// Waits until the permit covers this many bytes of the message.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Unread> {
        let BufferPermit {
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
            () = connection.gives_way(*since, WAITING_GRACE) => return Err(Unread::NoRoom),
        }
        if since.is_none() {
            connection.count.fetch_add(1, Ordering::Relaxed);
            *since = Some(Instant::now());
        }
        Ok(())
    }

    /// Waits for `rest`, the rest of the message, unless the message is late or has to give way.
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

impl PendingMessages {
    /// Completes when a message has waited long enough: past its deadline, or too long while another
    /// message of its connection is pending.
    async fn impatience(&self, since: Option<Instant>) {
        let own = usize::from(since.is_some());
        let others_are_pending = async {
            loop {
                sleep(MAX_WAIT_BESIDE_PENDING).await;
                if self.count.load(Ordering::Relaxed) > own {
                    return;
                }
            }
        };
        tokio::select! {
            () = others_are_pending => {}
            () = sleep(MESSAGE_DEADLINE) => {}
        }
    }

    /// Completes when a message that has held a permit since `since` is asked to give way.
    async fn gives_way(&self, since: Option<Instant>, grace: Duration) {
        let Some(since) = since else {
            return std::future::pending().await;
        };
        let [connection, peer, all] = &self.shares;
        let to_others = async {
            if !peer.is_much_taken() {
                sleep_until(since + grace).await;
            }
            sleep_until(since + GREEDY_ADDRESS_GRACE).await;
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

impl Drop for BufferPermit<'_> {
    fn drop(&mut self) {
        if self.since.is_some() {
            self.connection.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
