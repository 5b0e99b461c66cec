//! The only reader of the wall clock.

use jiff::Timestamp;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "everything else gets the time as an argument"
)]
pub fn now() -> Timestamp {
    // A clock before the year 1 or after 9999 is no clock.
    Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
