//! The only place that reads the wall clock. All other code gets the time as an argument.

use alscope_analysis::moment::Moment;

/// Returns the current time, in microseconds since the Unix epoch.
pub fn now() -> Moment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let now = std::time::SystemTime::now();
    let since_epoch = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
