//! How many connections arrive at once.
//!
//! After a restart all proxies come back at once, and each begins with 62 KB about itself. Taken one beside the other, thousands of
//! such messages would be in memory at the same time; taken some at a time, each is gone before the next ones come.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Connections of a worker that may arrive at once. The others wait in the system's queue.
pub const PLACES: usize = 64;
/// How long one may hold others up: who is silent or slow has arrived then too.
pub const LONGEST: Duration = Duration::from_millis(500);

/// The places of a worker.
#[derive(Debug)]
pub struct Arrivals(Arc<Semaphore>);

/// A connection that arrives. It gives its place back with its first message, after [`LONGEST`], or when it ends.
#[derive(Debug, Default)]
pub struct Arrival(Mutex<Option<OwnedSemaphorePermit>>);

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Arrivals {
    /// Waits for a place.
    pub async fn next(&self) -> Arrival {
        let place = self.0.clone().acquire_owned().await.ok();
        Arrival(Mutex::new(place))
    }
}

impl Arrival {
    /// Gives the place to the next connection.
    pub fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Ends it after [`LONGEST`]. To be polled as long as the connection is there.
    pub async fn end_in_time(&self) -> Infallible {
        sleep(LONGEST).await;
        self.end();
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;

    /// How long a connection waits that comes when all places are taken, and what is done `after` some time to one that has a place.
    async fn waits(after: Duration, what: fn(Vec<Arrival>) -> Vec<Arrival>) -> Duration {
        let arrivals = Arrivals::default();
        let mut arriving = Vec::new();
        for _ in 0..PLACES {
            arriving.push(arrivals.next().await);
        }
        let begun = Instant::now();
        let release = async {
            sleep(after).await;
            let kept = what(arriving);
            join_all(kept.iter().map(Arrival::end_in_time)).await
        };
        let next = async {
            arrivals.next().await;
            begun.elapsed()
        };
        tokio::select! {
            waited = next => waited,
            _ = release => unreachable!("an arrival goes on"),
        }
    }

    fn take_a_message(arriving: Vec<Arrival>) -> Vec<Arrival> {
        arriving[7].end();
        arriving
    }

    fn lose_a_connection(mut arriving: Vec<Arrival>) -> Vec<Arrival> {
        arriving.pop();
        arriving
    }

    #[rstest]
    #[case::first_message(take_a_message, 20)]
    #[case::end_of_the_connection(lose_a_connection, 20)]
    #[case::silence(|arriving| arriving, 520)]
    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_after(
        #[case] what: fn(Vec<Arrival>) -> Vec<Arrival>,
        #[case] milliseconds: u128,
    ) {
        let waited = waits(Duration::from_millis(20), what).await;
        assert_eq!(waited.as_millis(), milliseconds);
    }
}
