//! The working copy of the directory. It takes watched objects and publishes a version when an answer has changed.

mod endpoints;
mod known_pod;
mod pods;
mod renaming;
mod shared_texts;
mod slices;
mod workload_entries;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Directory;
use super::name_history::NameHistory;
use super::naming_rules::NamingRules;
use super::ownership::Ownership;
use super::parties::{Service, ServiceHost};
use super::records::{
    EndpointSliceRecord, NodeRecord, ObjectKey, ObjectKind, Record, ServiceEntryRecord, ServiceRecord,
    namespaced_name,
};
use super::scope::{EXPORT_TO, exported_to};
use super::selectable::Selectable;
use super::service_entries::ServiceEntries;
use super::validity::{OWNERSHIP_RETENTION, Validity};
use crate::moment::Moment;
use known_pod::KnownPod;
use shared_texts::SharedTexts;

/// All watched objects by their identities, and the directory that follows from them.
#[derive(Debug, Default)]
pub struct DirectoryState {
    directory: Directory,
    rules: Arc<NamingRules>,
    texts: SharedTexts,
    /// Pods and `WorkloadEntries`, by uid.
    pods: HashMap<Arc<str>, KnownPod>,
    /// The namespaces of the `WorkloadEntries` among them, by uid.
    workload_entries: HashMap<Arc<str>, Arc<str>>,
    selectables: HashSet<Arc<Selectable>>,
    services: HashMap<String, ServiceRecord>,
    slices: HashMap<String, EndpointSliceRecord>,
    nodes: HashMap<String, NodeRecord>,
    service_entries: HashMap<String, ServiceEntryRecord>,
    /// For each kind that is being listed, the objects that the list has not named yet.
    unlisted: HashMap<ObjectKind, HashSet<String>>,
    /// Namespaces whose `ServiceEntries` are ignored (SkyWalking `istioServiceEntryIgnoredNamespaces`).
    ignored: HashSet<String>,
}

impl DirectoryState {
    /// A state that ignores the `ServiceEntries` of these namespaces.
    pub fn ignoring(namespaces: impl IntoIterator<Item = String>) -> Self {
        DirectoryState {
            ignored: namespaces.into_iter().collect(),
            ..DirectoryState::default()
        }
    }

    /// The state with these naming rules, before it takes any object.
    #[must_use]
    pub fn with_naming_rules(self, rules: NamingRules) -> Self {
        let rules = Arc::new(rules);
        DirectoryState { rules, ..self }
    }

    /// The naming rules. A source keeps only the metadata that they read.
    pub fn naming_rules(&self) -> &Arc<NamingRules> {
        &self.rules
    }

    /// Begins a complete list of `kind`. Objects that it has not named by [`DirectoryState::end_list`] are gone.
    pub fn begin_list(&mut self, kind: ObjectKind) {
        let known = match kind {
            ObjectKind::Pod | ObjectKind::WorkloadEntry => self.uids(kind == ObjectKind::WorkloadEntry),
            ObjectKind::Service => self.services.keys().cloned().collect(),
            ObjectKind::EndpointSlice => self.slices.keys().cloned().collect(),
            ObjectKind::Node => self.nodes.keys().cloned().collect(),
            ObjectKind::ServiceEntry => self.service_entries.keys().cloned().collect(),
        };
        self.unlisted.insert(kind, known);
    }

    /// Ends a complete list of `kind`, observed at `now`.
    pub fn end_list(&mut self, kind: ObjectKind, now: Moment) {
        for id in self.unlisted.remove(&kind).unwrap_or_default() {
            self.delete(&ObjectKey { kind, id }, now);
        }
    }

    /// Notes that an object exists which can't be decoded. The current list counts it as named, and what is known of it stays.
    pub fn keep(&mut self, key: &ObjectKey) {
        if let Some(unlisted) = self.unlisted.get_mut(&key.kind) {
            unlisted.remove(&key.id);
        }
    }

