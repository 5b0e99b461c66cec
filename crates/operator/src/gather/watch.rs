//! What a watch reads: its objects, and its state.

mod state;
mod watched_resource;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use alscope_plan::world::{ObjectName, ReadError};
use alscope_watch::{NextRequest, Observer, Selector, Verb, WatchFailure, WatchOptions};
use kube::Resource;
use kube::core::DeserializeGuard;
use parking_lot::Mutex;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

pub(super) use state::WatchState;
pub(super) use watched_resource::{MissingKind, WatchedResource};

/// How long objects stay known while the API server neither lists nor accepts a watch.
const STALE_AFTER: Duration = Duration::from_mins(1);
const WATCH_TIMEOUT: Duration = Duration::from_mins(4);
const RELIST_INTERVAL: Duration = Duration::from_mins(8);

/// The objects of a watch by name, with those that can't be decoded.
pub(super) type Objects<K> = Arc<Mutex<BTreeMap<ObjectName, Arc<DeserializeGuard<K>>>>>;

/// Keeps the objects of one watch and its state.
pub(super) struct ObjectStore<K> {
    pub(super) objects: Objects<K>,
    pub(super) subject: WatchedResource,
    pub(super) state: Arc<Mutex<WatchState>>,
    /// Notified when objects or the state change.
    pub(super) changed: Arc<Notify>,
    /// Removes from an object what nobody reads.
    prune: fn(&mut K),
    /// Since when the API server neither lists nor accepts the watch.
    unreachable_since: Option<Instant>,
    /// The objects that can't be decoded and that the log has named, each with its fault.
    undecodable: BTreeMap<ObjectName, String>,
    /// The objects that a list has shown, while it is being read.
    listed: Option<BTreeSet<ObjectName>>,
}

/// The settings of the operator's watches.
pub(super) fn watch_options(selector: Selector) -> WatchOptions {
    WatchOptions {
        selector,
        watch_timeout: WATCH_TIMEOUT,
        relist_interval: Some(RELIST_INTERVAL),
    }
}

impl<K: Resource> ObjectStore<K> {
    /// Nothing is known yet. `changed` is notified of every change; `prune` removes from an object what nobody reads.
    pub(super) fn new(subject: WatchedResource, changed: Arc<Notify>, prune: fn(&mut K)) -> Self {
        Self {
            objects: Arc::default(),
            subject,
            state: Arc::new(Mutex::new(WatchState::Pending)),
            changed,
            prune,
            unreachable_since: None,
            undecodable: BTreeMap::new(),
            listed: None,
        }
    }

    fn may_not_watch(&self) -> bool {
        let watch = Verb::Watch.as_str();
        matches!(&*self.state.lock(), WatchState::Failed(ReadError::Forbidden { verb, .. }) if *verb == watch)
    }

    /// Records that the API server does not answer. The objects of the last list stay known for a while.
    fn mark_unreachable(&mut self, message: String) {
        let is_long = self.is_unreachable_for_long();
        let is_listed = *self.state.lock() == WatchState::Listed;
        if is_long || !is_listed {
            self.change_state(WatchState::Failed(self.subject.failed(message)));
        }
    }

    fn is_unreachable_for_long(&mut self) -> bool {
        let since = self.unreachable_since.get_or_insert_with(Instant::now);
        since.elapsed() > STALE_AFTER
    }

    /// Sets a state and notifies of it, unless it is set already.
    fn change_state(&mut self, next: WatchState) {
        if self.set_state(next) {
            self.changed.notify_one();
        }
    }

    /// Sets a state. Returns whether it was another one before.
    fn set_state(&mut self, next: WatchState) -> bool {
        let mut state = self.state.lock();
        let is_new = *state != next;
        if is_new {
            self.subject.log_change(&state, &next);
            *state = next;
        }
        is_new
    }

    /// Logs an object that can't be decoded, once for each fault.
    fn log_undecodable(&mut self, name: &ObjectName, object: &DeserializeGuard<K>) {
        match &object.0 {
            Err(invalid) => {
                if self.undecodable.get(name) != Some(&invalid.error) {
                    let (resource, error) = (&self.subject.resource, &invalid.error);
                    warn!(%resource, %name, %error, "an object can't be read by this version of the operator; upgrade it, or correct the object");
                    self.undecodable.insert(name.clone(), invalid.error.clone());
                }
            }
            Ok(_) => {
                self.undecodable.remove(name);
            }
        }
    }
}

impl<K> Observer for ObjectStore<K>
where
    K: Resource + DeserializeOwned + Send + Sync,
{
    type Object = DeserializeGuard<K>;

    fn decode<'de, D>(&self, object: D) -> Result<Self::Object, WatchFailure>
    where
        D: Deserializer<'de> + Copy,
    {
        let decoded: Result<DeserializeGuard<K>, _> = serde::Deserialize::deserialize(object);
        let mut object = decoded.map_err(|_| WatchFailure::Unreadable)?;
        if let Ok(object) = &mut object.0 {
            (self.prune)(object);
        }
        Ok(object)
    }

    async fn begin_list(&mut self) {
        self.listed = Some(BTreeSet::new());
    }

    /// An object of a list replaces the stored one at once, because a whole list beside the whole store would take twice the memory.
    async fn apply(&mut self, object: DeserializeGuard<K>) {
        let name = ObjectName::of(&object);
        self.log_undecodable(&name, &object);
        self.objects.lock().insert(name.clone(), Arc::new(object));
        match &mut self.listed {
            Some(listed) => {
                listed.insert(name);
            }
            None => self.changed.notify_one(),
        }
    }

    async fn delete(&mut self, object: DeserializeGuard<K>) {
        let name = ObjectName::of(&object);
        self.undecodable.remove(&name);
        self.objects.lock().remove(&name);
        self.changed.notify_one();
    }

    async fn end_list(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        self.undecodable.retain(|name, _| listed.contains(name));
        self.objects.lock().retain(|name, _| listed.contains(name));
        self.unreachable_since = None;
        // A list alone does not show that the watch may start now.
        if !self.may_not_watch() {
            self.set_state(WatchState::Listed);
            self.changed.notify_one();
        }
    }

    fn begin_watch(&mut self) {
        self.listed = None;
        self.unreachable_since = None;
        self.change_state(WatchState::Listed);
    }

    async fn failed(&mut self, verb: Verb, failure: &WatchFailure) -> NextRequest {
        if let Some(refused) = self.subject.refused(verb, failure) {
            self.unreachable_since = None;
            self.change_state(refused);
            return NextRequest::Relist;
        }
        if verb == Verb::List {
            self.mark_unreachable(failure.to_string());
            return NextRequest::Relist;
        }
        // An event that can't be read is missed.
        if self.is_unreachable_for_long() || *failure == WatchFailure::Unreadable {
            NextRequest::Relist
        } else {
            NextRequest::Resume
        }
    }
}

#[cfg(test)]
mod tests;
