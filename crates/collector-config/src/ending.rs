//! How long the end of the collector may take, stage by stage.

use std::time::Duration;

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