    /// Takes an object as it is at `now`.
    pub fn apply(&mut self, record: Record, now: Moment) {
        if matches!(&record, Record::ServiceEntry(entry) if self.ignored.contains(&entry.namespace)) {
            return;
        }
        let key = record.key();
        self.keep(&key);
        let id = key.id;
        match record {
            Record::Pod(pod) => self.apply_pod(pod, now),
            Record::WorkloadEntry(entry) => self.apply_workload_entry(entry, now),
            Record::Service(service) => {
                let before = self.services.insert(id, service.clone());
                if before.as_ref() != Some(&service) {
                    self.apply_service(&service, before.as_ref(), now);
                }
            }
            Record::EndpointSlice(slice) => {
                let before = self.slices.insert(id, slice.clone());
                if before.as_ref() != Some(&slice) {
                    self.apply_slice(&slice, before.as_ref(), now);
                }
            }
            Record::Node(node) => {
                let before = self.nodes.insert(id, node.clone());
                if before.as_ref() != Some(&node) {
                    self.apply_node(&node, before.as_ref());
                }
            }
            Record::ServiceEntry(entry) => {
                let before = self.service_entries.insert(id, entry.clone());
                if before.as_ref() != Some(&entry) {
                    self.apply_service_entry(&entry, before.as_ref(), now);
                }
            }
        }
    }

    /// Takes the deletion of an object, observed at `now`. What held an address until now is remembered for [`OWNERSHIP_RETENTION`].
    pub fn delete(&mut self, key: &ObjectKey, now: Moment) {
        match key.kind {
            ObjectKind::Pod => self.delete_pod(&key.id, now),
            ObjectKind::WorkloadEntry => self.delete_workload_entry(&key.id, now),
            ObjectKind::Service => self.delete_service(&key.id, now),
            ObjectKind::EndpointSlice => self.delete_slice(&key.id, now),
            ObjectKind::Node => {
                if let Some(node) = self.nodes.remove(&key.id) {
                    self.remove_node(&node);
                }
            }
            ObjectKind::ServiceEntry => {
                if let Some(entry) = self.service_entries.remove(&key.id) {
                    self.service_entries_to_change().remove(&entry, &[], now);
                }
            }
        }
    }

    fn delete_service(&mut self, id: &str, now: Moment) {
        if let Some(service) = self.services.remove(id) {
            self.list_service(&id.into(), None);
            self.select_workload_entries(&service.namespace, now);
            self.end_service_addresses(&service, &service.addresses, now);
            self.rename_pods_of(&service, now);
        }
    }

    fn delete_slice(&mut self, id: &str, now: Moment) {
        if let Some(slice) = self.slices.remove(id) {
            self.set_slice(&slice, &slice.pods, &[], now);
            self.end_endpoints(&slice, &[], now);
            let renamed: Vec<_> = slice.pods.into_iter().map(|pod| (pod.target, now)).collect();
            self.rename_pods(&renamed);
        }
    }

    /// Forgets ownerships and claims that ended more than [`OWNERSHIP_RETENTION`] before `now`.
    pub fn forget(&mut self, now: Moment) {
        let limit = now.minus(OWNERSHIP_RETENTION);
        let directory = &mut self.directory;
        let changes = &mut directory.changes;
        directory.pods.change_where(
            |ownerships| ownerships.ended_before(limit),
            changes,
            |ownerships| ownerships.forget_ended_before(limit),
        );
        directory.pods_by_name.change_where(
            |ownerships| ownerships.ended_before(limit),
            changes,
            |ownerships| ownerships.forget_ended_before(limit),
        );
        directory.listeners.change_where(
            |by_port| by_port.values().any(|ownerships| ownerships.ended_before(limit)),
            changes,
            |by_port| {
                by_port.retain(|_, ownerships| {
                    ownerships.forget_ended_before(limit);
                    !ownerships.is_empty()
                });
            },
        );
        directory.service_addresses.change_where(
            |ownerships| ownerships.ended_before(limit),
            changes,
            |ownerships| ownerships.forget_ended_before(limit),
        );
        directory.endpoints.change_where(
            |claims| claims.ended_before(limit),
            changes,
            |claims| claims.forget_ended_before(limit),
        );
        if directory.service_entries.known().blocks.ended_before(limit) {
            directory
                .service_entries
                .change(changes)
                .blocks
                .forget_ended_before(limit);
        }
        self.selectables
            .retain(|selectable| Arc::strong_count(selectable) > 1);
        self.texts.forget_unused();
    }

    /// A new version, if an answer changed since the last one.
    pub fn publish(&mut self) -> Option<Directory> {
        self.directory.changes.publish().then(|| self.directory.clone())
    }

