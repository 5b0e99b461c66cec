//! Limits the log to a number of lines that a reader can use, for each place in the code that
//! logs. A client's behaviour may be logged, by this program or by a library, but no client can
//! fill a disk with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// How many lines one place may log within [`LINES_INTERVAL`].
const MAX_LINES: u32 = 20;
/// The interval in which lines are counted.
const LINES_INTERVAL: Duration = Duration::from_mins(1);

static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// How many lines were left out since the process started.
pub fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// A log filter that lets 20 lines of one place through in a minute and counts the others. Lines at the
/// levels debug and trace are not limited, because whoever turns them on wants all of them.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<HashMap<Identifier, Lines>>);

#[derive(Debug)]
struct Lines {
    since: Instant,
    count: u32,
}

impl LogLimit {
    fn lets_through(&self, place: Identifier, now: Instant) -> bool {
        let mut places = self.0.lock();
        let lines = places.entry(place).or_insert(Lines { since: now, count: 0 });
        if now.duration_since(lines.since) >= LINES_INTERVAL {
            *lines = Lines { since: now, count: 0 };
        }
        lines.count = lines.count.saturating_add(1);
        lines.count <= MAX_LINES
    }
}

impl<S> Filter<S> for LogLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let is_let =
            *metadata.level() > Level::INFO || self.lets_through(metadata.callsite(), Instant::now());
        if !is_let {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        is_let
    }
}

#[cfg(test)]
mod tests {
    use alscope_test_log::Log;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn of_one_place_twenty_lines_are_written_and_the_others_counted() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(LogLimit::default()));
        let before = left_out();
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..100 {
                tracing::warn!(number, "a client did it again");
                tracing::debug!(number, "in detail");
            }
            tracing::warn!("of another place");
        });
        let lines = |part| log.lines_with(part).len();
        let all = ["a client did it again", "in detail", "of another place"];
        assert_eq!(all.map(lines), [20, 100, 1]);
        assert_eq!(left_out() - before, 80);
    }

    struct Place;

    impl tracing::Callsite for Place {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("only its identity counts")
        }
    }

    #[test]
    fn after_a_minute_a_place_may_write_again() {
        let (limit, begin) = (LogLimit::default(), Instant::now());
        let through = |at: Duration| {
            let lines = (0..50).filter(|_| limit.lets_through(Identifier(&Place), begin + at));
            lines.count()
        };
        assert_eq!(through(Duration::ZERO), 20);
        assert_eq!(through(LINES_INTERVAL / 2), 0);
        assert_eq!(through(LINES_INTERVAL), 20);
    }
}
