//! The objects that the watches have read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::future::pending;
use std::hash::Hash;
use std::sync::Arc;

use alscope_plan::world::{ObjectName, ReadError, ReadResult};
use futures::Stream;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::{Store, Writer};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::prune::prune;
use super::watch::{MissingKind, Watch, WatchState, WatchedResource};

/// The objects of one watch, with those that can't be decoded.
pub struct Cache<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    store: Store<DeserializeGuard<K>>,
    subject: WatchedResource,
    state: Arc<Mutex<WatchState>>,
}

impl<K: Resource + Clone + 'static> fmt::Debug for Cache<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cache")
            .field("subject", &self.subject)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<K: Resource + Clone + 'static> Cache<K>
where
    K::DynamicType: Hash + Eq + Clone,
{
    /// What `of` reads from each object. One object that can't be decoded makes it an error, because it may be the one that matters.
    pub fn read<T>(&self, of: impl Fn(&K) -> Option<T>) -> ReadResult<Vec<T>> {
        let mut found = Vec::new();
        for object in self.objects()? {
            match &object.0 {
                Ok(object) => found.extend(of(object)),
                Err(invalid) => return Err(self.undecodable(invalid)),
            }
        }
        Ok(found)
    }

    /// The objects, and the metadata of those that can't be decoded.
    pub fn decoded_and_undecodable(&self) -> ReadResult<(Vec<K>, Vec<InvalidObject>)> {
        let mut divided = (Vec::new(), Vec::new());
        for object in self.objects()? {
            match &object.0 {
                Ok(object) => divided.0.push(object.clone()),
                Err(invalid) => divided.1.push(invalid.clone()),
            }
        }
        Ok(divided)
    }

    /// The resourceVersion of the only object, also if it can't be decoded.
    pub fn version(&self) -> Option<String> {
        let objects = self.store.state();
        objects.first()?.meta().resource_version.clone()
    }

    /// How many objects can't be decoded, with the resource's plural.
    pub fn undecodable_count(&self) -> (&str, usize) {
        let objects = self.store.state();
        let count = objects.iter().filter(|object| object.0.is_err()).count();
        (self.subject.resource(), count)
    }

    fn undecodable(&self, invalid: &InvalidObject) -> ReadError {
        ReadError::Undecodable {
            resource: self.subject.resource().to_owned(),
            name: ObjectName {
                namespace: invalid.metadata.namespace.clone().unwrap_or_default(),
                name: invalid.metadata.name.clone().unwrap_or_default(),
            },
            message: invalid.error.clone(),
        }
    }

    /// The objects, sorted by name. The store has no order, and a plan must not depend on chance.
    fn objects(&self) -> ReadResult<Vec<Arc<DeserializeGuard<K>>>> {
        match &*self.state.lock() {
            WatchState::Pending => return Err(self.subject.unlisted()),
            WatchState::Failed(error) => return Err(error.clone()),
            WatchState::Absent => return Ok(Vec::new()),
            WatchState::Listed => {}
        }
        let mut objects = self.store.state();
        objects.sort_by(|one, other| name(one).cmp(&name(other)));
        Ok(objects)
    }
}

/// The namespace and name of an object.
fn name<K: Resource>(object: &DeserializeGuard<K>) -> (Option<&str>, Option<&str>) {
    let metadata = object.meta();
    (metadata.namespace.as_deref(), metadata.name.as_deref())
}

/// All watches. Each runs in a task that ends with the operator.
#[derive(Debug)]
pub struct Watches {
    changed: Arc<Notify>,
    ending: CancellationToken,
    states: Vec<Arc<Mutex<WatchState>>>,
    tasks: JoinSet<()>,
}

impl Watches {
    /// No watches yet.
    pub fn new(changed: Arc<Notify>, ending: CancellationToken) -> Self {
        Self {
            changed,
            ending,
            states: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Whether each watch has listed or failed.
    pub fn are_settled(&self) -> bool {
        self.states
            .iter()
            .all(|state| *state.lock() != WatchState::Pending)
    }

    /// Returns when a watch has ended, with the reason if it panicked.
    pub async fn ended(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(())) => "a watch ended".to_owned(),
            Some(Err(error)) => format!("a watch ended: {error}"),
            None => pending().await,
        }
    }

    /// Watches a kind that is known at compile time.
    pub fn typed<K>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        config: watcher::Config,
        namespace: Option<&str>,
    ) -> Cache<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let subject = WatchedResource::new(&K::group(&()), &K::plural(&()), namespace, MissingKind::IsError);
        self.run(Writer::default(), subject, move || {
            watcher(api.clone(), config.clone())
        })
    }

    /// Watches pods, and keeps only what the plan reads of them.
    pub fn pods(&mut self, api: Api<DeserializeGuard<Pod>>) -> Cache<Pod> {
        let subject = WatchedResource::new("", "pods", None, MissingKind::IsError);
        self.run(Writer::default(), subject, move || {
            watcher(api.clone(), watcher::Config::default()).modify(|pod| {
                if let Ok(pod) = &mut pod.0 {
                    prune(pod);
                }
            })
        })
    }

    /// Watches a kind that is known at run time.
    pub(super) fn dynamic(
        &mut self,
        api: Api<DeserializeGuard<DynamicObject>>,
        resource: ApiResource,
        config: watcher::Config,
        subject: WatchedResource,
    ) -> Cache<DynamicObject> {
        self.run(Writer::new(resource), subject, move || {
            watcher(api.clone(), config.clone())
        })
    }

    fn run<K, S>(
        &mut self,
        objects: Writer<DeserializeGuard<K>>,
        subject: WatchedResource,
        events: impl Fn() -> S + Send + Sync + 'static,
    ) -> Cache<K>
    where
        K: Resource + Clone + Send + Sync + 'static,
        K::DynamicType: Hash + Eq + Clone + Send + Sync,
        S: Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>> + Send,
    {
        let store = objects.as_reader();
        let state = Arc::new(Mutex::new(WatchState::Pending));
        self.states.push(state.clone());
        let watch = Watch {
            objects,
            subject: subject.clone(),
            state: state.clone(),
            changed: self.changed.clone(),
            unreachable_since: None,
            undecodable: BTreeMap::new(),
            listed: BTreeSet::new(),
        };
        let ending = self.ending.clone();
        self.tasks.spawn(async move {
            // `None` is the end, which is what was asked for.
            let _: Option<()> = ending.run_until_cancelled(watch.run(events)).await;
        });
        Cache {
            store,
            subject,
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_that_ends_is_noticed() {
        let mut watches = Watches::new(Arc::default(), CancellationToken::new());
        watches.tasks.spawn(pending());
        watches.tasks.spawn(async { panic!("lost its way") });
        let what = watches.ended().await;
        assert!(what.contains("lost its way"), "{what}");
        watches.tasks.spawn(async {});
        assert_eq!(watches.ended().await, "a watch ended");
    }
}
