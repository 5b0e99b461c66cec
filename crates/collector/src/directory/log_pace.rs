//! Paces log lines about something that may go on for ever: the first one at once,
//! the others at growing intervals.

use std::time::Duration;

use tokio::time::Instant;

/// The time between the first line and the second. It doubles with each line.
const FIRST_INTERVAL: Duration = Duration::from_mins(1);
/// The longest time between two lines. If nothing happens for as long, the next
/// occasion counts as the first.
const MAX_INTERVAL: Duration = Duration::from_hours(1);

/// The pace of one sort of line.
#[derive(Debug, Default)]
pub(super) struct LogPace {
    /// When the next line may be written, and the time that must pass after it.
    next: Option<(Instant, Duration)>,
}

impl LogPace {
    /// Returns whether an occasion at `now` is to be logged.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let interval = match self.next {
            Some((next, _)) if now < next => return false,
            Some((next, interval)) if now < next + MAX_INTERVAL => interval,
            Some(_) | None => FIRST_INTERVAL,
        };
        self.next = Some((now + interval, MAX_INTERVAL.min(2 * interval)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the minutes at which an occasion every ten seconds is logged.
    fn logged(pace: &mut LogPace, from: Instant, minutes: u64) -> Vec<u64> {
        let due = |second: &u64| pace.is_due(from + Duration::from_secs(*second));
        let seconds = (0..minutes * 60).step_by(10).filter(due);
        seconds.map(|second| second / 60).collect()
    }

    #[test]
    fn what_goes_on_is_logged_at_growing_intervals() {
        let minutes = logged(&mut LogPace::default(), Instant::now(), 4 * 60);
        assert_eq!(minutes, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[test]
    fn after_a_quiet_time_the_first_occasion_is_logged_at_once() {
        let (mut pace, start) = (LogPace::default(), Instant::now());
        assert_eq!(logged(&mut pace, start, 6), [0, 1, 3]);
        let soon = start + Duration::from_mins(6);
        assert!(!pace.is_due(soon));
        let later = start + Duration::from_mins(7) + MAX_INTERVAL;
        assert_eq!(logged(&mut pace, later, 6), [0, 1, 3]);
    }
}
