//! A watch of one kind, and what is known of it.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::{Lookup, Store, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::world::{Read, ReadError};

use super::prune::prune;

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It has not listed yet.
    Pending,
    /// It has listed; later faults of the connection leave what is known.
    Listed,
    /// The kind is not installed.
    Absent,
    /// It could not be read.
    Failed(ReadError),
}

/// The objects of one watch.
pub struct Cache<K: Lookup + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    store: Store<K>,
    state: Arc<Mutex<State>>,
}

impl<K: Lookup + Clone + 'static> fmt::Debug for Cache<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cache")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<K: Lookup + Clone + 'static> Cache<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// What is known now.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// What is so, or why it is not known.
    pub fn read(&self) -> Read<Vec<Arc<K>>> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Failed(error) => Err(error.clone()),
            State::Pending | State::Listed | State::Absent => Ok(self.store.state()),
        }
    }
}

/// All watches: each runs in a task that ends with the operator.
#[derive(Debug)]
pub struct Watches {
    changed: Arc<Notify>,
    stopping: CancellationToken,
    states: Vec<Arc<Mutex<State>>>,
    tasks: JoinSet<()>,
}

/// What a watch is of, for messages.
#[derive(Debug)]
struct Subject {
    /// The plural, with its group unless that is the core one.
    resource: String,
    namespace: Option<String>,
}

impl Watches {
    /// None yet.
    pub fn new(changed: Arc<Notify>, stopping: CancellationToken) -> Self {
        Self {
            changed,
            stopping,
            states: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Whether each watch has listed or failed.
    pub fn are_settled(&self) -> bool {
        self.states
            .iter()
            .all(|state| *state.lock().unwrap_or_else(PoisonError::into_inner) != State::Pending)
    }

    /// Watches a kind that is known at compile time.
    pub fn typed<K>(&mut self, api: Api<K>, config: watcher::Config, namespace: Option<&str>) -> Cache<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let subject = Subject::new(&K::group(&()), &K::plural(&()), namespace);
        let (reader, writer) = store();
        let events = reflector(writer, watcher(api, config).default_backoff());
        self.run(reader, events, subject)
    }

    /// Watches pods, of which only what is read is kept.
    pub fn pods(&mut self, api: Api<Pod>) -> Cache<Pod> {
        let (reader, writer) = store();
        let events = watcher(api, watcher::Config::default())
            .default_backoff()
            .modify(prune);
        self.run(reader, reflector(writer, events), Subject::new("", "pods", None))
    }

    /// Watches a kind by its name.
    pub fn dynamic(
        &mut self,
        api: Api<DynamicObject>,
        resource: ApiResource,
        config: watcher::Config,
        namespace: Option<&str>,
    ) -> Cache<DynamicObject> {
        let subject = Subject::new(&resource.group, &resource.plural, namespace);
        let writer = reflector::store::Writer::new(resource);
        let reader = writer.as_reader();
        let events = reflector(writer, watcher(api, config).default_backoff());
        self.run(reader, events, subject)
    }

    fn run<K>(
        &mut self,
        store: Store<K>,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        subject: Subject,
    ) -> Cache<K>
    where
        K: Lookup + Clone + Send + Sync + 'static,
        K::DynamicType: Hash + Eq + Clone + Send + Sync,
    {
        let state = Arc::new(Mutex::new(State::Pending));
        self.states.push(state.clone());
        let (changed, stopping, kept) = (self.changed.clone(), self.stopping.clone(), state.clone());
        self.tasks.spawn(async move {
            let mut events = std::pin::pin!(events.take_until(stopping.cancelled_owned()));
            while let Some(event) = events.next().await {
                let next = match event {
                    Ok(Event::Init | Event::InitApply(_)) => None,
                    Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => Some(State::Listed),
                    Err(error) => subject.state(&error, &kept),
                };
                if let Some(next) = next {
                    let mut state = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    subject.tell(&state, &next);
                    *state = next;
                    drop(state);
                    changed.notify_one();
                }
            }
        });
        Cache { store, state }
    }
}

impl Subject {
    fn new(group: &str, plural: &str, namespace: Option<&str>) -> Self {
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

    /// What a fault of the watch means for what is known.
    fn state(&self, error: &watcher::Error, known: &Mutex<State>) -> Option<State> {
        let (verb, source) = match error {
            watcher::Error::InitialListFailed(source) => ("list", source),
            watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => {
                ("watch", source)
            }
            watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => return None,
        };
        match source {
            kube::Error::Api(status) if status.code == 404 => Some(State::Absent),
            kube::Error::Api(status) if status.code == 403 => Some(State::Failed(ReadError::Forbidden {
                verb,
                resource: self.resource.clone(),
                namespace: self.namespace.clone(),
            })),
            source => {
                let is_known = *known.lock().unwrap_or_else(PoisonError::into_inner) == State::Listed;
                (!is_known).then(|| {
                    State::Failed(ReadError::Failed {
                        what: self.resource.clone(),
                        message: source.to_string(),
                    })
                })
            }
        }
    }

    fn tell(&self, previous: &State, next: &State) {
        match (previous, next) {
            (State::Failed(known), State::Failed(error)) if known == error => {}
            (_, State::Failed(error)) => warn!(%error, "watch failed and is tried again"),
            (State::Failed(_), State::Pending | State::Listed | State::Absent) => {
                info!(resource = %self.resource, "watch is back");
            }
            (State::Pending | State::Listed | State::Absent, _) => {}
        }
    }
}
