//! Who may ask for the page, and how long waits may take.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::{TIME, Values};
use crate::{ConfigError, Ending};

/// As good as never; a longer time is a slip of the hand.
const LONGEST_TIME: Duration = Duration::from_hours(365 * 24);

impl Values<'_> {
    pub(super) fn web_hosts(&self) -> Result<Vec<String>, ConfigError> {
        let remedy = "write a host without scheme, port and path, as in alscope.example.com or 10.0.0.7";
        self.list("web.hosts", remedy, |text| {
            let host = text
                .trim_start_matches('[')
                .trim_end_matches(']')
                .trim_end_matches('.');
            let is_name = !host.is_empty()
                && host
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
            (is_name || host.parse::<Ipv6Addr>().is_ok()).then(|| host.to_ascii_lowercase())
        })
    }

    pub(super) fn ending(&self) -> Result<Ending, ConfigError> {
        let default = Ending::default();
        let time = |key, default| self.time(key, default, (Duration::ZERO, TIME));
        Ok(Ending {
            quiet: time("ending.quiet", default.quiet)?,
            accept: time("ending.accept", default.accept)?,
            scrape: time("ending.scrape", default.scrape)?,
        })
    }

    /// A time, not shorter than `least`, as `remedy` says.
    pub(super) fn time(
        &self,
        key: &str,
        default: Duration,
        (least, remedy): (Duration, &'static str),
    ) -> Result<Duration, ConfigError> {
        self.parsed(key, default, remedy, |text| {
            let time = text.parse::<jiff::SignedDuration>().ok()?;
            let time = Duration::try_from(time).ok()?;
            (least..=LONGEST_TIME).contains(&time).then_some(time)
        })
    }
}
