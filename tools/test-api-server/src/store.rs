//! The objects, their versions, and every change of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kind::{ServedKind, ServedKinds};

/// The key of a stored object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    /// The plural with its group.
    pub(crate) resource: String,
    /// Empty for what is of the whole cluster.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    /// The time since the server started.
    pub(crate) at: Duration,
    pub(crate) key: ObjectKey,
    pub(crate) before: Option<Arc<Value>>,
    /// The object after the change; absent for a deletion.
    pub(crate) after: Option<Arc<Value>>,
}

/// All stored objects, and every change of them.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) kinds: ServedKinds,
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    version: u64,
    changes: Vec<Change>,
    /// Changes up to this version are forgotten by watches and older lists.
    compacted: u64,
    uids: u64,
}

impl ObjectKey {
    pub(crate) fn new(kind: &ServedKind, namespace: &str, name: &str) -> Self {
        Self {
            resource: kind.resource(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            kinds: ServedKinds::built_in(),
            objects: BTreeMap::new(),
            version: 100,
            changes: Vec::new(),
            compacted: 100,
            uids: 0,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// All objects, sorted by their keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> {
        self.objects.iter()
    }

    /// The objects of a resource, in order.
    pub(crate) fn of<'a>(
        &'a self,
        resource: &'a str,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Arc<Value>)> {
        let first = ObjectKey {
            resource: resource.to_owned(),
            namespace: String::new(),
            name: String::new(),
        };
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.resource == resource)
    }

    /// A uid that no other object has.
    pub(crate) fn uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Stores an object under the next version, or takes it out. Returns it as it is stored, or as it was last.
    pub(crate) fn commit(&mut self, key: &ObjectKey, object: Option<Value>, at: Duration) -> Arc<Value> {
        self.version += 1;
        let before = self.objects.get(key).cloned();
        let after = object.map(|mut object| {
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            Arc::new(object)
        });
        match &after {
            Some(after) => {
                self.objects.insert(key.clone(), after.clone());
            }
            None => {
                self.objects.remove(key);
            }
        }
        self.changes.push(Change {
            version: self.version,
            at,
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        });
        after.or(before).unwrap_or_default()
    }

    /// The changes after a resourceVersion.
    pub(crate) fn changes_after(&self, version: u64) -> &[Change] {
        let place = self.changes.partition_point(|change| change.version <= version);
        self.changes.get(place..).unwrap_or_default()
    }

    /// The version that was the newest at a time.
    pub(crate) fn version_at(&self, at: Duration) -> u64 {
        let place = self.changes.partition_point(|change| change.at <= at);
        match place.checked_sub(1).and_then(|place| self.changes.get(place)) {
            Some(change) => change.version,
            None => self
                .changes
                .first()
                .map_or(self.version, |change| change.version - 1),
        }
    }

    /// The objects of a resource at a version, in one namespace or in all.
    pub(crate) fn list(
        &self,
        resource: &str,
        namespace: Option<&str>,
        version: u64,
    ) -> Vec<(ObjectKey, Arc<Value>)> {
        let is_listed = |key: &ObjectKey| {
            key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace)
        };
        let first = ObjectKey {
            resource: resource.to_owned(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: String::new(),
        };
        let mut found: BTreeMap<ObjectKey, Arc<Value>> = self
            .objects
            .range(first..)
            .take_while(|(key, _)| is_listed(key))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for change in self.changes_after(version).iter().rev() {
            if is_listed(&change.key) {
                match &change.before {
                    Some(before) => found.insert(change.key.clone(), before.clone()),
                    None => found.remove(&change.key),
                };
            }
        }
        found.into_iter().collect()
    }

    /// Forgets what was before the newest version.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
    }
}
