//! `ending`: how long each stage of the collector's shutdown may take.

use std::time::Duration;

use crate::field::{Field, TIME_REMEDY};
use crate::setting::{Setting, setting};

/// Upper bounds for the stages of the shutdown that wait for others: for proxies to go elsewhere,
/// and for the last scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The time without a new connection after which the collector assumes that proxies connect elsewhere.
    pub quiet: Duration,
    /// The longest time for which the collector accepts connections while new ones still come.
    pub accept: Duration,
    /// The longest time for which the metrics stay available for a last scrape. It counts only
    /// if they were scraped before.
    pub scrape: Duration,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(5),
            accept: Duration::from_secs(15),
            scrape: Duration::from_secs(20),
        }
    }
}

/// The keys of the block `ending`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "ending.quiet",
        Field::Time(|config| &mut config.ending.quiet, Duration::ZERO, TIME_REMEDY),
        "At shutdown, the collector ends its streams when no new connection has come for this long: the proxies then connect elsewhere.",
    ),
    setting(
        "ending.accept",
        Field::Time(|config| &mut config.ending.accept, Duration::ZERO, TIME_REMEDY),
        "At shutdown, the longest time for which the collector accepts connections while new ones still come.",
    ),
    setting(
        "ending.scrape",
        Field::Time(|config| &mut config.ending.scrape, Duration::ZERO, TIME_REMEDY),
        "At shutdown, the longest time for which the metrics stay available, so that the last counts are scraped once. Set it to at least the scrape interval. The collector does not wait if its metrics were never scraped.",
    ),
];
