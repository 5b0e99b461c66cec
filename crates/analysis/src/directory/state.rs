//! The working copy of the directory: takes watched objects, publishes a version when an answer changed.

mod renaming;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::naming::NamingRules;
use super::records::{
    EndpointSliceRecord, Key, Kind, NodeRecord, PodRecord, Record, ServiceEntryRecord, ServiceRecord,
    qualified,
};
use super::tenure::{Tenure, Validity};
use super::{Backend, Directory, Pod, Service};
use crate::moment::Moment;
use renaming::names;

/// How long an address remembers a pod or Service that is gone.
pub const MEMORY: Duration = Duration::from_mins(10);

/// All watched objects and the directory that follows from them.
#[derive(Debug, Default)]
pub struct State {
    directory: Directory,
    rules: Arc<NamingRules>,
    records: HashMap<Key, Record>,
    /// Of a kind that is being listed anew: what the list has not named yet.
    unlisted: HashMap<Kind, HashSet<Key>>,
    /// Namespaces whose `ServiceEntries` are not there (SkyWalking `istioServiceEntryIgnoredNamespaces`).
    ignored: HashSet<String>,
    changed: bool,
}

impl State {
    /// A state that ignores the `ServiceEntries` of these namespaces.
    pub fn ignoring(namespaces: impl IntoIterator<Item = String>) -> Self {
        State {
            ignored: namespaces.into_iter().collect(),
            ..State::default()
        }
    }

    /// The state with these rules of names, before it takes any object.
    #[must_use]
    pub fn named_by(self, rules: NamingRules) -> Self {
        let rules = Arc::new(rules);
        State { rules, ..self }
    }

    /// The rules of names: sources keep the metadata that they read.
    pub fn naming_rules(&self) -> &Arc<NamingRules> {
        &self.rules
    }

    /// Begins a complete list of `kind`: what it does not name by [`State::end_list`] is gone.
    pub fn begin_list(&mut self, kind: Kind) {
        let known = self
            .records
            .keys()
            .filter(|key| key.kind == kind)
            .cloned()
            .collect();
        self.unlisted.insert(kind, known);
    }

    /// Ends a complete list of `kind`, observed at `now`.
    pub fn end_list(&mut self, kind: Kind, now: Moment) {
        for key in self.unlisted.remove(&kind).unwrap_or_default() {
            self.delete(&key, now);
        }
    }

    /// Takes an object as it is at `now`.
    pub fn apply(&mut self, record: Record, now: Moment) {
        if matches!(&record, Record::ServiceEntry(entry) if self.ignored.contains(&entry.namespace)) {
            return;
        }
        let key = record.key();
        if let Some(unlisted) = self.unlisted.get_mut(&key.kind) {
            unlisted.remove(&key);
        }
        let before = self.records.insert(key, record.clone());
        if before.as_ref() == Some(&record) {
            return;
        }
        self.changed |= match (record, before) {
            (Record::Pod(pod), Some(Record::Pod(before))) => self.apply_pod(&pod, Some(&before), now),
            (Record::Pod(pod), _) => self.apply_pod(&pod, None, now),
            (Record::Service(service), Some(Record::Service(before))) => {
                self.apply_service(&service, Some(&before), now)
            }
            (Record::Service(service), _) => self.apply_service(&service, None, now),
            (Record::EndpointSlice(slice), before) => {
                let before = match before {
                    Some(Record::EndpointSlice(before)) => Some(before),
                    _ => None,
                };
                self.apply_slice(&slice, before.as_ref(), now);
                true
            }
            (Record::Node(node), before) => {
                if let Some(Record::Node(before)) = before {
                    self.remove_node(&before);
                }
                self.add_node(&node);
                true
            }
            (Record::ServiceEntry(entry), before) => {
                let before = match before {
                    Some(Record::ServiceEntry(before)) => Some(before),
                    _ => None,
                };
                self.apply_service_entry(&entry, before.as_ref(), now);
                true
            }
        };
    }

