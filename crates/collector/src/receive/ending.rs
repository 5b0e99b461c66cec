//! Ends a connection without loss: when it is old, so that it comes back to whichever replica is next,
//! or when the collector stops.
//!
//! A busy Envoy never ends a stream by itself. Once its stream is answered, it puts what it has not sent on
//! a new one (Envoy `StreamingGrpcAccessLogClient::onRemoteClose`). GOAWAY keeps the new stream from coming
//! on this connection (RFC 9113, 6.8). Whatever Envoy sent before is still on the way. So each stream is
//! answered between two messages, with status OK, and is read on until the client ends its side.

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
/// How long to wait for a stream that always has more to read. It is answered after that, even in
/// the middle of a message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it may take to count what a connection has left behind, which is one window at most.
const REST_DEADLINE: Duration = Duration::from_secs(1);
/// The share of a connection's age by which it ends sooner or later, so that connections which came
/// together do not end together.
const AGE_JITTER: f64 = 0.1;

/// The end of one connection, shared by its streams.
#[derive(Debug)]
pub struct Ending {
    begun: CancellationToken,
    since: OnceLock<Instant>,
    /// The streams that are answered and still read.
    answered: Mutex<JoinSet<()>>,
}

impl Ending {
    /// Creates the end of a connection, which begins when `stopping` is cancelled, if not before.
    pub fn new(stopping: &CancellationToken) -> Arc<Self> {
        Arc::new(Ending {
            begun: stopping.child_token(),
            since: OnceLock::new(),
            answered: Mutex::default(),
        })
    }

    /// Waits until the connection is to end: at about this `age`, or when the collector stops.
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

    /// Returns whether the connection is to end.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns whether the connection was to end more than one second ago.
    pub fn is_late(&self) -> bool {
        self.since
            .get()
            .is_some_and(|since| since.elapsed() >= ANSWER_TIMEOUT)
    }

    /// Returns the answer of a stream once it is read to its end. If the stream is `answerable` before
    /// that, its answer comes at once, and it is read on in the background.
    pub async fn answer(
        &self,
        reading: impl Future<Output = Result<(), Refusal>> + Send + 'static,
        answerable: &Notify,
    ) -> Result<(), Refusal> {
        let mut reading = Box::pin(reading);
        tokio::select! {
            // A stream that has ended gets the answer of its own end, even if it was answerable before.
            biased;
            result = &mut reading => return result,
            () = answerable.notified() => {}
        }
        self.answered.lock().spawn(async move {
            if let Err(refusal) = reading.await {
                debug!(?refusal, "a stream ended with an error after it was answered");
            }
        });
        Ok(())
    }

    /// Reads the rest of the answered streams once the connection is gone.
    pub async fn read_rest(&self) {
        let rest = std::mem::take(&mut *self.answered.lock());
        drop(timeout(REST_DEADLINE, rest.join_all()).await);
    }
}

/// Returns a time near `age`, a different one for each connection.
fn with_jitter(age: Duration) -> Duration {
    // `RandomState` has random keys, so hashing a constant gives a random number without a further crate.
    let share = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    age.mul_f64(1.0 - AGE_JITTER + 2.0 * AGE_JITTER * share)
}

/// Waits until proxies connect elsewhere. Nobody announces that, but no new connection comes then. `came`
/// changes with each new connection.
pub async fn until_quiet(mut came: watch::Receiver<()>, bounds: Bounds) {
    came.mark_unchanged();
    let quiet = async { while let Ok(Ok(())) = timeout(bounds.quiet, came.changed()).await {} };
    drop(timeout(bounds.accept, quiet).await);
}

#[cfg(test)]
mod tests;
