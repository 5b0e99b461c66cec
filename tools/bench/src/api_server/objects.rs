//! The objects that are served, and the events that made them what they are.
//!
//! Each write has a version of its own, over all kinds, as etcd gives it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Bound;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

/// Events that are kept, for watches that begin at an earlier version or fall behind.
pub(super) const KEPT: usize = 4096;

/// The kinds that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Pods,
    Services,
    EndpointSlices,
    Nodes,
}

impl Resource {
    const ALL: [Resource; 4] = [
        Resource::Pods,
        Resource::Services,
        Resource::EndpointSlices,
        Resource::Nodes,
    ];

    /// What is listed and watched at this path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.path() == path)
    }

    fn path(self) -> &'static str {
        match self {
            Resource::Pods => "/api/v1/pods",
            Resource::Services => "/api/v1/services",
            Resource::EndpointSlices => "/apis/discovery.k8s.io/v1/endpointslices",
            Resource::Nodes => "/api/v1/nodes",
        }
    }

    pub(super) fn api_version(self) -> &'static str {
        match self {
            Resource::Pods | Resource::Services | Resource::Nodes => "v1",
            Resource::EndpointSlices => "discovery.k8s.io/v1",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Resource::Pods => "Pod",
            Resource::Services => "Service",
            Resource::EndpointSlices => "EndpointSlice",
            Resource::Nodes => "Node",
        }
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    resource: Resource,
    /// `namespace/name`; the namespace of a Node is empty.
    name: String,
}

impl Key {
    /// The key of an object of a kind that is served.
    pub(super) fn of(object: &Value) -> anyhow::Result<Self> {
        let (api_version, kind) = (&object["apiVersion"], &object["kind"]);
        let resource = Resource::ALL
            .into_iter()
            .find(|resource| *api_version == resource.api_version() && *kind == resource.kind())
            .with_context(|| {
                format!("{kind} of {api_version} is not served; leave it out or add it to `Resource`")
            })?;
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"].as_str().unwrap_or_default();
        let name = metadata["name"]
            .as_str()
            .with_context(|| format!("a {kind} has no metadata.name; name it"))?;
        Ok(Key {
            resource,
            name: format!("{namespace}/{name}"),
        })
    }

    /// The key of a pod.
    pub(super) fn pod(namespace: &str, name: &str) -> Self {
        Key {
            resource: Resource::Pods,
            name: format!("{namespace}/{name}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.resource.kind(), self.name)
    }
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) items: Vec<&'a Value>,
    /// The name of the last item, if there are more behind it.
    pub(super) more_after: Option<&'a str>,
}

/// All objects, as they are.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// The version of the last write.
    pub(super) version: u64,
    /// Pods that were replaced.
    pub(super) changes: u64,
    served: BTreeMap<Key, Value>,
    /// The last writes as lines of a watch. They are of consecutive versions, up to that of the last write.
    events: VecDeque<(Resource, Bytes)>,
}

impl Objects {
    /// What is served at first.
    pub(super) fn new(objects: Vec<Value>) -> anyhow::Result<Self> {
        let mut all = Objects::default();
        for mut object in objects {
            let key = Key::of(&object)?;
            ensure!(
                !all.served.contains_key(&key),
                "{key} is there twice; name it otherwise"
            );
            all.give_version(&mut object);
            all.served.insert(key, object);
        }
        Ok(all)
    }

    /// All objects of a kind.
    pub(super) fn all(&self, resource: Resource) -> impl Iterator<Item = (&Key, &Value)> {
        self.behind(resource, "")
    }

    /// At most `limit` objects of a kind, the first behind that with the name `after`.
    pub(super) fn page(&self, resource: Resource, after: &str, limit: usize) -> Page<'_> {
        let mut objects = self.behind(resource, after);
        let items: Vec<_> = objects.by_ref().take(limit).collect();
        let more_after = objects.next().and(items.last()).map(|(key, _)| &*key.name);
        Page {
            items: items.into_iter().map(|(_, object)| object).collect(),
            more_after,
        }
    }

    fn behind(&self, resource: Resource, name: &str) -> impl Iterator<Item = (&Key, &Value)> {
        let name = name.to_owned();
        let start = Key { resource, name };
        let behind = self.served.range((Bound::Excluded(start), Bound::Unbounded));
        behind.take_while(move |(key, _)| key.resource == resource)
    }

    /// The pod with this key.
    pub(super) fn pod(&self, key: &Key) -> Option<&Value> {
        self.served.get(key).filter(|_| key.resource == Resource::Pods)
    }

    /// The events of a kind since a version; `None` if they are no longer known.
    pub(super) fn since(&self, version: u64, resource: Resource) -> Option<Vec<Bytes>> {
        let wanted = usize::try_from(self.version.checked_sub(version)?).ok()?;
        let events = self.events.range(self.events.len().checked_sub(wanted)?..);
        let events = events.filter(|(of, _)| *of == resource);
        Some(events.map(|(_, line)| line.clone()).collect())
    }

    /// Adds an object, or puts it in place of the one that is there.
    pub(super) fn put(&mut self, key: Key, mut object: Value) {
        let happened = if self.served.contains_key(&key) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.give_version(&mut object);
        self.tell(happened, key.resource, &object);
        self.served.insert(key, object);
    }

    /// Changes an object, if it is there.
    pub(super) fn modify(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.served.get(key).cloned() {
            change(&mut object);
            self.put(key.clone(), object);
        }
    }

    /// Deletes an object, if it is there.
    pub(super) fn delete(&mut self, key: &Key) {
        if let Some(mut object) = self.served.remove(key) {
            self.give_version(&mut object);
            self.tell("DELETED", key.resource, &object);
        }
    }

    fn give_version(&mut self, object: &mut Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
    }

    fn tell(&mut self, happened: &str, resource: Resource, object: &Value) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back((resource, line(happened, object)));
    }
}

/// An event as a watch sends it.
pub(super) fn line(happened: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({ "type": happened, "object": object })).into()
}

#[cfg(test)]
mod tests;
