//! Tracks whether a connection is of use. A connection that begins no stream, or has had
//! none for long, is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use super::limits::EndReason;

/// The time within which a connection must begin a stream. An Envoy connects only when
/// it has something to send.
pub const FIRST_STREAM_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be without a stream after its last one ended.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

/// The number of a connection's open streams, and when the last one ended.
#[derive(Debug)]
pub struct Activity {
    open: AtomicUsize,
    has_begun: AtomicBool,
    last_ended: Mutex<Instant>,
}

/// An open stream. It counts as ended when this value is dropped.
#[derive(Debug)]
pub struct Active(Arc<Activity>);

impl Activity {
    /// A new connection, which has no stream yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Activity {
            open: AtomicUsize::new(0),
            has_begun: AtomicBool::new(false),
            last_ended: Mutex::new(Instant::now()),
        })
    }

    /// Begins a stream, so that the connection is not idle.
    pub fn stream(self: &Arc<Self>) -> Active {
        self.has_begun.store(true, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Active(self.clone())
    }

    /// Waits until the connection is of no use, and returns why.
    pub async fn ends(&self) -> EndReason {
        sleep(FIRST_STREAM_TIMEOUT).await;
        if !self.has_begun.load(Ordering::Relaxed) {
            return EndReason::Silent;
        }
        loop {
            let last = *self.last_ended.lock();
            let is_open = self.open.load(Ordering::Relaxed) > 0;
            if !is_open && last.elapsed() >= IDLE_TIMEOUT {
                return EndReason::Idle;
            }
            let since = if is_open { Instant::now() } else { last };
            sleep_until(since + IDLE_TIMEOUT).await;
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        *self.0.last_ended.lock() = Instant::now();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_begins_no_stream_is_ended_soon() {
        let begun = Instant::now();
        assert_eq!(Activity::new().ends().await, EndReason::Silent);
        assert_eq!(begun.elapsed(), FIRST_STREAM_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn one_with_a_stream_is_kept_and_ended_long_after_its_last() {
        let (activity, begun) = (Activity::new(), Instant::now());
        let stream = activity.stream();
        let day = tokio::time::timeout(Duration::from_hours(24), activity.ends());
        assert!(day.await.is_err());
        let ended = async {
            sleep(Duration::from_mins(3)).await;
            drop(stream);
        };
        let (reason, ()) = tokio::join!(activity.ends(), ended);
        let expected = Duration::from_hours(24) + Duration::from_mins(3) + IDLE_TIMEOUT;
        assert_eq!(reason, EndReason::Idle);
        let waited = begun.elapsed();
        assert!(
            waited >= expected && waited <= expected + IDLE_TIMEOUT,
            "{waited:?}"
        );
    }
}
