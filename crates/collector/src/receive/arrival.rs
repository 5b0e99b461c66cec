//! How many connections arrive at once.
//!
//! After a restart all proxies come back at once, and each begins with 62 KB about itself. Taken one beside the other, thousands of
//! such messages would be in memory at the same time; taken some at a time, each is gone before the next ones come.
//!
//! A connection takes a place when it has sent more than [`FREE_BYTES`], so one that is silent takes none, and those of one address
//! take no more than [`PLACES_OF_PEER`]. What it sends without a place waits in the system's buffer.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Connections of a worker that may arrive at once.
pub const PLACES: usize = 64;
/// Connections of one address that may.
pub const PLACES_OF_PEER: usize = 16;
/// How long one may hold others up: who is slow has arrived then too.
pub const LONGEST: Duration = Duration::from_millis(200);
/// Bytes that are read without a place: what a connection and a stream begin with, and a short message.
pub const FREE_BYTES: usize = 2048;

/// The places of a worker.
#[derive(Clone, Debug)]
pub struct Arrivals(Arc<Semaphore>);

/// A place of the worker, and one of those of the client's address.
type Place = [Option<OwnedSemaphorePermit>; 2];

/// A connection that arrives. It gives its place back with its first message, [`LONGEST`] after it got it, or when it ends.
#[derive(Debug)]
pub struct Arrival {
    of_worker: Arc<Semaphore>,
    of_peer: Arc<Semaphore>,
    place: Mutex<Option<Place>>,
    has_place: Notify,
    is_over: AtomicBool,
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Arrivals {
    /// A connection that has no place yet, from an address with these places.
    pub fn arrival(&self, of_peer: Arc<Semaphore>) -> Arrival {
        Arrival {
            of_worker: self.0.clone(),
            of_peer,
            place: Mutex::default(),
            has_place: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }
}

impl Arrival {
    /// Waits for a place: first in the queue of the client's address, so that those of one address are not all before others.
    pub async fn place(self: Arc<Self>) {
        let of_peer = self.of_peer.clone().acquire_owned().await.ok();
        let of_worker = self.of_worker.clone().acquire_owned().await.ok();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_over() {
            *place = Some([of_peer, of_worker]);
            self.has_place.notify_one();
        }
    }

    /// Gives the place to the next connection.
    pub fn end(&self) {
        if !self.is_over() {
            let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            self.is_over.store(true, Ordering::Relaxed);
            drop(place.take());
        }
    }

    /// Whether it has arrived.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends it [`LONGEST`] after it got its place. To be polled as long as the connection is there.
    pub async fn end_in_time(&self) -> Infallible {
        self.has_place.notified().await;
        sleep(LONGEST).await;
        self.end();
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join_all;
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;

    fn of_peer() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(PLACES_OF_PEER))
    }

    /// So many connections with a place, each from an address of its own.
    async fn placed(arrivals: &Arrivals, count: usize) -> Vec<Arc<Arrival>> {
        let placed: Vec<_> = (0..count)
            .map(|_| Arc::new(arrivals.arrival(of_peer())))
            .collect();
        join_all(placed.iter().cloned().map(Arrival::place)).await;
        placed
    }

    /// How long the next connection waits when all places are taken, and what is done after some time to one that has a place.
    async fn waits(after: Duration, what: fn(Vec<Arc<Arrival>>) -> Vec<Arc<Arrival>>) -> Duration {
        let arrivals = Arrivals::default();
        let arriving = placed(&arrivals, PLACES).await;
        let begun = Instant::now();
        let release = async {
            sleep(after).await;
            let kept = what(arriving);
            join_all(kept.iter().map(|arrival| arrival.end_in_time())).await
        };
        let next = async {
            placed(&arrivals, 1).await;
            begun.elapsed()
        };
        tokio::select! {
            waited = next => waited,
            _ = release => unreachable!("an arrival goes on"),
        }
    }

    fn take_a_message(arriving: Vec<Arc<Arrival>>) -> Vec<Arc<Arrival>> {
        arriving[7].end();
        arriving
    }

    fn lose_a_connection(mut arriving: Vec<Arc<Arrival>>) -> Vec<Arc<Arrival>> {
        arriving.pop();
        arriving
    }

    #[rstest]
    #[case::first_message(take_a_message, 20)]
    #[case::end_of_the_connection(lose_a_connection, 20)]
    #[case::silence(|arriving| arriving, 220)]
    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_after(
        #[case] what: fn(Vec<Arc<Arrival>>) -> Vec<Arc<Arrival>>,
        #[case] milliseconds: u128,
    ) {
        let waited = waits(Duration::from_millis(20), what).await;
        assert_eq!(waited.as_millis(), milliseconds);
    }

    #[tokio::test]
    async fn connections_of_one_address_take_no_place_from_another() {
        let (arrivals, stranger) = (Arrivals::default(), of_peer());
        let of_stranger: Vec<_> = (0..100)
            .map(|_| Arc::new(arrivals.arrival(stranger.clone())))
            .collect();
        let mut places: Vec<_> = of_stranger
            .iter()
            .map(|arrival| Box::pin(arrival.clone().place()))
            .collect();
        let has_place = places.iter_mut().map(|place| place.now_or_never().is_some());
        assert_eq!(has_place.filter(|has| *has).count(), PLACES_OF_PEER);
        let proxy = Arc::new(arrivals.arrival(of_peer()));
        assert!(proxy.place().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_place_that_comes_after_the_first_message_is_given_back() {
        let (arrivals, peer) = (Arrivals::default(), of_peer());
        let arrival = Arc::new(arrivals.arrival(peer.clone()));
        arrival.end();
        arrival.clone().place().await;
        assert_eq!(
            (peer.available_permits(), arrivals.0.available_permits()),
            (PLACES_OF_PEER, PLACES)
        );
    }
}
