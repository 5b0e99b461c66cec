//! A point in time. The rules compare moments; they never read a clock.

use std::time::Duration;

use als_proto::Timestamp;

/// Nanoseconds since the Unix epoch. The range is from 1677 to 2262; arithmetic saturates at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// The start of an ownership whose start is not known.
    pub const MIN: Moment = Moment(i64::MIN);
    /// The end of an ownership that has not ended.
    pub const MAX: Moment = Moment(i64::MAX);

    /// The moment `seconds` and `nanoseconds` after the Unix epoch.
    pub fn from_unix(seconds: i64, nanoseconds: i64) -> Self {
        Moment(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    /// This moment, earlier by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Moment(
            self.0
                .saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment, later by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Moment(
            self.0
                .saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Moment::from_unix(timestamp.seconds, i64::from(timestamp.nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_the_range_stops_at_its_end() {
        assert_eq!(Moment::from_unix(i64::MAX, 0), Moment::MAX);
        assert_eq!(Moment::MIN.minus(Duration::from_secs(5)), Moment::MIN);
        assert_eq!(
            Moment::from_unix(2, 5).minus(Duration::from_secs(1)),
            Moment(1_000_000_005)
        );
        assert_eq!(Moment(10).since(Moment(4)), Duration::from_nanos(6));
        assert_eq!(Moment(4).since(Moment(10)), Duration::ZERO);
    }
}
