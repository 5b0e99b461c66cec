//! The metrics that Envoys report about themselves (Envoy's `MetricsService`). The latest values of each
//! proxy are kept within bounds, and shown beside the collector's own metrics.
//!
//! Input: identifiers and messages, with the times at which they came. Output: the known proxies with their
//! labels, their values, and the number of entries received from them. [`identity`], [`names`] and
//! [`latest`] are pure. This module holds the locks: one for the list of proxies and one for each proxy's
//! values, never two at a time and never across an await.

pub mod identity;
pub mod latest;
pub mod names;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use als_proto::{Identifier, Malformed, MetricsMessage};
use alscope_analysis::moment::Moment;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::clock;
use identity::Identity;
use latest::{Latest, RETENTION, SampleBudget};

/// The time between two searches for values and proxies to forget.
const FORGET_INTERVAL: Duration = Duration::from_secs(30);

/// Upper bounds for what is kept of Envoys' metrics.
#[derive(Clone, Copy, Debug)]
pub struct MetricBounds {
    /// How many proxies are told apart.
    pub proxies: usize,
    /// Lines of the exposition over all proxies. A histogram has one line for each bucket, and three more.
    pub samples: usize,
    /// Lines of the exposition for one proxy, so that a proxy which reports
    /// everything leaves room for others.
    pub samples_per_proxy: usize,
    /// Bytes of the name and labels of one series, and bytes of the labels of one proxy.
    pub series_bytes: usize,
}

impl Default for MetricBounds {
    fn default() -> Self {
        MetricBounds {
            proxies: 4096,
            samples: 50_000,
            samples_per_proxy: 2_000,
            series_bytes: 1024,
        }
    }
}

/// The bounds that keep a metric out, which label the count of metrics that were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The proxy is one too many ([`MetricBounds::proxies`]), or its
    /// labels are too long ([`MetricBounds::series_bytes`]).
    Proxies = 0,
    /// The proxy is known, but it or all proxies have too many lines ([`MetricBounds::samples`],
    /// [`MetricBounds::samples_per_proxy`]).
    Samples = 1,
    /// The series' name and labels are too long ([`MetricBounds::series_bytes`]).
    LabelBytes = 2,
}

impl Overflow {
    /// Every bound, in the order of the counters.
    pub const ALL: [Overflow; 3] = [Overflow::Proxies, Overflow::Samples, Overflow::LabelBytes];

    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Overflow::Proxies => "proxies",
            Overflow::Samples => "samples",
            Overflow::LabelBytes => "label-bytes",
        }
    }
}

/// All proxies that have a stream, or had one until a while ago.
#[derive(Debug)]
pub struct Proxies {
    bounds: MetricBounds,
    samples: SampleBudget,
    overflowed: [AtomicU64; Overflow::ALL.len()],
    known: Mutex<HashMap<Box<str>, KnownProxy>>,
}

#[derive(Debug)]
struct KnownProxy {
    proxy: Arc<Proxy>,
    /// When the proxy last had a stream.
    seen: Moment,
}

/// A proxy that reports metrics or sends entries. Each of its streams holds a reference to it.
#[derive(Debug)]
pub struct Proxy {
    /// The proxy's labels, rendered for the exposition.
    pub identity: Identity,
    received: AtomicU64,
    /// The latest values. `None` for a proxy beyond the bounds, of which nothing is shown.
    latest: Option<Mutex<Latest>>,
}

impl Proxy {
    fn new(identity: Identity, is_kept: bool) -> Arc<Self> {
        Arc::new(Proxy {
            identity,
            received: AtomicU64::new(0),
            latest: is_kept.then(Mutex::default),
        })
    }

    /// Adds to the number of access-log entries that were received from the proxy.
    pub fn add_received(&self, entries: usize) {
        self.received.fetch_add(entries as u64, Ordering::Relaxed);
    }

    /// How many access-log entries were received from the proxy.
    pub fn entries_received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Locks and returns the latest values, if any are kept.
    pub fn latest(&self) -> Option<MutexGuard<'_, Latest>> {
        let latest = self.latest.as_ref()?;
        Some(latest.lock())
    }
}

