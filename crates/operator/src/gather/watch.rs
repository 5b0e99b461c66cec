//! One watch: stores its events, and tracks its state.

mod state;
mod watched_resource;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alscope_plan::world::{ObjectName, ReadError};
use futures::{Stream, StreamExt as _};
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

pub(super) use state::WatchState;
pub(super) use watched_resource::{MissingKind, WatchedResource};

/// The pause after the API server refused or failed; it doubles from the first to the second. kube has such pauses, too, but starts
/// again with each list. A right that was just granted takes effect a moment later.
const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// How long a watch that was refused must stay open until it counts as established, because the start of a watch brings no event.
const WATCH_PROBATION: Duration = Duration::from_secs(5);
/// How long the API server may take for a page of a list.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long objects stay known while the API server neither lists nor accepts a watch.
const STALE_AFTER: Duration = Duration::from_mins(1);
/// Everything is listed again after this time, and up to the jitter more, because nothing else makes good for a lost event. The jitter
/// keeps the kinds from being listed all at once.
const RELIST_INTERVAL: Duration = Duration::from_mins(8);
const RELIST_JITTER: Duration = Duration::from_mins(4);

const LIST: &str = "list";
const WATCH: &str = "watch";

/// A watch, and the store for its objects.
pub(super) struct Watch<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    pub(super) objects: Writer<DeserializeGuard<K>>,
    pub(super) subject: WatchedResource,
    pub(super) state: Arc<Mutex<WatchState>>,
    /// Notified when objects or the state change.
    pub(super) changed: Arc<Notify>,
    /// Since when the API server neither lists nor accepts the watch.
    pub(super) unreachable_since: Option<Instant>,
    /// The objects that can't be decoded and that the log has named, each with its fault.
    pub(super) undecodable: BTreeMap<ObjectName, String>,
    /// The objects that a list has shown, while it is being read.
    pub(super) listed: BTreeSet<ObjectName>,
}

/// How far the current connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The list is being read.
    Listing,
    /// The watch was refused before, and has started now.
    Unproven,
    /// The watch is established.
    Established,
}

/// How a watch goes on after a fault.
enum Recovery {
    /// The same stream goes on where it was.
    Resume,
    /// Everything is listed again.
    Relist,
}

/// Pauses that double until a list or watch succeeds.
struct Backoff(Duration);

impl Backoff {
    fn reset(&mut self) {
        self.0 = MIN_BACKOFF;
    }

    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = MAX_BACKOFF.min(2 * self.0);
    }
}

