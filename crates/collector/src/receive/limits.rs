//! The limits for all clients together: connections, streams of one address,
//! and bytes of unfinished messages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use alscope_collector_config::Limits;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::admission::MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS;
use super::answer::Refusal;
use super::share::Share;

/// One address may have one in this many of all connections.
const PEERS_FOR_ALL_CONNECTIONS: usize = 4;
/// One address may hold one in this many bytes of all unfinished messages.
const PEERS_FOR_ALL_BYTES: usize = 4;
/// One connection may hold one in this many bytes of all unfinished messages.
const CONNECTIONS_FOR_ALL_BYTES: usize = 16;

/// The reasons for which a connection is closed as soon as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// There are already as many connections as `limits.connections` allows.
    TooMany,
    /// The client's address has as many connections as it may.
    TooManyOfPeer,
}

/// The reasons for which the collector ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The connection began no stream in time.
    Silent,
    /// The connection has had no stream for long.
    Idle,
    /// The connection sent frame after frame that carry nothing.
    Flood,
}

impl RefusalReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 2] = [Self::TooMany, Self::TooManyOfPeer];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too-many",
            Self::TooManyOfPeer => "too-many-of-peer",
        }
    }
}

impl EndReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 3] = [Self::Silent, Self::Idle, Self::Flood];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Flood => "flood",
        }
    }
}

/// How many connections are open, and how many were refused and ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionCounts {
    /// How many connections are open.
    pub open: u64,
    /// How many connections were refused for each reason, in the order of [`RefusalReason::ALL`].
    pub refused: [u64; RefusalReason::ALL.len()],
    /// How many connections were ended for each reason, in the order of [`EndReason::ALL`].
    pub ended: [u64; EndReason::ALL.len()],
}

/// The limits, and how much of them is in use.
#[derive(Debug)]
pub struct Usage {
    limits: Limits,
    room: Arc<Share>,
    peers: Mutex<Peers>,
    streams: AtomicI64,
    streams_refused: [AtomicU64; Refusal::ALL.len()],
    refused: [AtomicU64; RefusalReason::ALL.len()],
    ended: [AtomicU64; EndReason::ALL.len()],
    /// Changes with each new connection.
    pub came: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Peers {
    connections: usize,
    by_address: HashMap<IpAddr, Peer>,
}

/// The counts and permits that the connections of one address share.
#[derive(Debug)]
struct Peer {
    connections: usize,
    shared: Shared,
}

#[derive(Clone, Debug)]
struct Shared {
    room: Arc<Share>,
    handshakes: Arc<Semaphore>,
    streams: Arc<AtomicUsize>,
}

/// The place of one connection. Dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPlace {
    usage: Arc<Usage>,
    address: IpAddr,
    of_peer: Shared,
}

/// The place of one open stream. Dropping it frees the place.
#[derive(Debug)]
pub struct StreamPlace {
    usage: Arc<Usage>,
    of_peer: Arc<AtomicUsize>,
}

