//! Drops idle series, edges, evidence, calls and strings, so that every bound recovers by itself.
//!
//! Calls, series, evidence and strings have small numbers. Each worker has vectors that are indexed by them and caches identities
//! by them, and the registry finds them by their values. A number may be reused only when no worker can have its old meaning. So
//! time is divided into epochs, and the control task does the following in one pass, six times in the idle time:
//!
//! 1. The registry begins an epoch. From now on it notes which values are asked for in this epoch.
//! 2. Each shard is drained, including those of idle workers. When its drain begins, the shard forgets all numbers: its cached
//!    identities and its series by key; texts forget their symbols by themselves. For whatever it meets later it asks the registry,
//!    which notes that. The drain brings all counts under old numbers.
//! 3. Now no worker has a number that was not asked for in this epoch, and no counts for it are under way. If it has not changed
//!    for the idle time, it is freed in the registry and dropped from the totals. It may be reused at once.
//!
//! Until then a value is found by its content, so no series exists twice, and late counts go where they belong. An entry pays
//! nothing for all this: a drain knows what was touched, and forgetting costs one more lookup of each identity in an epoch.
//!
//! | what | is dropped when nobody has its number and |
//! |---|---|
//! | a series | no drain brought anything for the idle time |
//! | evidence with its examples | the same |
//! | an edge of the page | it has no series, and nothing happened on it within the last hour |
//! | a call | it has no series |
//! | a string | nothing holds its symbol or its text, and nobody asked for it in the epoch before either: names of services are in no table |
//!
//! The overflow series stays. A series that comes back is a new one: it starts from zero, at a new time.

use std::time::Duration;

use super::registry::Registry;
use super::totals::Totals;
use crate::moment::Moment;

/// How many passes there are in one idle time.
const PASSES_PER_IDLE_TIME: u32 = 6;

/// The schedule by which idle things are dropped.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    idle: Duration,
    next: Moment,
}

/// A pass whose epoch has begun.
#[derive(Debug)]
#[must_use = "what is idle goes at the end of the pass"]
pub struct ExpiryPass {
    oldest: Moment,
}

impl Expiry {
    /// A schedule that drops what has been idle for `idle`, at most a sixth of that later.
    pub fn new(idle: Duration, started: Moment) -> Self {
        Expiry {
            idle,
            next: started.plus(idle / PASSES_PER_IDLE_TIME),
        }
    }

    /// Begins a pass if one is due. The caller then drains each shard to its end, and ends the pass.
    pub fn begin(&mut self, registry: &Registry, now: Moment) -> Option<ExpiryPass> {
        let between = self.idle / PASSES_PER_IDLE_TIME;
        // If the clock is set back, the next pass is not delayed by it.
        if now < self.next && self.next.since(now) <= between {
            return None;
        }
        self.next = now.plus(between);
        registry.begin_epoch();
        Some(ExpiryPass {
            oldest: now.minus(self.idle),
        })
    }
}

impl ExpiryPass {
    /// Drops what is idle. Every shard must have been drained since the pass began.
    pub fn end(self, totals: &mut Totals, registry: &Registry) {
        totals.expire(registry, self.oldest);
    }
}
