//! The end of a connection, without loss: when it is old, so that it comes back to whichever replica is next, or when the
//! collector stops.
//!
//! A busy Envoy never ends a stream by itself. Once its stream is answered, it puts what it has not sent on a new one (Envoy
//! `StreamingGrpcAccessLogClient::onRemoteClose`), which GOAWAY keeps from coming on this connection (RFC 9113, 6.8). What it had
//! sent before is on the way, so each stream is answered where a message ends, with status OK, and read on until the client's
//! side has ended.

use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alscope_collector_config::Ending as Bounds;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::answer::Refusal;

/// How long a connection may take to end after its streams were told to.
pub const END_DEADLINE: Duration = Duration::from_secs(5);
/// How long a stream may go on that always has more to read, before it is answered all the same.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long what a connection has left behind may take to be counted: a window's worth at most.
const REST_DEADLINE: Duration = Duration::from_secs(1);
/// The share of its age by which a connection ends sooner or later, so that those that came together do not go together.
const AGE_JITTER: f64 = 0.1;

/// The end of one connection, as its streams see it.
#[derive(Debug)]
pub struct Ending {
    begun: CancellationToken,
    since: OnceLock<Instant>,
    /// Streams that are answered and still read.
    answered: Mutex<JoinSet<()>>,
}

impl Ending {
    /// Of a connection that ends at the latest when the collector is `stopping`.
    pub fn new(stopping: &CancellationToken) -> Arc<Self> {
        Arc::new(Ending {
            begun: stopping.child_token(),
            since: OnceLock::new(),
            answered: Mutex::default(),
        })
    }

    /// Waits until the connection is to end: about when it is of this `age`, or when the collector stops.
    pub async fn at(&self, age: Duration) {
        tokio::select! {
            () = self.begun.cancelled() => {}
            () = sleep(with_jitter(age)) => self.begun.cancel(),
        }
        self.since.get_or_init(Instant::now);
    }

    /// Waits until the connection is to end.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Whether the connection is to end.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Whether it was to end a while ago.
    pub fn is_late(&self) -> bool {
        self.since
            .get()
            .is_some_and(|since| since.elapsed() >= ANSWER_TIMEOUT)
    }

    /// What a stream is answered, once it is read to its end, or once it is `answerable` before: then it is read on beside.
    pub async fn answer(
        &self,
        reading: impl Future<Output = Result<(), Refusal>> + Send + 'static,
        answerable: &Notify,
    ) -> Result<(), Refusal> {
        let mut reading = Box::pin(reading);
        tokio::select! {
            biased;
            result = &mut reading => return result,
            () = answerable.notified() => {}
        }
        self.answered.lock().spawn(async move {
            if let Err(refusal) = reading.await {
                debug!(?refusal, "a stream that was answered did not end well");
            }
        });
        Ok(())
    }

    /// Counts what streams that were answered have left, once the connection is gone.
    pub async fn read_rest(&self) {
        let rest = std::mem::take(&mut *self.answered.lock());
        drop(timeout(REST_DEADLINE, rest.join_all()).await);
    }
}

/// A time near `age`, another one for each connection.
fn with_jitter(age: Duration) -> Duration {
    // Each state has random keys.
    let share = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    age.mul_f64(1.0 - AGE_JITTER + 2.0 * AGE_JITTER * share)
}

/// Waits until proxies are sent elsewhere: nobody tells when, but then no new connection comes. `came` changes with each.
pub async fn until_quiet(mut came: watch::Receiver<()>, bounds: Bounds) {
    came.mark_unchanged();
    let quiet = async { while let Ok(Ok(())) = timeout(bounds.quiet, came.changed()).await {} };
    drop(timeout(bounds.accept, quiet).await);
}

#[cfg(test)]
mod tests;
