//! The objects that the watches have read.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use alscope_plan::world::{ObjectName, ReadError, ReadResult};
use alscope_watch::{Selector, Watch};
use kube::api::{ApiResource, DynamicObject};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::{Client, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::watch::{MissingKind, ObjectStore, Objects, WatchState, WatchedResource, watch_options};

/// The objects of one watch, with those that can't be decoded.
pub struct Cache<K> {
    objects: Objects<K>,
    subject: WatchedResource,
    state: Arc<Mutex<WatchState>>,
}

impl<K> fmt::Debug for Cache<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cache")
            .field("subject", &self.subject)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<K: Resource + Clone> Cache<K> {
    /// What `of` reads from each object. One object that can't be decoded makes it an error, because it may be the one that matters.
    pub fn read<T>(&self, of: impl Fn(&K) -> Option<T>) -> ReadResult<Vec<T>> {
        let mut found = Vec::new();
        for object in self.sorted_objects()? {
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
        for object in self.sorted_objects()? {
            match &object.0 {
                Ok(object) => divided.0.push(object.clone()),
                Err(invalid) => divided.1.push(invalid.clone()),
            }
        }
        Ok(divided)
    }

    /// The resourceVersion of the only object, also if it can't be decoded.
    pub fn version(&self) -> Option<String> {
        let objects = self.objects.lock();
        let (_, object) = objects.first_key_value()?;
        object.meta().resource_version.clone()
    }

    /// How many objects can't be decoded, with the resource's plural.
    pub fn undecodable_count(&self) -> (&str, usize) {
        let objects = self.objects.lock();
        let count = objects.values().filter(|object| object.0.is_err()).count();
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

    /// The objects, sorted by namespace and name.
    fn sorted_objects(&self) -> ReadResult<Vec<Arc<DeserializeGuard<K>>>> {
        match &*self.state.lock() {
            WatchState::Pending => Err(self.subject.unlisted()),
            WatchState::Failed(error) => Err(error.clone()),
            WatchState::Absent => Ok(Vec::new()),
            WatchState::Listed => Ok(self.objects.lock().values().cloned().collect()),
        }
    }
}

/// All watches. Each runs in a task that ends with the operator.
pub struct Watches {
    client: Client,
    changed: Arc<Notify>,
    ending: CancellationToken,
    states: Vec<Arc<Mutex<WatchState>>>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Watches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watches")
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

impl Watches {
    /// No watches yet.
    pub fn new(client: Client, changed: Arc<Notify>, ending: CancellationToken) -> Self {
        Self {
            client,
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

    /// Watches a kind that is known at compile time, in a namespace or in all.
    pub fn typed<K>(&mut self, namespace: Option<&str>, selector: Selector) -> Cache<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
    {
        let subject = WatchedResource::of::<K>(&(), namespace, MissingKind::IsError);
        self.start(subject, selector, |_| {})
    }

    /// Watches all objects of a kind, and keeps only what `prune` leaves of them.
    pub fn pruned<K>(&mut self, selector: Selector, prune: fn(&mut K)) -> Cache<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
    {
        let subject = WatchedResource::of::<K>(&(), None, MissingKind::IsError);
        self.start(subject, selector, prune)
    }

    /// Watches a kind that is known at run time, in a namespace or in all.
    pub(super) fn dynamic(
        &mut self,
        kind: &ApiResource,
        namespace: Option<&str>,
        selector: Selector,
        absence: MissingKind,
    ) -> Cache<DynamicObject> {
        let subject = WatchedResource::of::<DynamicObject>(kind, namespace, absence);
        self.start(subject, selector, |_| {})
    }

    fn start<K>(&mut self, subject: WatchedResource, selector: Selector, prune: fn(&mut K)) -> Cache<K>
    where
        K: Resource + DeserializeOwned + Send + Sync + 'static,
    {
        let url_path = subject.url_path.clone();
        let store = ObjectStore::new(subject.clone(), self.changed.clone(), prune);
        let cache = Cache {
            objects: store.objects.clone(),
            state: store.state.clone(),
            subject,
        };
        self.states.push(cache.state.clone());
        let watch = Watch::new(self.client.clone(), url_path, watch_options(selector), store);
        let ending = self.ending.clone();
        self.tasks.spawn(async move {
            // `None` is the end, which is what was asked for.
            let _: Option<()> = ending.run_until_cancelled(watch.run()).await;
        });
        cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub_api_server::StubApiServer;

    #[tokio::test]
    async fn a_watch_that_ends_is_noticed() {
        let mut watches = Watches::new(
            StubApiServer::new().client(),
            Arc::default(),
            CancellationToken::new(),
        );
        watches.tasks.spawn(pending());
        watches.tasks.spawn(async { panic!("lost its way") });
        let what = watches.ended().await;
        assert!(what.contains("lost its way"), "{what}");
        watches.tasks.spawn(async {});
        assert_eq!(watches.ended().await, "a watch ended");
    }
}