    fn apply_service(&mut self, record: &ServiceRecord, before: Option<&ServiceRecord>, now: Moment) {
        let key: Arc<str> = namespaced_name(&record.namespace, &record.name).into();
        let known = self.directory.services.known(&key).and_then(Option::as_ref);
        let known = known.filter(|known| is_same_service(known, record));
        let service = Arc::new(Service {
            name: record.name.as_str().into(),
            namespace: record.namespace.as_str().into(),
            created: record.created,
            ports: record.ports.as_slice().into(),
            export_to: exported_to(record.annotations.get(EXPORT_TO).map_or("", String::as_str)),
            is_headless: record.addresses.is_empty(),
            names: NameHistory::extended(known.map(|known| &known.names), self.rules.service(record), now),
            host: ServiceHost::default(),
        });
        self.list_service(&key, Some(service.clone()));
        for address in &record.addresses {
            let held = Validity {
                since: record.created,
                until: Moment::MAX,
            };
            let ownership = Ownership::shared(held, service.clone());
            let directory = &mut self.directory;
            directory
                .service_addresses
                .change(address, &mut directory.changes, |ownerships| {
                    ownerships.set(ownership, |other| is_same_service(other, record));
                });
        }
        if let Some(before) = before {
            self.end_service_addresses(before, &lost(&before.addresses, &record.addresses), now);
        }
        let since = if before.is_some() { now } else { record.created };
        self.select_workload_entries(&record.namespace, since);
        self.rename_pods_of(record, since);
    }

    fn list_service(&mut self, key: &Arc<str>, service: Option<Arc<Service>>) {
        let directory = &mut self.directory;
        directory
            .services
            .change(key, &mut directory.changes, |listed| *listed = service);
    }

    fn end_service_addresses(&mut self, service: &ServiceRecord, addresses: &[IpAddr], now: Moment) {
        for address in addresses {
            let directory = &mut self.directory;
            directory
                .service_addresses
                .change(address, &mut directory.changes, |ownerships| {
                    ownerships.end(now, |other| is_same_service(other, service));
                });
        }
    }

    /// Takes a slice. An endpoint of its first version has been there since the slice was created, a later one since `now`.
    fn apply_slice(
        &mut self,
        slice: &EndpointSliceRecord,
        before: Option<&EndpointSliceRecord>,
        now: Moment,
    ) {
        let renamed = self.renamed_by(slice, before, now);
        let earlier = before.map_or(&[][..], |before| &before.pods);
        self.set_slice(slice, earlier, &slice.pods, now);
        if let Some(before) = before {
            self.end_endpoints(before, &slice.addresses, now);
        }
        let since = if before.is_some() { now } else { slice.created };
        let name = self.rules.endpoint(slice);
        self.claim_endpoints(slice, name, since);
        self.rename_pods(&renamed);
    }

    fn apply_service_entry(
        &mut self,
        entry: &ServiceEntryRecord,
        before: Option<&ServiceEntryRecord>,
        now: Moment,
    ) {
        let known = before.and_then(|before| self.directory.service_entries.known().names(before));
        let names = NameHistory::extended(known, self.rules.service_entry(entry), now);
        if let Some(before) = before {
            self.service_entries_to_change()
                .remove(before, &entry.addresses, now);
        }
        let since = if before.is_some() { now } else { entry.created };
        self.service_entries_to_change().add(entry, &names, since);
    }

    fn service_entries_to_change(&mut self) -> &mut ServiceEntries {
        let Directory {
            changes,
            service_entries,
            ..
        } = &mut self.directory;
        service_entries.change(changes)
    }

    fn apply_node(&mut self, node: &NodeRecord, before: Option<&NodeRecord>) {
        if let Some(before) = before {
            self.remove_node(before);
        }
        let Directory {
            changes,
            node_addresses,
            ..
        } = &mut self.directory;
        for address in &node.addresses {
            node_addresses.change(address, changes, |count| *count += 1);
        }
    }

    fn remove_node(&mut self, node: &NodeRecord) {
        let Directory {
            changes,
            node_addresses,
            ..
        } = &mut self.directory;
        for address in &node.addresses {
            node_addresses.change(address, changes, |count| *count = count.saturating_sub(1));
        }
    }
}

/// The addresses that an object had `before` and does not have now.
fn lost(before: &[IpAddr], now: &[IpAddr]) -> Vec<IpAddr> {
    let lost = before.iter().filter(|address| !now.contains(address));
    lost.copied().collect()
}

/// Whether the record is of this Service; a Service that was created again under its old name is another one.
fn is_same_service(service: &Service, record: &ServiceRecord) -> bool {
    (&*service.namespace, &*service.name, service.created)
        == (&*record.namespace, &*record.name, record.created)
}
