//! Limits how many entries of a kind are kept in a minute: `SkyWalking`'s rate limit of its log rules. A kind is the reporting proxy's
//! service with the flags, or with the response code when there is no flag, and with the reason, so that slow and sampled
//! entries take nothing from errors.
//!
//! All workers share the counts. A worker remembers which kinds are over the rate in this minute, so that only kept entries, and
//! the first one that is not, take the lock.

use parking_lot::Mutex;

use als_proto::ResponseFlags;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use crate::accounting::KeepReason;
use crate::analyze::outcome::Outcome;
use crate::interner::Symbol;
use crate::moment::Moment;

/// How many kinds are counted in a minute; all further ones are one kind.
const MAX_RATE_KEYS: usize = 10_000;

const NANOSECONDS_PER_MINUTE: i64 = 60_000_000_000;

/// The kind of an entry: entries of one kind share a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateKey {
    service: Symbol,
    reason: KeepReason,
    sign: FlagsOrCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FlagsOrCode {
    Flags(ResponseFlags),
    Code(u32),
}

impl RateKey {
    /// The kind of all entries for whose own kind there is no room.
    const OVERFLOW: RateKey = RateKey {
        service: Symbol::OVERFLOW,
        reason: KeepReason::Error,
        sign: FlagsOrCode::Code(0),
    };

    /// The kind of a service's entries with this outcome.
    #[inline]
    pub fn new(service: Symbol, reason: KeepReason, outcome: Outcome) -> Self {
        let sign = if outcome.flags.is_empty() {
            FlagsOrCode::Code(outcome.code)
        } else {
            FlagsOrCode::Flags(outcome.flags)
        };
        RateKey {
            service,
            reason,
            sign,
        }
    }
}

/// The counts of all workers.
#[derive(Debug)]
pub struct EntryRate {
    per_minute: usize,
    minute: Mutex<MinuteCounts>,
}

#[derive(Debug, Default)]
struct MinuteCounts {
    number: i64,
    kept: HashMap<RateKey, usize, RandomState>,
}

impl EntryRate {
    /// Admits at most `per_minute` entries of each kind in a minute.
    pub fn new(per_minute: usize) -> Self {
        EntryRate {
            per_minute,
            minute: Mutex::default(),
        }
    }

    fn admits(&self, kind: RateKey, number: i64) -> bool {
        let mut minute = self.minute.lock();
        // A worker that is slightly late counts in the minute that has begun.
        if number > minute.number || number < minute.number - 1 {
            minute.number = number;
            minute.kept.clear();
        }
        let has_room = minute.kept.len() < MAX_RATE_KEYS || minute.kept.contains_key(&kind);
        let kept = minute
            .kept
            .entry(if has_room { kind } else { RateKey::OVERFLOW })
            .or_default();
        let is_admitted = *kept < self.per_minute;
        *kept += usize::from(is_admitted);
        is_admitted
    }
}

/// The kinds that a worker knows to be over the rate in this minute.
#[derive(Debug, Default)]
pub struct WorkerRate {
    number: i64,
    over: HashSet<RateKey, RandomState>,
}

impl WorkerRate {
    /// Forgets which kinds are over the rate, so that the shared count is asked again.
    pub fn forget(&mut self) {
        self.over.clear();
    }

    /// Whether one more entry of `kind`, received at `received`, is within the rate. If so, it is counted.
    #[inline]
    pub fn admits(&mut self, rate: &EntryRate, kind: RateKey, received: Moment) -> bool {
        let number = received.0.div_euclid(NANOSECONDS_PER_MINUTE);
        if number != self.number {
            self.number = number;
            self.over.clear();
        }
        if self.over.contains(&kind) {
            return false;
        }
        let is_admitted = rate.admits(kind, number);
        if !is_admitted && self.over.len() < MAX_RATE_KEYS {
            self.over.insert(kind);
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests;
