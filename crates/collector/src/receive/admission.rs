//! Admission of connections: how many of them a worker lets through their handshake at once.
//!
//! A handshake is everything up to a connection's first message. After a restart of the collector all
//! proxies connect at once, and the first message of each has 62 KB about its node. Read all at once,
//! thousands of such messages would be in memory at the same time. Read a few at a time, each is freed
//! before the next ones come.
//!
//! A connection asks for admission once it has sent [`UNADMITTED_BYTES`], so a silent one takes no permit,
//! and the connections of one address take at most [`MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS`]. Whatever a
//! connection sends before it is admitted waits in the kernel's socket buffer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// How many connections of a worker may be in their handshake at once.
pub const MAX_CONCURRENT_HANDSHAKES: usize = 64;
/// How many connections of one address may be in their handshake at once, on all workers together.
pub const MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS: usize = 16;
/// How long a handshake may hold up others. It counts as complete after that.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(200);
/// How many bytes are read before admission: enough for the preface of HTTP/2, the headers of a
/// stream, and a short message.
pub const UNADMITTED_BYTES: usize = 2048;

/// The permits for handshakes of one worker's connections.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Semaphore>);

/// The permit of the client's address, and the permit of the worker.
type Permits = [Option<OwnedSemaphorePermit>; 2];

/// The handshake of one connection. It returns its permits with the first message, [`HANDSHAKE_TIMEOUT`]
/// after it was admitted, or when it is dropped.
#[derive(Debug)]
pub struct Handshake {
    of_worker: Arc<Semaphore>,
    of_peer: Arc<Semaphore>,
    permits: Mutex<Option<Permits>>,
    is_admitted: Notify,
    is_complete: AtomicBool,
}

impl Default for Admission {
    fn default() -> Self {
        Admission(Arc::new(Semaphore::new(MAX_CONCURRENT_HANDSHAKES)))
    }
}

impl Admission {
    /// Creates the handshake of a new connection. `of_peer` holds the permits of its client's address.
    pub fn handshake(&self, of_peer: Arc<Semaphore>) -> Handshake {
        Handshake {
            of_worker: self.0.clone(),
            of_peer,
            permits: Mutex::default(),
            is_admitted: Notify::new(),
            is_complete: AtomicBool::new(false),
        }
    }
}

impl Handshake {
    /// Waits for admission: first in the queue of the client's address, so that one address can't fill the worker's queue.
    pub async fn admit(self: Arc<Self>) {
        let of_peer = self.of_peer.clone().acquire_owned().await.ok();
        let of_worker = self.of_worker.clone().acquire_owned().await.ok();
        let mut permits = self.permits.lock();
        if !self.is_complete() {
            *permits = Some([of_peer, of_worker]);
            self.is_admitted.notify_one();
        }
    }

    /// Completes the handshake: the next connection may be admitted.
    pub fn complete(&self) {
        if !self.is_complete() {
            let mut permits = self.permits.lock();
            self.is_complete.store(true, Ordering::Relaxed);
            drop(permits.take());
        }
    }

    /// Returns whether the handshake is complete.
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Relaxed)
    }

    /// Completes the handshake [`HANDSHAKE_TIMEOUT`] after admission. The connection polls this as long as it is open.
    pub async fn complete_in_time(&self) -> Infallible {
        self.is_admitted.notified().await;
        sleep(HANDSHAKE_TIMEOUT).await;
        self.complete();
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
        Arc::new(Semaphore::new(MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS))
    }

    /// Admits `count` handshakes, each from an address of its own.
    async fn admitted(admission: &Admission, count: usize) -> Vec<Arc<Handshake>> {
        let admitted: Vec<_> = (0..count)
            .map(|_| Arc::new(admission.handshake(of_peer())))
            .collect();
        join_all(admitted.iter().cloned().map(Handshake::admit)).await;
        admitted
    }

    /// Measures how long the next connection waits if all permits are taken and `what` is done to
    /// the handshakes after some time.
    async fn waits(after: Duration, what: fn(Vec<Arc<Handshake>>) -> Vec<Arc<Handshake>>) -> Duration {
        let admission = Admission::default();
        let pending = admitted(&admission, MAX_CONCURRENT_HANDSHAKES).await;
        let begun = Instant::now();
        let release = async {
            sleep(after).await;
            let kept = what(pending);
            join_all(kept.iter().map(|handshake| handshake.complete_in_time())).await
        };
        let next = async {
            admitted(&admission, 1).await;
            begun.elapsed()
        };
        tokio::select! {
            waited = next => waited,
            _ = release => unreachable!("a handshake goes on"),
        }
    }

    fn take_a_message(pending: Vec<Arc<Handshake>>) -> Vec<Arc<Handshake>> {
        pending[7].complete();
        pending
    }

    fn lose_a_connection(mut pending: Vec<Arc<Handshake>>) -> Vec<Arc<Handshake>> {
        pending.pop();
        pending
    }

    #[rstest]
    #[case::first_message(take_a_message, 20)]
    #[case::end_of_the_connection(lose_a_connection, 20)]
    #[case::silence(|pending| pending, 220)]
    #[tokio::test(start_paused = true)]
    async fn a_permit_is_free_after(
        #[case] what: fn(Vec<Arc<Handshake>>) -> Vec<Arc<Handshake>>,
        #[case] milliseconds: u128,
    ) {
        let waited = waits(Duration::from_millis(20), what).await;
        assert_eq!(waited.as_millis(), milliseconds);
    }

    #[tokio::test]
    async fn connections_of_one_address_take_no_permit_from_another() {
        let (admission, stranger) = (Admission::default(), of_peer());
        let of_stranger: Vec<_> = (0..100)
            .map(|_| Arc::new(admission.handshake(stranger.clone())))
            .collect();
        let mut admissions: Vec<_> = of_stranger
            .iter()
            .map(|handshake| Box::pin(handshake.clone().admit()))
            .collect();
        let is_admitted = admissions.iter_mut().map(|place| place.now_or_never().is_some());
        assert_eq!(
            is_admitted.filter(|has| *has).count(),
            MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS
        );
        let proxy = Arc::new(admission.handshake(of_peer()));
        assert!(proxy.admit().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_permit_that_comes_after_the_first_message_is_returned() {
        let (admission, peer) = (Admission::default(), of_peer());
        let handshake = Arc::new(admission.handshake(peer.clone()));
        handshake.complete();
        handshake.clone().admit().await;
        assert_eq!(
            (peer.available_permits(), admission.0.available_permits()),
            (MAX_CONCURRENT_HANDSHAKES_PER_ADDRESS, MAX_CONCURRENT_HANDSHAKES)
        );
    }
}