impl<K: Resource + Clone + 'static> Watch<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// Follows the streams that `events` starts, one after the other.
    pub(super) async fn run<S>(mut self, events: impl Fn() -> S)
    where
        S: Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>,
    {
        let mut backoff = Backoff(MIN_BACKOFF);
        loop {
            self.follow(&events, &mut backoff).await;
            backoff.wait().await;
        }
    }

    /// Follows one stream. Returns when everything has to be listed again.
    async fn follow<S>(&mut self, start: impl Fn() -> S, backoff: &mut Backoff)
    where
        S: Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>,
    {
        let mut events = Box::pin(start());
        let mut phase = Phase::Listing;
        let mut list_at = Instant::now() + until_next_list();
        loop {
            let wait = match phase {
                Phase::Listing => RESPONSE_TIMEOUT,
                Phase::Unproven => WATCH_PROBATION,
                Phase::Established => list_at.saturating_duration_since(Instant::now()),
            };
            match timeout(wait, events.next()).await {
                Ok(Some(Ok(event))) => {
                    phase = match event {
                        Event::Init | Event::InitApply(_) => Phase::Listing,
                        // A list alone does not show that the watch may start now.
                        Event::InitDone if self.may_not_watch() => Phase::Unproven,
                        Event::InitDone | Event::Apply(_) | Event::Delete(_) => Phase::Established,
                    };
                    self.store_event(event);
                    if phase == Phase::Established {
                        self.mark_current(backoff);
                    }
                }
                Ok(Some(Err(error))) => match self.failed(&error) {
                    Recovery::Resume => backoff.wait().await,
                    Recovery::Relist => return,
                },
                Ok(None) => return,
                Err(_) if phase == Phase::Listing => {
                    self.mark_unreachable(timeout_text());
                    return;
                }
                Err(_) if phase == Phase::Established => {
                    let mut anew = Box::pin(start());
                    if self.relist(anew.as_mut()).await {
                        events = anew;
                        self.mark_current(backoff);
                    }
                    list_at = Instant::now() + until_next_list();
                }
                Err(_silence) => {
                    self.mark_current(backoff);
                    phase = Phase::Established;
                }
            }
        }
    }

    /// Reads a list beside an established watch. Returns `false` if it failed: then the watch goes on where it was, and the objects stay
    /// known.
    async fn relist(
        &mut self,
        mut events: Pin<&mut impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>>,
    ) -> bool {
        loop {
            match timeout(RESPONSE_TIMEOUT, events.next()).await {
                Ok(Some(Ok(event))) => {
                    let is_done = matches!(event, Event::InitDone);
                    self.store_event(event);
                    if is_done {
                        return true;
                    }
                }
                Ok(Some(Err(error))) => {
                    info!(resource = %self.subject.resource, %error, "what is watched could not be listed anew; the watch goes on");
                    return false;
                }
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Stores an event. Each object of a list replaces the stored one at once, and objects that a list lacks are removed at its end: a
    /// whole list beside the whole store would take twice the memory.
    fn store_event(&mut self, event: Event<DeserializeGuard<K>>) {
        self.log_undecodable(&event);
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.insert(ObjectName::of(&object));
                self.objects.apply_watcher_event(&Event::Apply(object));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                for object in self.objects.as_reader().state() {
                    if !listed.contains(&ObjectName::of(&*object)) {
                        self.store_event(Event::Delete((*object).clone()));
                    }
                }
            }
            Event::Apply(_) | Event::Delete(_) => self.objects.apply_watcher_event(&event),
        }
    }

    fn may_not_watch(&self) -> bool {
        matches!(
            &*self.state.lock(),
            WatchState::Failed(ReadError::Forbidden { verb: WATCH, .. })
        )
    }

    /// Records that the stored objects are those of the API server.
    fn mark_current(&mut self, backoff: &mut Backoff) {
        backoff.reset();
        self.unreachable_since = None;
        self.set_state(WatchState::Listed);
        self.changed.notify_one();
    }

    fn failed(&mut self, error: &watcher::Error) -> Recovery {
        let (verb, source) = match error {
            watcher::Error::InitialListFailed(source) => (LIST, source),
            watcher::Error::WatchStartFailed(source) => (WATCH, source),
            // An event that can't be read at all is missed.
            watcher::Error::WatchFailed(kube::Error::SerdeError(_)) | watcher::Error::NoResourceVersion => {
                return Recovery::Relist;
            }
            // It had started.
            watcher::Error::WatchFailed(_) | watcher::Error::WatchError(_) => {
                self.unreachable_since = None;
                return Recovery::Resume;
            }
        };
        if let Some(refused) = self.subject.refused(verb, source) {
            self.unreachable_since = None;
            self.change_state(refused);
            return Recovery::Relist;
        }
        let is_long = self.is_unreachable_for_long();
        // What happened since is forgotten, and kube would ask for it again and again.
        let is_gone = matches!(source, kube::Error::Api(status) if status.code == 410);
        if verb == WATCH && !is_long && !is_gone {
            return Recovery::Resume;
        }
        if verb == LIST {
            self.mark_unreachable(api_error_text(source));
        }
        Recovery::Relist
    }

    /// Records that the API server does not answer. The objects of the last list stay known for a while.
    fn mark_unreachable(&mut self, message: String) {
        let is_long = self.is_unreachable_for_long();
        let is_listed = *self.state.lock() == WatchState::Listed;
        if is_long || !is_listed {
            self.change_state(WatchState::Failed(ReadError::Failed {
                what: self.subject.resource.clone(),
                message,
            }));
        }
    }

    fn is_unreachable_for_long(&mut self) -> bool {
        let since = self.unreachable_since.get_or_insert_with(Instant::now);
        since.elapsed() > STALE_AFTER
    }

    /// Sets a state and notifies of it, unless it is set already.
    fn change_state(&mut self, next: WatchState) {
        let is_known = *self.state.lock() == next;
        if !is_known {
            self.set_state(next);
            self.changed.notify_one();
        }
    }

    fn set_state(&self, next: WatchState) {
        let mut state = self.state.lock();
        self.subject.log_change(&state, &next);
        *state = next;
    }

    /// Logs an object that can't be decoded, once for each fault.
    fn log_undecodable(&mut self, event: &Event<DeserializeGuard<K>>) {
        let (Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) = event else {
            return;
        };
        let name = ObjectName::of(object);
        match &object.0 {
            Err(invalid) if !matches!(event, Event::Delete(_)) => {
                if self.undecodable.get(&name) != Some(&invalid.error) {
                    let (resource, error) = (&self.subject.resource, &invalid.error);
                    warn!(%resource, %name, %error, "an object can't be read by this version of the operator; upgrade it, or correct the object");
                    self.undecodable.insert(name, invalid.error.clone());
                }
            }
            Ok(_) | Err(_) => {
                self.undecodable.remove(&name);
            }
        }
    }
}

fn until_next_list() -> Duration {
    RELIST_INTERVAL + RELIST_JITTER.mul_f64(fastrand::f64())
}

/// The error of the API server, as a short text.
pub(super) fn api_error_text(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    }
}

/// The error for an API server that does not answer, as a short text.
pub(super) fn timeout_text() -> String {
    format!("no answer within {} s", RESPONSE_TIMEOUT.as_secs())
}

#[cfg(test)]
mod tests;
