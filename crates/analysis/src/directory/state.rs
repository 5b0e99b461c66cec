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
use super::{Backend, Directory, Host, Pod, Service};
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
        match (record, before) {
            (Record::Pod(pod), Some(Record::Pod(before))) => self.apply_pod(&pod, Some(&before), now),
            (Record::Pod(pod), _) => self.apply_pod(&pod, None, now),
            (Record::Service(service), Some(Record::Service(before))) => {
                self.apply_service(&service, Some(&before), now);
            }
            (Record::Service(service), _) => self.apply_service(&service, None, now),
            (Record::EndpointSlice(slice), before) => {
                let before = match before {
                    Some(Record::EndpointSlice(before)) => Some(before),
                    _ => None,
                };
                self.apply_slice(&slice, before.as_ref(), now);
            }
            (Record::Node(node), before) => {
                if let Some(Record::Node(before)) = before {
                    self.remove_node(&before);
                }
                self.add_node(&node);
            }
            (Record::ServiceEntry(entry), before) => {
                let before = match before {
                    Some(Record::ServiceEntry(before)) => Some(before),
                    _ => None,
                };
                self.apply_service_entry(&entry, before.as_ref(), now);
            }
        }
    }

    /// Takes the deletion of an object, observed at `now`. What held an address until now is remembered for [`MEMORY`].
    pub fn delete(&mut self, key: &Key, now: Moment) {
        let Some(record) = self.records.remove(key) else {
            return;
        };
        match record {
            Record::Pod(pod) => self.end_addresses(&pod, &pod.addresses, now),
            Record::Service(service) => {
                let key = qualified(&service.namespace, &service.name).into();
                self.list_service(&key, None);
                self.end_service_addresses(&service, &service.addresses, now);
                self.rename_pods_of(&service, now);
            }
            Record::EndpointSlice(slice) => {
                self.set_slice(&slice, &slice.pods, &[]);
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
        let changes = &mut directory.changes;
        directory.pods.change_where(
            |tenures| tenures.ended_before(limit),
            changes,
            |tenures| tenures.forget_ended_before(limit),
        );
        directory.host_network.change_where(
            |by_port| by_port.values().any(|tenures| tenures.ended_before(limit)),
            changes,
            |by_port| {
                by_port.retain(|_, tenures| {
                    tenures.forget_ended_before(limit);
                    !tenures.is_empty()
                });
            },
        );
        directory.service_addresses.change_where(
            |tenures| tenures.ended_before(limit),
            changes,
            |tenures| tenures.forget_ended_before(limit),
        );
        directory.endpoints.change_where(
            |claims| claims.ended_before(limit),
            changes,
            |claims| claims.forget_ended_before(limit),
        );
        if directory.outside.known().blocks.ended_before(limit) {
            directory
                .outside
                .change(changes)
                .blocks
                .forget_ended_before(limit);
        }
    }

    /// A new version, if an answer changed since the last one.
    pub fn publish(&mut self) -> Option<Directory> {
        self.directory.changes.publish().then(|| self.directory.clone())
    }

    fn apply_pod(&mut self, record: &PodRecord, before: Option<&PodRecord>, now: Moment) {
        let pod = Arc::new(self.pod(record, now));
        let held = Validity {
            since: record.started.unwrap_or(Moment::MIN),
            until: record.finished.unwrap_or(Moment::MAX),
        };
        let directory = &mut self.directory;
        for address in &record.addresses {
            let tenure = Tenure {
                held,
                holder: pod.clone(),
            };
            let same = |other: &Pod| other.uid == pod.uid;
            let changes = &mut directory.changes;
            if record.host_network {
                directory.host_network.change(address, changes, |by_port| {
                    for port in &record.ports {
                        by_port.entry(*port).or_default().set(tenure.clone(), same);
                    }
                });
            } else {
                directory
                    .pods
                    .change(address, changes, |tenures| tenures.set(tenure, same));
            }
        }
        if let Some(before) = before {
            self.end_addresses(before, &lost(&before.addresses, &record.addresses), now);
        }
    }

    fn end_addresses(&mut self, pod: &PodRecord, addresses: &[IpAddr], now: Moment) {
        let same = |other: &Pod| *other.uid == *pod.uid;
        for address in addresses {
            let Directory {
                changes,
                pods,
                host_network,
                ..
            } = &mut self.directory;
            pods.change(address, changes, |tenures| tenures.end(now, same));
            host_network.change(address, changes, |by_port| {
                for port in &pod.ports {
                    if let Some(tenures) = by_port.get_mut(port) {
                        tenures.end(now, same);
                    }
                }
            });
        }
    }

    fn apply_service(&mut self, record: &ServiceRecord, before: Option<&ServiceRecord>, now: Moment) {
        let key: Arc<str> = qualified(&record.namespace, &record.name).into();
        let known = self.directory.services.known(&key).and_then(Option::as_ref);
        let known = known.filter(|known| is_same_service(known, record));
        let service = Arc::new(Service {
            name: record.name.as_str().into(),
            namespace: record.namespace.as_str().into(),
            created: record.created,
            ports: record.ports.as_slice().into(),
            names: names(known.map(|known| &known.names), self.rules.service(record), now),
            host: Host::default(),
        });
        self.list_service(&key, Some(service.clone()));
        for address in &record.addresses {
            let held = Validity {
                since: record.created,
                until: Moment::MAX,
            };
            let tenure = Tenure {
                held,
                holder: service.clone(),
            };
            let directory = &mut self.directory;
            directory
                .service_addresses
                .change(address, &mut directory.changes, |tenures| {
                    tenures.set(tenure, |other| is_same_service(other, record));
                });
        }
        if let Some(before) = before {
            self.end_service_addresses(before, &lost(&before.addresses, &record.addresses), now);
        }
        self.rename_pods_of(record, if before.is_some() { now } else { record.created });
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
                .change(address, &mut directory.changes, |tenures| {
                    tenures.end(now, |other| is_same_service(other, service));
                });
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
        let earlier = before.map_or(&[][..], |before| &before.pods);
        self.set_slice(slice, earlier, &slice.pods);
        if let Some(before) = before {
            self.directory.end_endpoints(before, &slice.addresses, now);
        }
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

    /// Lets a slice name the pods `now`, by uid, and no other of those that it named `before`.
    fn set_slice(&mut self, slice: &EndpointSliceRecord, before: &[String], now: &[String]) {
        let name: Arc<str> = qualified(&slice.namespace, &slice.name).into();
        let service: Arc<str> = qualified(&slice.namespace, &slice.service).into();
        let backend = |port| Backend {
            slice: name.clone(),
            service: service.clone(),
            port,
        };
        let ports = slice.ports.iter().copied().map(Some);
        let none = slice.ports.is_empty().then_some(None);
        let own: Vec<Backend> = ports.chain(none).map(backend).collect();
        let named: HashSet<&String> = now.iter().collect();
        let gone: HashSet<&String> = before.iter().filter(|uid| !named.contains(uid)).collect();
        let Directory {
            changes, backends, ..
        } = &mut self.directory;
        for uid in gone {
            backends.change(&uid.as_str().into(), changes, |of_pod| {
                of_pod.retain(|backend| backend.slice != name);
            });
        }
        for uid in named {
            backends.change(&uid.as_str().into(), changes, |of_pod| {
                of_pod.retain(|backend| backend.slice != name);
                let place = of_pod.partition_point(|backend| backend.slice < name);
                of_pod.splice(place..place, own.iter().cloned());
            });
        }
    }

    fn add_node(&mut self, node: &NodeRecord) {
        let Directory { changes, nodes, .. } = &mut self.directory;
        for address in &node.addresses {
            nodes.change(address, changes, |count| *count += 1);
        }
    }

    fn remove_node(&mut self, node: &NodeRecord) {
        let Directory { changes, nodes, .. } = &mut self.directory;
        for address in &node.addresses {
            nodes.change(address, changes, |count| *count = count.saturating_sub(1));
        }
    }
}

/// The addresses that an object had before and has no more.
fn lost(before: &[IpAddr], now: &[IpAddr]) -> Vec<IpAddr> {
    let lost = before.iter().filter(|address| !now.contains(address));
    lost.copied().collect()
}

/// A Service that comes back under its old name is another one.
fn is_same_service(service: &Service, record: &ServiceRecord) -> bool {
    (&*service.namespace, &*service.name, service.created)
        == (&*record.namespace, &*record.name, record.created)
}
