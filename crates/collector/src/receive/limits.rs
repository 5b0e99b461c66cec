//! What all clients together may hold: streams of one peer, bytes of unfinished messages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alscope_collector_config::Limits;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Permits count in units of this many bytes, so that a budget of gigabytes fits a semaphore.
const UNIT: usize = 1024;

/// The limits with what is in use of them.
#[derive(Debug)]
pub struct Usage {
    limits: Limits,
    buffers: Semaphore,
    peers: Mutex<HashMap<IpAddr, usize>>,
    streams: AtomicI64,
    /// Changes with each connection that comes.
    pub came: watch::Sender<()>,
}

/// One open stream; gives its place back when it is dropped.
#[derive(Debug)]
pub struct StreamPlace {
    usage: Arc<Usage>,
    peer: IpAddr,
}

impl Usage {
    /// Nothing in use.
    pub fn new(limits: Limits) -> Arc<Self> {
        let units = (limits.buffered_bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Usage {
            limits,
            buffers: Semaphore::new(units),
            peers: Mutex::default(),
            streams: AtomicI64::new(0),
            came: watch::Sender::default(),
        })
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Open streams.
    pub fn streams(&self) -> i64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Waits until there is room for an unfinished message of `bytes`. A message larger than all the room takes all of it.
    pub async fn room(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let all = (self.limits.buffered_bytes / UNIT).max(1);
        let units = (bytes / UNIT + 1).min(all);
        self.buffers
            .acquire_many(u32::try_from(units).unwrap_or(u32::MAX))
            .await
            .ok()
    }

    /// A place for one more stream of `peer`; `None` when it has as many as it may.
    pub fn stream(self: &Arc<Self>, peer: IpAddr) -> Option<StreamPlace> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let open = peers.entry(peer).or_default();
        if *open >= self.limits.streams_per_peer {
            return None;
        }
        *open += 1;
        self.streams.fetch_add(1, Ordering::Relaxed);
        Some(StreamPlace {
            usage: self.clone(),
            peer,
        })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut peers = self.usage.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = peers.get_mut(&self.peer) {
            *open -= 1;
            if *open == 0 {
                peers.remove(&self.peer);
            }
        }
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
        let first = usage.stream(PEER);
        let second = usage.stream(PEER);
        assert!(first.is_some() && second.is_some());
        assert!(usage.stream(PEER).is_none());
        assert!(usage.stream(OTHER).is_some());
        drop(first);
        assert_eq!(usage.streams(), 1);
        assert!(usage.stream(PEER).is_some());
    }

    #[tokio::test]
    async fn unfinished_messages_wait_for_room() {
        let usage = Usage::new(Limits {
            buffered_bytes: 4096,
            ..Limits::default()
        });
        let first = usage.room(3000).await.unwrap();
        let waiting = usage.room(3000);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        assert!(futures::poll!(&mut waiting).is_ready());
    }

    #[tokio::test]
    async fn a_message_larger_than_all_room_takes_all_of_it() {
        let usage = Usage::new(Limits {
            buffered_bytes: 4096,
            ..Limits::default()
        });
        assert!(usage.room(1 << 20).await.is_some());
    }
}
