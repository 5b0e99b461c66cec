//! One watch: from its events into the store, and how far it is.

mod watched_resource;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alscope_plan::world::{ObjectName, ReadError};
use futures::{Stream, StreamExt as _};
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

pub(super) use watched_resource::{Absence, Subject};

/// How long until the API server is asked again after it refused or failed, at first and at most. kube has growing pauses, too,
/// but begins anew with each list. A right that was given a moment ago is in force a moment later.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a watch that was refused must stand until it counts as back: one that starts says nothing.
const STANDS: Duration = Duration::from_secs(5);
/// How long a page of a list is waited for.
pub(super) const ANSWERS: Duration = Duration::from_secs(30);
/// How long what is known stays known while the API server neither lists nor lets a watch start.
const HOLDS: Duration = Duration::from_mins(1);
/// Everything is listed anew after this time, and up to the second one more: an event that a watch has lost comes from nowhere else.
/// It is another time for each list, so that not all kinds are listed at once.
const LISTS_AGAIN: (Duration, Duration) = (Duration::from_mins(8), Duration::from_mins(4));

const LIST: &str = "list";
const WATCH: &str = "watch";

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not listed yet.
    Pending,
    /// It has listed; later faults of the connection leave what is known, for a while.
    Listed,
    /// The kind is not installed, so there is no object of it.
    Absent,
    /// It could not be read.
    Failed(ReadError),
}

/// A watch and where what it learns goes.
pub(super) struct Watch<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    pub(super) objects: Writer<DeserializeGuard<K>>,
    pub(super) subject: Subject,
    pub(super) state: Arc<Mutex<State>>,
    /// Told when objects or the state changed.
    pub(super) changed: Arc<Notify>,
    /// Since when the API server neither lists nor lets the watch start.
    pub(super) doubtful_since: Option<Instant>,
    /// Objects that can't be decoded, each with its fault, of which the log has been told.
    pub(super) undecodable: BTreeMap<ObjectName, String>,
    /// The objects that a list has shown, while it is being read.
    pub(super) listed: BTreeSet<ObjectName>,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A list.
    Listing,
    /// A watch, which was refused before.
    Unproven,
    /// A watch.
    Standing,
}

/// What follows from a fault.
enum Next {
    /// The same stream goes on, where it was.
    Resume,
    /// Everything is listed anew.
    List,
}

/// Pauses that grow until something is learned.
struct Pauses(Duration);

impl Pauses {
    fn reset(&mut self) {
        self.0 = PAUSES.0;
    }

    async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = PAUSES.1.min(2 * self.0);
    }
}