    /// Takes the deletion of an object, observed at `now`. What held an address until now is remembered for [`MEMORY`].
    pub fn delete(&mut self, key: &Key, now: Moment) {
        let Some(record) = self.records.remove(key) else {
            return;
        };
        self.changed = true;
        match record {
            Record::Pod(pod) => self.end_addresses(&pod, &pod.addresses, now),
            Record::Service(service) => {
                self.directory
                    .services
                    .remove(qualified(&service.namespace, &service.name).as_str());
                self.end_service_addresses(&service, &service.addresses, now);
                self.rename_pods_of(&service, now);
            }
            Record::EndpointSlice(slice) => {
                self.remove_slice(&slice);
                self.directory.end_endpoints(&slice, &[], now);
                let renamed: Vec<_> = slice.pods.into_iter().map(|uid| (uid, now)).collect();
                self.rename_pods(&renamed);
            }
            Record::Node(node) => self.remove_node(&node),
            Record::ServiceEntry(entry) => self.directory.end_external(&entry, &[], now),
        }
    }

    /// Forgets tenures that ended more than [`MEMORY`] before `now`.
    pub fn forget(&mut self, now: Moment) {
        let limit = now.minus(MEMORY);
        let directory = &mut self.directory;
        let before = directory.pods.len() + directory.host_network.len() + directory.service_addresses.len();
        directory
            .pods
            .retain(|_, tenures| tenures.forget_ended_before(limit));
        directory
            .host_network
            .retain(|_, tenures| tenures.forget_ended_before(limit));
        directory
            .service_addresses
            .retain(|_, tenures| tenures.forget_ended_before(limit));
        let after = directory.pods.len() + directory.host_network.len() + directory.service_addresses.len();
        self.changed |= before != after;
        self.changed |= directory.endpoints.forget_ended_before(limit);
        self.changed |= directory.external.forget_ended_before(limit);
    }

