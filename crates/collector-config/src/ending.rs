//! `ending`: how long the end of the collector may take, stage by stage.

use std::time::Duration;

use crate::field::{Field, TIME_REMEDY};
use crate::setting::{Setting, setting};

/// Bounds of the stages that wait for others: for proxies to be sent elsewhere, and for the last scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How long no new connection must have come until proxies are taken to be sent elsewhere.
    pub quiet: Duration,
    /// How long connections are accepted at most while new ones still come.
    pub accept: Duration,
    /// How long the metrics stay at most for a scrape of what was counted last; only if they were scraped before.
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

/// The keys of the block `ending`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "ending.quiet",
        Field::Time(|config| &mut config.ending.quiet, Duration::ZERO, TIME_REMEDY),
        "At the end: how long no new connection must have come until the proxies are taken to be sent elsewhere, and their streams are ended.",
    ),
    setting(
        "ending.accept",
        Field::Time(|config| &mut config.ending.accept, Duration::ZERO, TIME_REMEDY),
        "At the end: how long connections are accepted at most while new ones still come.",
    ),
    setting(
        "ending.scrape",
        Field::Time(|config| &mut config.ending.scrape, Duration::ZERO, TIME_REMEDY),
        "At the end: how long the metrics stay at most, so that what was counted last is scraped once. Not shorter than the interval of the scrapes; nobody is waited for if nobody ever scraped.",
    ),
];
