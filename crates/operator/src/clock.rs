//! The only reader of the wall clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A source of the time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The wall clock of the machine.
    Wall,
    /// A start time, plus what has passed since by tokio's clock, which a test may pause.
    Counted {
        /// The time at the instant `since`.
        from: Timestamp,
        /// The instant of the start.
        since: Instant,
    },
}

impl Clock {
    /// The current time.
    #[expect(
        clippy::disallowed_methods,
        reason = "everything else gets the time as an argument"
    )]
    pub fn now(self) -> Timestamp {
        match self {
            // A clock before the year 1 or after 9999 is no clock.
            Self::Wall => Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH),
            Self::Counted { from, since } => {
                let passed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
                from.saturating_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_counted_clock_goes_with_tokios() {
        let clock = Clock::Counted {
            from: Timestamp::constant(1_800_000_000, 0),
            since: Instant::now(),
        };
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now(), Timestamp::constant(1_800_000_001, 500_000_000));
    }
}
