//! Applies changes to the directory's state. Publishes a version when an answer changed,
//! at most every 50 ms.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::{ObjectKey, ObjectKind, Record};
use alscope_analysis::directory::state::DirectoryState;
use alscope_analysis::moment::Moment;
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// The shortest time between two versions.
const MIN_PUBLISH_INTERVAL: Duration = Duration::from_millis(50);
/// The time between two searches for ended ownerships that can be forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(30);
/// How many changes are applied together.
const MAX_CHANGES_AT_ONCE: usize = 1024;

/// A change that a source reports.
#[derive(Clone, Debug)]
pub enum Change {
    /// A complete list of a kind begins.
    BeginList(ObjectKind),
    /// An object was added, or has changed.
    Apply(Box<Record>),
    /// An object is there but can't be decoded. The directory keeps its record of it.
    Keep(ObjectKey),
    /// An object was deleted, so its addresses belong to nobody.
    Delete(ObjectKey),
    /// The list of a kind is complete, so objects that it did not name are deleted.
    EndList(ObjectKind),
}

/// Applies changes to `state` until the source ends or `stopping`. `synced` becomes true with the first
/// version that has all kinds.
pub async fn publish(
    mut state: DirectoryState,
    mut changes: mpsc::Receiver<Change>,
    published: Arc<ArcSwap<Directory>>,
    synced: watch::Sender<bool>,
    stopping: CancellationToken,
) {
    let mut listed = HashSet::new();
    let mut batch = Vec::with_capacity(MAX_CHANGES_AT_ONCE);
    let mut forget = interval(FORGET_INTERVAL);
    forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            _ = forget.tick() => state.forget(clock::now()),
            taken = changes.recv_many(&mut batch, MAX_CHANGES_AT_ONCE) => {
                if taken == 0 {
                    return;
                }
                let now = clock::now();
                batch.drain(..).for_each(|change| apply(&mut state, &mut listed, change, now));
                sleep_until(next).await;
            }
        }
        // Changes that came in during the wait go into the same version.
        while let Ok(change) = changes.try_recv() {
            apply(&mut state, &mut listed, change, clock::now());
        }
        if let Some(directory) = state.publish() {
            published.store(Arc::new(directory));
            next = Instant::now() + MIN_PUBLISH_INTERVAL;
        }
        if listed.len() == ObjectKind::ALL.len() {
            synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        }
    }
}

fn apply(state: &mut DirectoryState, listed: &mut HashSet<ObjectKind>, change: Change, now: Moment) {
    match change {
        Change::BeginList(kind) => state.begin_list(kind),
        Change::Apply(record) => state.apply(*record, now),
        Change::Keep(key) => state.keep(&key),
        Change::Delete(key) => state.delete(&key, now),
        Change::EndList(kind) => {
            state.end_list(kind, now);
            listed.insert(kind);
        }
    }
}