    /// A new version, if an answer changed since the last one.
    pub fn publish(&mut self) -> Option<Directory> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.directory.version += 1;
        Some(self.directory.clone())
    }

    fn apply_pod(&mut self, record: &PodRecord, before: Option<&PodRecord>, now: Moment) -> bool {
        let pod = Arc::new(self.pod(record, now));
        let held = Validity {
            since: record.started.unwrap_or(Moment::MIN),
            until: record.finished.unwrap_or(Moment::MAX),
        };
        let mut changed = false;
        for address in &record.addresses {
            let tenure = Tenure {
                held,
                holder: pod.clone(),
            };
            let same = |other: &Pod| other.uid == pod.uid;
            if record.host_network {
                for port in &record.ports {
                    let tenures = self.directory.host_network.entry((*address, *port)).or_default();
                    changed |= tenures.set(tenure.clone(), same);
                }
            } else {
                changed |= self.directory.pods.entry(*address).or_default().set(tenure, same);
            }
        }
        if let Some(before) = before {
            let lost: Vec<IpAddr> = before
                .addresses
                .iter()
                .filter(|address| !record.addresses.contains(address))
                .copied()
                .collect();
            changed |= !lost.is_empty();
            self.end_addresses(before, &lost, now);
        }
        changed
    }

    fn end_addresses(&mut self, pod: &PodRecord, addresses: &[IpAddr], now: Moment) {
        let same = |other: &Pod| *other.uid == *pod.uid;
        for address in addresses {
            if let Some(tenures) = self.directory.pods.get_mut(address) {
                tenures.end(now, same);
            }
            for port in &pod.ports {
                if let Some(tenures) = self.directory.host_network.get_mut(&(*address, *port)) {
                    tenures.end(now, same);
                }
            }
        }
    }

    fn apply_service(&mut self, record: &ServiceRecord, before: Option<&ServiceRecord>, now: Moment) -> bool {
        let key: Arc<str> = qualified(&record.namespace, &record.name).into();
        let known = self.directory.services.get(&key);
        let known = known.filter(|known| is_same_service(known, record));
        let service = Arc::new(Service {
            name: record.name.as_str().into(),
            namespace: record.namespace.as_str().into(),
            created: record.created,
            ports: record.ports.as_slice().into(),
            names: names(known.map(|known| &known.names), self.rules.service(record), now),
        });
        self.directory.services.insert(key, service.clone());
        for address in &record.addresses {
            let held = Validity {
                since: record.created,
                until: Moment::MAX,
            };
            let tenures = self.directory.service_addresses.entry(*address).or_default();
            tenures.set(
                Tenure {
                    held,
                    holder: service.clone(),
                },
                |other| is_same_service(other, record),
            );
        }
        if let Some(before) = before {
            let lost: Vec<IpAddr> = before
                .addresses
                .iter()
                .filter(|address| !record.addresses.contains(address))
                .copied()
                .collect();
            self.end_service_addresses(before, &lost, now);
        }
        self.rename_pods_of(record, if before.is_some() { now } else { record.created });
        true
    }

    fn end_service_addresses(&mut self, service: &ServiceRecord, addresses: &[IpAddr], now: Moment) {
        for address in addresses {
            if let Some(tenures) = self.directory.service_addresses.get_mut(address) {
                tenures.end(now, |other| is_same_service(other, service));
            }
        }
    }

    /// An endpoint that was there at once has been there since the object was; one that came later, since now.
    fn apply_slice(
        &mut self,
        slice: &EndpointSliceRecord,
        before: Option<&EndpointSliceRecord>,
        now: Moment,
    ) {
        let renamed = self.renamed_by(slice, before, now);
        if let Some(before) = before {
            self.remove_slice(before);
            self.directory.end_endpoints(before, &slice.addresses, now);
        }
        self.add_slice(slice);
        let since = if before.is_some() { now } else { slice.created };
        let name = self.rules.endpoint(slice);
        self.directory.claim_endpoints(slice, name, since);
        self.rename_pods(&renamed);
    }

    fn apply_service_entry(
        &mut self,
        entry: &ServiceEntryRecord,
        before: Option<&ServiceEntryRecord>,
        now: Moment,
    ) {
        let known = before.and_then(|before| self.directory.names_of_external(before));
        let names = names(known, self.rules.service_entry(entry), now);
        if let Some(before) = before {
            self.directory.end_external(before, &entry.addresses, now);
        }
        let since = if before.is_some() { now } else { entry.created };
        self.directory.claim_external(entry, &names, since);
    }

    fn add_slice(&mut self, slice: &EndpointSliceRecord) {
        let name: Arc<str> = qualified(&slice.namespace, &slice.name).into();
        let service: Arc<str> = qualified(&slice.namespace, &slice.service).into();
        for uid in &slice.pods {
            let backends = self.directory.backends.entry(uid.as_str().into()).or_default();
            let backend = |port| Backend {
                slice: name.clone(),
                service: service.clone(),
                port,
            };
            if slice.ports.is_empty() {
                backends.push(backend(None));
            }
            backends.extend(slice.ports.iter().copied().map(Some).map(backend));
        }
    }

    fn remove_slice(&mut self, slice: &EndpointSliceRecord) {
        let name = qualified(&slice.namespace, &slice.name);
        for uid in &slice.pods {
            if let Some(backends) = self.directory.backends.get_mut(uid.as_str()) {
                backends.retain(|backend| *backend.slice != *name);
                if backends.is_empty() {
                    self.directory.backends.remove(uid.as_str());
                }
            }
        }
    }

    fn add_node(&mut self, node: &NodeRecord) {
        for address in &node.addresses {
            *self.directory.nodes.entry(*address).or_default() += 1;
        }
    }

    fn remove_node(&mut self, node: &NodeRecord) {
        for address in &node.addresses {
            if let Some(count) = self.directory.nodes.get_mut(address) {
                *count -= 1;
                if *count == 0 {
                    self.directory.nodes.remove(address);
                }
            }
        }
    }
}

/// A Service that comes back under its old name is another one.
fn is_same_service(service: &Service, record: &ServiceRecord) -> bool {
    (&*service.namespace, &*service.name, service.created)
        == (&*record.namespace, &*record.name, record.created)
}
