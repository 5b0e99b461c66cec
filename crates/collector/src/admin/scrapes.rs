//! Tracks the scrapes of the metrics, so that the collector does not end before
//! the last counts are scraped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The progress of the scrapes so far.
#[derive(Debug, Default)]
pub struct Scrapes(watch::Sender<Progress>);

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Whether a scrape has been read to its end.
    has_begun: bool,
    /// Whether the last snapshot is published, so that counts no longer change.
    is_final: bool,
    /// Whether a scrape of the last snapshot has been read to its end.
    has_ended: bool,
}

/// A scrape that is being read.
#[derive(Debug)]
pub struct Scrape {
    scrapes: Arc<Scrapes>,
    is_final: bool,
}

impl Scrapes {
    /// Begins a scrape of the snapshot that is published now.
    pub fn begin(self: &Arc<Self>) -> Scrape {
        Scrape {
            scrapes: self.clone(),
            is_final: self.0.borrow().is_final,
        }
    }

    /// Waits until the last snapshot has been scraped, for at most `most`. Returns at once if nobody ever
    /// scraped. Call it once the last snapshot is published.
    pub async fn last(&self, most: Duration) {
        self.0.send_modify(|progress| progress.is_final = true);
        let mut progress = self.0.subscribe();
        if progress.borrow().has_begun {
            let ended = progress.wait_for(|progress| progress.has_ended);
            drop(timeout(most, ended).await);
        }
    }
}

impl Scrape {
    /// Notes that the scrape was read to its end.
    pub fn end(self) {
        self.scrapes.0.send_modify(|progress| {
            progress.has_begun = true;
            progress.has_ended |= self.is_final;
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::Instant;

    use super::*;

    const MOST: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_who_never_scraped() {
        let scrapes = Arc::new(Scrapes::default());
        drop(scrapes.begin());
        let begin = Instant::now();
        scrapes.last(MOST).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_that_does_not_come_is_waited_for_so_long() {
        let scrapes = Arc::new(Scrapes::default());
        scrapes.begin().end();
        let begin = Instant::now();
        scrapes.last(MOST).await;
        assert_eq!(begin.elapsed(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_scrape_that_began_after_the_last_count_and_was_read_is_the_last() {
        let scrapes = Arc::new(Scrapes::default());
        scrapes.begin().end();
        let early = scrapes.begin();
        let mut last = Box::pin(scrapes.last(MOST));
        assert_eq!(last.as_mut().now_or_never(), None);
        early.end();
        drop(scrapes.begin());
        assert_eq!(last.as_mut().now_or_never(), None);
        scrapes.begin().end();
        assert_eq!(last.now_or_never(), Some(()));
    }
}