impl Usage {
    /// The limits, with nothing in use.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Usage {
            limits,
            room: Arc::new(Share::new(limits.buffered_bytes)),
            peers: Mutex::default(),
            streams: AtomicI64::new(0),
            streams_refused: Default::default(),
            refused: Default::default(),
            ended: Default::default(),
            came: watch::Sender::default(),
        })
    }

    /// The limits as configured, within what the system allows.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many streams are open.
    pub fn streams(&self) -> i64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// How many streams were answered with an error for each reason, in the order of [`Refusal::ALL`].
    pub fn streams_refused(&self) -> [u64; Refusal::ALL.len()] {
        self.streams_refused
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// Counts a stream that is answered with an error.
    pub fn refuse_stream(&self, reason: Refusal) {
        self.streams_refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts of connections.
    pub fn connections(&self) -> ConnectionCounts {
        ConnectionCounts {
            open: self.peers.lock().connections as u64,
            refused: self.refused.each_ref().map(|count| count.load(Ordering::Relaxed)),
            ended: self.ended.each_ref().map(|count| count.load(Ordering::Relaxed)),
        }
    }

    /// Counts a connection that the collector ends.
    pub fn end(&self, reason: EndReason) {
        self.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The share of unfinished messages that all clients have together.
    pub fn share_of_all(&self) -> Arc<Share> {
        self.room.clone()
    }

    /// Creates the share of unfinished messages of a new connection.
    pub fn share_of_connection(&self) -> Arc<Share> {
        self.share(CONNECTIONS_FOR_ALL_BYTES)
    }

    /// Creates a share of one part in `part`. It always has room for one message of the largest size.
    fn share(&self, part: usize) -> Arc<Share> {
        let bytes = (self.limits.buffered_bytes / part).max(self.limits.message_bytes);
        Arc::new(Share::new(bytes))
    }

    /// Takes a place for one more connection from an address. A refusal is counted.
    pub fn connection(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPlace, RefusalReason> {
        let place = self.place(address);
        if let Err(reason) = place {
            self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    fn place(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPlace, RefusalReason> {
        let most = self.limits.connections;
        let of_peer = (most / PEERS_FOR_ALL_CONNECTIONS).clamp(1, self.limits.streams_per_peer.max(1));
        let mut peers = self.peers.lock();
        if peers.connections >= most {
            return Err(RefusalReason::TooMany);
        }
        let peer = peers.by_address.entry(address).or_insert_with(|| Peer {
            connections: 0,
            shared: Shared {
                room: self.share(PEERS_FOR_ALL_BYTES),
                handshakes: Arc::new(Semaphore::new(MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS)),
                streams: Arc::default(),
            },
        });
        if peer.connections >= of_peer {
            return Err(RefusalReason::TooManyOfPeer);
        }
        peer.connections += 1;
        let shared = peer.shared.clone();
        peers.connections += 1;
        Ok(ConnectionPlace {
            usage: self.clone(),
            address,
            of_peer: shared,
        })
    }
}

impl ConnectionPlace {
    /// The IP address of the client that opened the connection.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The share of unfinished messages of the client's address.
    pub fn share_of_peer(&self) -> Arc<Share> {
        self.of_peer.room.clone()
    }

    /// The permits for handshakes of the client's address.
    pub fn handshakes(&self) -> Arc<Semaphore> {
        self.of_peer.handshakes.clone()
    }

    /// Takes a place for one more stream. Returns `None` if the client's address has as many as it may.
    pub fn stream(&self) -> Option<StreamPlace> {
        let (streams, most) = (&self.of_peer.streams, self.usage.limits.streams_per_peer);
        let one_more = |open: usize| (open < most).then_some(open + 1);
        streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        self.usage.streams.fetch_add(1, Ordering::Relaxed);
        Some(StreamPlace {
            usage: self.usage.clone(),
            of_peer: streams.clone(),
        })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut peers = self.usage.peers.lock();
        peers.connections -= 1;
        if let Some(peer) = peers.by_address.get_mut(&self.address) {
            peer.connections -= 1;
            if peer.connections == 0 {
                peers.by_address.remove(&self.address);
            }
        }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.of_peer.fetch_sub(1, Ordering::Relaxed);
        self.usage.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn a_peer_at_its_limit_waits_for_its_own_streams_only() {
        let usage = Usage::new(Limits {
            streams_per_peer: 2,
            ..Limits::default()
        });
        let [one, another, other] = [PEER, PEER, OTHER].map(|peer| usage.connection(peer).unwrap());
        let (first, second) = (one.stream(), another.stream());
        assert!(first.is_some() && second.is_some());
        assert!(one.stream().is_none());
        let of_other = other.stream();
        assert!(of_other.is_some());
        drop(first);
        assert_eq!(usage.streams(), 2);
        assert!(another.stream().is_some());
    }

    #[test]
    fn no_address_has_more_than_a_quarter_of_the_connections_and_all_no_more_than_their_bound() {
        let usage = Usage::new(Limits {
            connections: 8,
            ..Limits::default()
        });
        let address = |number: u8| IpAddr::V4(Ipv4Addr::new(10, 0, 1, number));
        let mut places: Vec<_> = [0, 0, 1, 1, 2, 2]
            .map(|number| usage.connection(address(number)).unwrap())
            .into();
        let refused = |number| usage.connection(address(number)).err();
        assert_eq!(refused(0), Some(RefusalReason::TooManyOfPeer));
        places.extend([3, 4].map(|number| usage.connection(address(number)).unwrap()));
        assert_eq!(refused(5), Some(RefusalReason::TooMany));
        let counted = usage.connections();
        assert_eq!((counted.open, counted.refused), (8, [1, 1]));
        drop(places);
        assert_eq!(usage.connections().open, 0);
        assert!(usage.peers.lock().by_address.is_empty());
        assert_eq!(refused(0), None);
    }

    #[test]
    fn an_address_has_no_more_connections_than_streams() {
        let usage = Usage::new(Limits {
            streams_per_peer: 1,
            ..Limits::default()
        });
        let _place = usage.connection(PEER).unwrap();
        assert_eq!(usage.connection(PEER).err(), Some(RefusalReason::TooManyOfPeer));
        assert!(usage.connection(OTHER).is_ok());
    }
}
