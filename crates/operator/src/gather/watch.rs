//! One watch: from its events into the store, and how far it is.

use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::runtime::reflector::Lookup;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::world::ReadError;

/// How long until a refused or absent kind is asked for again, at first and at most: kube begins each list anew, without its own
/// growing pauses. A right that was given a moment ago is in force a moment later.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a watch that was refused must stand until it counts as back: one that starts says nothing.
const STANDS: Duration = Duration::from_secs(5);

const LIST: &str = "list";
const WATCH: &str = "watch";

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not listed yet.
    Pending,
    /// It has listed; later faults of the connection leave what is known.
    Listed,
    /// The kind is not installed.
    Absent,
    /// It could not be read.
    Failed(ReadError),
}

/// What a watch is of, for messages.
#[derive(Debug)]
pub(super) struct Subject {
    /// The plural, with its group unless that is the core one.
    resource: String,
    namespace: Option<String>,
}

/// A watch and where what it learns goes.
pub(super) struct Watch<K: Lookup + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    pub(super) objects: Writer<K>,
    pub(super) subject: Subject,
    pub(super) state: Arc<Mutex<State>>,
    /// Told when objects or the state changed.
    pub(super) changed: Arc<Notify>,
}

impl<K: Lookup + Clone + 'static> Watch<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// Follows `events`, after each refusal from the beginning, ever later.
    pub(super) async fn run<S>(mut self, events: impl Fn() -> S)
    where
        S: Stream<Item = watcher::Result<Event<K>>>,
    {
        let (first, longest) = PAUSES;
        let mut pause = first;
        loop {
            if self.follow(pin!(events())).await {
                pause = first;
            }
            sleep(pause).await;
            pause = longest.min(2 * pause);
        }
    }

    /// Returns when the API server refuses: whether anything was learned until then.
    async fn follow(&mut self, mut events: Pin<&mut impl Stream<Item = watcher::Result<Event<K>>>>) -> bool {
        let mut patience = Duration::MAX;
        let mut has_learned = false;
        loop {
            let event = match timeout(patience, events.next()).await {
                Ok(Some(event)) => event,
                Ok(None) => return has_learned,
                Err(_silence) => {
                    patience = Duration::MAX;
                    has_learned = true;
                    self.learned();
                    continue;
                }
            };
            match event {
                Ok(event) => {
                    self.objects.apply_watcher_event(&event);
                    match event {
                        Event::Init | Event::InitApply(_) => {}
                        // A list alone does not show that the watch may start now.
                        Event::InitDone if self.may_not_watch() => patience = STANDS,
                        Event::InitDone | Event::Apply(_) | Event::Delete(_) => {
                            patience = Duration::MAX;
                            has_learned = true;
                            self.learned();
                        }
                    }
                }
                Err(error) => {
                    if self.failed(&error) {
                        return has_learned;
                    }
                }
            }
        }
    }

    fn may_not_watch(&self) -> bool {
        matches!(
            &*self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Failed(ReadError::Forbidden { verb: WATCH, .. })
        )
    }

    /// The objects are what the API server has.
    fn learned(&self) {
        self.know(State::Listed);
        self.changed.notify_one();
    }

    /// Writes a fault down, unless it is known already. Returns whether it is a refusal.
    fn failed(&self, error: &watcher::Error) -> bool {
        let (verb, source) = match error {
            watcher::Error::InitialListFailed(source) => (LIST, source),
            watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => (WATCH, source),
            watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => return false,
        };
        let refused = self.subject.refused(verb, source);
        let is_refused = refused.is_some();
        let next = refused.unwrap_or_else(|| self.subject.unanswered(source));
        let is_news = {
            let known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            *known != next && (is_refused || *known != State::Listed)
        };
        if is_news {
            self.know(next);
            self.changed.notify_one();
        }
        is_refused
    }

    fn know(&self, next: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.subject.tell(&state, &next);
        *state = next;
    }
}

impl Subject {
    pub(super) fn new(group: &str, plural: &str, namespace: Option<&str>) -> Self {
        let resource = if group.is_empty() {
            plural.to_owned()
        } else {
            format!("{plural}.{group}")
        };
        Self {
            resource,
            namespace: namespace.map(str::to_owned),
        }
    }

    /// What an answer of the API server says about the kind, if it refuses it.
    fn refused(&self, verb: &'static str, source: &kube::Error) -> Option<State> {
        match source {
            kube::Error::Api(status) if status.code == 404 => Some(State::Absent),
            kube::Error::Api(status) if status.code == 403 => Some(State::Failed(ReadError::Forbidden {
                verb,
                resource: self.resource.clone(),
                namespace: self.namespace.clone(),
            })),
            _ => None,
        }
    }

    fn unanswered(&self, source: &kube::Error) -> State {
        State::Failed(ReadError::Failed {
            what: self.resource.clone(),
            message: source.to_string(),
        })
    }

    fn tell(&self, previous: &State, next: &State) {
        match (previous, next) {
            (_, State::Failed(error)) => warn!(%error, "watch failed and is tried again"),
            (State::Failed(_), State::Pending | State::Listed | State::Absent) => {
                info!(resource = %self.resource, "watch is back");
            }
            (State::Pending | State::Listed | State::Absent, _) => {}
        }
    }
}

#[cfg(test)]
mod tests;
