//! What is known of the kinds that are watched.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::Stream;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::Lookup;
use kube::runtime::reflector::store::{Store, Writer};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::Read;

use super::prune::prune;
use super::watch::{State, Subject, Watch};

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
        let mut all = self.store.state();
        // The store has no order, and a plan that depends on it can not be repeated.
        all.sort_by(|one, other| (one.namespace(), one.name()).cmp(&(other.namespace(), other.name())));
        all
    }

    /// What is so, or why it is not known.
    pub fn read(&self) -> Read<Vec<Arc<K>>> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Failed(error) => Err(error.clone()),
            State::Pending | State::Listed | State::Absent => Ok(self.all()),
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
        self.run(Writer::default(), subject, move || {
            watcher(api.clone(), config.clone()).default_backoff()
        })
    }

    /// Watches pods, of which only what is read is kept.
    pub fn pods(&mut self, api: Api<Pod>) -> Cache<Pod> {
        self.run(Writer::default(), Subject::new("", "pods", None), move || {
            watcher(api.clone(), watcher::Config::default())
                .default_backoff()
                .modify(prune)
        })
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
        self.run(Writer::new(resource), subject, move || {
            watcher(api.clone(), config.clone()).default_backoff()
        })
    }

    fn run<K, S>(
        &mut self,
        objects: Writer<K>,
        subject: Subject,
        events: impl Fn() -> S + Send + 'static,
    ) -> Cache<K>
    where
        K: Lookup + Clone + Send + Sync + 'static,
        K::DynamicType: Hash + Eq + Clone + Send + Sync,
        S: Stream<Item = watcher::Result<Event<K>>> + Send,
    {
        let store = objects.as_reader();
        let state = Arc::new(Mutex::new(State::Pending));
        self.states.push(state.clone());
        let watch = Watch {
            objects,
            subject,
            state: state.clone(),
            changed: self.changed.clone(),
        };
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            // `None` is the end, which is what was asked for.
            let _: Option<()> = stopping.run_until_cancelled(watch.run(events)).await;
        });
        Cache { store, state }
    }
}
