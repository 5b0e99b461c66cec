//! When something is tried again.

use std::time::Duration;

/// The pause until the next pass while something is not as it should be.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The pause after another writer was faster.
pub(super) const CONFLICT_RETRY_DELAY: Duration = Duration::from_millis(500);
/// The longest pause after failed writes.
pub(super) const MAX_RETRY_DELAY: Duration = Duration::from_mins(5);
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The pause after this many failures and one more: it doubles with each failure.
pub(super) fn retry_delay(failures: u32) -> Duration {
    (MIN_RETRY_DELAY * 2_u32.saturating_pow(failures.min(16))).min(MAX_RETRY_DELAY)
}