impl<K: Resource + Clone + 'static> Watch<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// Follows `events`, which has no pauses of its own, after each refusal from the beginning.
    pub(super) async fn run<S>(mut self, events: impl Fn() -> S)
    where
        S: Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>,
    {
        let mut pauses = Pauses(PAUSES.0);
        loop {
            self.follow(&events, &mut pauses).await;
            pauses.pause().await;
        }
    }

    /// Returns when everything has to be listed anew.
    async fn follow<S>(&mut self, start: impl Fn() -> S, pauses: &mut Pauses)
    where
        S: Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>,
    {
        let mut events = Box::pin(start());
        let mut phase = Phase::Listing;
        let mut list_at = Instant::now() + until_next_list();
        loop {
            let patience = match phase {
                Phase::Listing => ANSWERS,
                Phase::Unproven => STANDS,
                Phase::Standing => list_at.saturating_duration_since(Instant::now()),
            };
            match timeout(patience, events.next()).await {
                Ok(Some(Ok(event))) => {
                    phase = match event {
                        Event::Init | Event::InitApply(_) => Phase::Listing,
                        // A list alone does not show that the watch may start now.
                        Event::InitDone if self.may_not_watch() => Phase::Unproven,
                        Event::InitDone | Event::Apply(_) | Event::Delete(_) => Phase::Standing,
                    };
                    self.take(event);
                    if phase == Phase::Standing {
                        self.learned(pauses);
                    }
                }
                Ok(Some(Err(error))) => match self.failed(&error) {
                    Next::Resume => pauses.pause().await,
                    Next::List => return,
                },
                Ok(None) => return,
                Err(_) if phase == Phase::Listing => {
                    self.doubted(unanswered());
                    return;
                }
                Err(_) if phase == Phase::Standing => {
                    let mut anew = Box::pin(start());
                    if self.list_anew(anew.as_mut()).await {
                        events = anew;
                        self.learned(pauses);
                    }
                    list_at = Instant::now() + until_next_list();
                }
                Err(_silence) => {
                    self.learned(pauses);
                    phase = Phase::Standing;
                }
            }
        }
    }

    /// Reads a list beside a watch that stands. `false` if it failed: then the watch goes on where it was, and what is known stays
    /// known.
    async fn list_anew(
        &mut self,
        mut events: Pin<&mut impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>>>,
    ) -> bool {
        loop {
            match timeout(ANSWERS, events.next()).await {
                Ok(Some(Ok(event))) => {
                    let is_done = matches!(event, Event::InitDone);
                    self.take(event);
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

    /// Takes an event into the store. Each object of a list replaces what is known of it at once, and what a list lacks goes at its
    /// end: a whole list beside the whole store would be twice the memory.
    fn take(&mut self, event: Event<DeserializeGuard<K>>) {
        self.note_undecodable(&event);
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
                        self.take(Event::Delete((*object).clone()));
                    }
                }
            }
            Event::Apply(_) | Event::Delete(_) => self.objects.apply_watcher_event(&event),
        }
    }

    fn may_not_watch(&self) -> bool {
        matches!(
            &*self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Failed(ReadError::Forbidden { verb: WATCH, .. })
        )
    }

    /// The objects are what the API server has.
    fn learned(&mut self, pauses: &mut Pauses) {
        pauses.reset();
        self.doubtful_since = None;
        self.know(State::Listed);
        self.changed.notify_one();
    }

    fn failed(&mut self, error: &watcher::Error) -> Next {
        let (verb, source) = match error {
            watcher::Error::InitialListFailed(source) => (LIST, source),
            watcher::Error::WatchStartFailed(source) => (WATCH, source),
            // An event that can't be read at all is missed.
            watcher::Error::WatchFailed(kube::Error::SerdeError(_)) | watcher::Error::NoResourceVersion => {
                return Next::List;
            }
            // It had started.
            watcher::Error::WatchFailed(_) | watcher::Error::WatchError(_) => {
                self.doubtful_since = None;
                return Next::Resume;
            }
        };
        if let Some(refused) = self.subject.refused(verb, source) {
            self.doubtful_since = None;
            self.news(refused);
            return Next::List;
        }
        let is_long = self.is_doubtful_for_long();
        // What happened since is forgotten, and kube would ask for it again and again.
        let is_gone = matches!(source, kube::Error::Api(status) if status.code == 410);
        if verb == WATCH && !is_long && !is_gone {
            return Next::Resume;
        }
        if verb == LIST {
            self.doubted(said(source));
        }
        Next::List
    }

    /// What was listed before stays known for a while.
    fn doubted(&mut self, message: String) {
        let is_long = self.is_doubtful_for_long();
        let is_listed = *self.state.lock().unwrap_or_else(PoisonError::into_inner) == State::Listed;
        if is_long || !is_listed {
            self.news(State::Failed(ReadError::Failed {
                what: self.subject.resource.clone(),
                message,
            }));
        }
    }

    fn is_doubtful_for_long(&mut self) -> bool {
        let since = self.doubtful_since.get_or_insert_with(Instant::now);
        since.elapsed() > HOLDS
    }

    /// Writes a state down, and tells of it unless it is known already.
    fn news(&mut self, next: State) {
        let is_known = *self.state.lock().unwrap_or_else(PoisonError::into_inner) == next;
        if !is_known {
            self.know(next);
            self.changed.notify_one();
        }
    }

    fn know(&self, next: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.subject.tell(&state, &next);
        *state = next;
    }

    /// Tells of an object that can't be decoded, once for each fault of it.
    fn note_undecodable(&mut self, event: &Event<DeserializeGuard<K>>) {
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
    let (least, more) = LISTS_AGAIN;
    least + more.mul_f64(fastrand::f64())
}

/// What an API server said, in a few words.
pub(super) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    }
}

/// What is said of an API server that does not answer.
pub(super) fn unanswered() -> String {
    format!("no answer within {} s", ANSWERS.as_secs())
}

#[cfg(test)]
mod tests;