impl Default for Proxies {
    fn default() -> Self {
        Self::new(MetricBounds::default())
    }
}

impl Proxies {
    /// An empty list of proxies.
    pub fn new(bounds: MetricBounds) -> Self {
        Proxies {
            bounds,
            samples: SampleBudget::new(bounds.samples),
            overflowed: Default::default(),
            known: Mutex::default(),
        }
    }

    /// Returns the proxy that an identifier names, and adds it if it is new. All streams
    /// of a proxy share it.
    pub fn proxy(&self, identifier: &Identifier<'_>, now: Moment) -> Result<Arc<Proxy>, Malformed> {
        let identity = Identity::read(identifier)?;
        let mut known = self.known.lock();
        if let Some(known) = known.get_mut(&identity.key) {
            known.seen = now;
            return Ok(known.proxy.clone());
        }
        let bytes = identity.key.len() + identity.service.len();
        let is_kept = known.len() < self.bounds.proxies && bytes <= self.bounds.series_bytes;
        // A proxy that is not shown needs no labels, which may be as long as a message.
        let proxy = Proxy::new(if is_kept { identity } else { Identity::default() }, is_kept);
        if is_kept {
            let key = proxy.identity.key.clone();
            let proxy = proxy.clone();
            known.insert(key, KnownProxy { proxy, seen: now });
        }
        Ok(proxy)
    }

    /// Keeps the metrics that `proxy` reported at `now`.
    pub fn report(&self, proxy: &Proxy, message: &MetricsMessage<'_>, now: Moment) -> Result<(), Malformed> {
        let Some(mut latest) = proxy.latest() else {
            for family in message.families() {
                self.overflow(Overflow::Proxies, family?.metrics().count() as u64);
            }
            return Ok(());
        };
        let (overflowed, read) = latest.report(message, now, &self.bounds, &self.samples);
        self.overflow(Overflow::Samples, overflowed.samples);
        self.overflow(Overflow::LabelBytes, overflowed.labels);
        read
    }

    fn overflow(&self, bound: Overflow, metrics: u64) {
        if let Some(counter) = self.overflowed.get(bound as usize) {
            counter.fetch_add(metrics, Ordering::Relaxed);
        }
    }

    /// How many metrics were not kept because `bound` was reached.
    pub fn overflowed(&self, bound: Overflow) -> u64 {
        let counter = self.overflowed.get(bound as usize);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Returns the known proxies in the order of their labels.
    pub fn all(&self) -> Vec<Arc<Proxy>> {
        let mut proxies: Vec<_> = self
            .known
            .lock()
            .values()
            .map(|known| known.proxy.clone())
            .collect();
        proxies.sort_by(|one, other| one.identity.key.cmp(&other.identity.key));
        proxies
    }

    /// Forgets values that were last reported longer ago than [`latest::RETENTION`], and proxies whose last
    /// stream ended as long ago.
    pub fn expire(&self, now: Moment) {
        for proxy in self.all() {
            if let Some(mut latest) = proxy.latest() {
                latest.expire(now, &self.samples);
            }
        }
        let mut gone = Vec::new();
        self.known.lock().retain(|_, known| {
            // A reader that lists the proxies at this moment holds one, too. That one is forgotten the next
            // time.
            if Arc::strong_count(&known.proxy) > 1 {
                known.seen = now;
            }
            let is_kept = now.since(known.seen) <= RETENTION;
            if !is_kept {
                gone.push(known.proxy.clone());
            }
            is_kept
        });
        for proxy in gone {
            if let Some(mut latest) = proxy.latest() {
                latest.expire(Moment::MAX, &self.samples);
            }
        }
    }

    /// Forgets old values and proxies now and then, until `stopping`.
    pub async fn forget(self: Arc<Self>, stopping: CancellationToken) {
        let mut ticks = interval(FORGET_INTERVAL);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                _ = ticks.tick() => self.expire(clock::now()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
