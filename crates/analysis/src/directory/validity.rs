//! Spans of start times for which an answer holds.

use std::time::Duration;

use crate::moment::Moment;

/// How much earlier than an ownership a call may seem to start, because the clocks of nodes differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// How long the directory remembers who had an address and which name a party had.
pub const OWNERSHIP_RETENTION: Duration = Duration::from_mins(10);

/// A half-open span of start times: from `since`, before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment within the span.
    pub since: Moment,
    /// The first moment after the span.
    pub until: Moment,
}

impl Validity {
    /// The span of all moments.
    pub const ALWAYS: Validity = Validity {
        since: Moment::MIN,
        until: Moment::MAX,
    };

    /// Whether `moment` is within the span.
    pub fn contains(self, moment: Moment) -> bool {
        self.since <= moment && moment < self.until
    }

    /// The moments that are within both spans.
    #[must_use]
    pub fn and(self, other: Validity) -> Validity {
        Validity {
            since: self.since.max(other.since),
            until: self.until.min(other.until),
        }
    }

    /// The part on the side of `edge` where `start` is.
    #[must_use]
    pub fn split_at(mut self, edge: Moment, start: Moment) -> Validity {
        if edge <= start {
            self.since = self.since.max(edge);
        } else {
            self.until = self.until.min(edge);
        }
        self
    }
}
