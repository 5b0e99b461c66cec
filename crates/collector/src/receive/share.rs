//! A share of the room for unfinished messages. A connection, a client's address and all
//! clients together each have one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// The size of one permit in bytes. Larger units let a budget of gigabytes fit a semaphore.
const UNIT_BYTES: usize = 1024;
/// How long a waiting message gives the one that was asked to give way, before it asks the next one.
const NEXT_REQUEST_DELAY: Duration = Duration::from_millis(10);

/// A share: how much of it is free, how many messages wait for it, and which may give way.
#[derive(Debug)]
pub struct Share {
    units: u32,
    room: Semaphore,
    waiting: AtomicUsize,
    /// Messages that may give way wait here. The one that has waited longest is asked first.
    wanted: Notify,
}

/// Counts one waiting message until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    /// Creates a share of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(most).clamp(1, most);
        Share {
            units,
            room: Semaphore::new(units as usize),
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
        }
    }

    /// Converts bytes to units. A size above the whole share takes all of it.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).map_or(self.units, |units| units.min(self.units))
    }

    /// Raises `held` to at least `bytes` of this share. It waits for them, and asks
    /// messages that may give way.
    pub async fn grow<'a>(&'a self, held: &mut Option<SemaphorePermit<'a>>, bytes: usize) {
        let has = held.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = self
            .units(bytes)
            .saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
        if more == 0 {
            return;
        }
        let Some(permit) = self.take(more).await else {
            return;
        };
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
    }

    /// Takes this many units. The result is never `None`, because nobody closes the semaphore.
    async fn take(&self, units: u32) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.room.try_acquire_many(units) {
            return Some(permit);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let taken = self.room.acquire_many(units);
        tokio::pin!(taken);
        // The message that gives way may hold too little, so the next one is asked after a while.
        loop {
            self.wanted.notify_one();
            if let Ok(taken) = timeout(NEXT_REQUEST_DELAY, &mut taken).await {
                return taken.ok();
            }
        }
    }

    /// Returns whether more than an eighth of the share is taken.
    pub fn is_much_taken(&self) -> bool {
        let units = self.units as usize;
        self.room.available_permits() < units - units / 8
    }

    /// Completes when a message waits for room and asks this one to give way.
    pub async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            // The message that asked may have found room meanwhile.
            if self.waiting.load(Ordering::Relaxed) > 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_room_is_given_back() {
        let share = Share::new(4096);
        let (mut first, mut second) = (None, None);
        share.grow(&mut first, 3000).await;
        {
            let waiting = share.grow(&mut second, 3000);
            tokio::pin!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            drop(first);
            assert!(futures::poll!(&mut waiting).is_ready());
        }
        assert_eq!(second.map(|held| held.num_permits()), Some(3));
    }

    #[tokio::test]
    async fn what_is_larger_than_all_room_takes_all_of_it() {
        let share = Share::new(4096);
        let mut held = None;
        share.grow(&mut held, 1 << 20).await;
        assert_eq!(held.map(|held| held.num_permits()), Some(4));
    }

    #[tokio::test]
    async fn what_is_held_grows_by_what_is_missing() {
        let share = Share::new(4096);
        let mut held = None;
        for (bytes, units) in [(1, 1), (1025, 2), (100, 2), (2049, 3)] {
            share.grow(&mut held, bytes).await;
            assert_eq!(held.as_ref().map(SemaphorePermit::num_permits), Some(units));
        }
        assert_eq!(share.room.available_permits(), 1);
        assert!(share.is_much_taken());
        drop(held);
        assert!(!share.is_much_taken());
    }

    #[tokio::test(start_paused = true)]
    async fn only_while_somebody_waits_another_is_asked_to_give_way() {
        let share = Share::new(1024);
        let mut held = None;
        share.grow(&mut held, 1).await;
        let mut other = None;
        assert!(
            timeout(NEXT_REQUEST_DELAY, share.grow(&mut other, 1))
                .await
                .is_err()
        );
        assert!(timeout(NEXT_REQUEST_DELAY, share.wanted()).await.is_err());
        let waiting = share
            .grow(&mut other, 1)
            .map(|()| unreachable!("nobody gives room back"));
        tokio::select! {
            () = waiting => {}
            () = share.wanted() => {}
        }
    }
}
