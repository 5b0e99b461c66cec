//! Takes pods: which addresses they have, where they listen, and for which span of time.

use std::net::IpAddr;
use std::sync::Arc;

use super::known_pod::{KnownPod, ListeningPlaces};
use super::{DirectoryState, lost};
use crate::directory::ownership::{Ownership, Ownerships};
use crate::directory::parties::Pod;
use crate::directory::records::PodRecord;
use crate::directory::validity::Validity;
use crate::moment::Moment;

impl DirectoryState {
    pub(super) fn apply_pod(&mut self, record: PodRecord, now: Moment) {
        let uid = self.texts.share(&record.uid);
        let party = self.assign_addresses(&record, now);
        let (addresses, listens) = match self.pods.remove(&uid) {
            Some(before) => (before.addresses, before.listens),
            None => Default::default(),
        };
        self.end_addresses(&uid, &lost(&addresses, &record.addresses), now);
        let declared = || ListeningPlaces {
            declared: record.ports.as_slice().into(),
            places: [].into(),
        };
        let known = KnownPod {
            addresses: record.addresses.as_slice().into(),
            listens: listens.or_else(|| (!record.ports.is_empty()).then(|| declared().into())),
            party,
            record: self.rules.read_services().then(|| Arc::new(record)),
        };
        self.pods.insert(uid.clone(), known);
        self.update_listening(&uid, now);
    }

    pub(super) fn delete_pod(&mut self, uid: &str, now: Moment) {
        let Some(pod) = self.pods.remove(uid) else { return };
        self.end_addresses(uid, &pod.addresses, now);
        if let Some(listens) = &pod.listens {
            self.end_listening(uid, &listens.places, now);
        }
        let name = pod.party.name.shared();
        let directory = &mut self.directory;
        directory
            .pods_by_name
            .change(&name, &mut directory.changes, |ownerships| {
                ownerships.end(now, |other| *other.uid == *uid);
            });
    }

    /// Updates the name of a known pod, from `since` on.
    pub(super) fn rename_pod(&mut self, record: &PodRecord, since: Moment) {
        let party = self.assign_addresses(record, since);
        if let Some(known) = self.pods.get_mut(&*record.uid) {
            known.party = party;
        }
        self.update_listening(&record.uid, since);
    }

    /// Makes a pod the owner of its name and its addresses, as the party that it is from `now` on.
    fn assign_addresses(&mut self, record: &PodRecord, now: Moment) -> Arc<Pod> {
        let pod = Arc::new(self.pod(record, now));
        let same = |other: &Pod| other.uid == pod.uid;
        let started = record.started.unwrap_or(Moment::MIN);
        let until = record.finished.unwrap_or(Moment::MAX);
        let ownership = |since, assigned| Ownership {
            span: Validity { since, until },
            assigned,
            released: record.leaves.unwrap_or(Moment::MAX),
            owner: pod.clone(),
        };
        let before = self.pods.get(&*record.uid);
        let before = before.map_or(&[][..], |known| &known.addresses);
        let directory = &mut self.directory;
        for address in record.addresses.iter().filter(|_| !record.host_network) {
            // A pod whose node was restarted gets a new address, which another pod had while this one ran.
            let is_its_first = before.is_empty() || before.contains(address);
            let since = if is_its_first {
                started
            } else {
                record.addressed.unwrap_or(now).max(started)
            };
            let ownership = ownership(since, record.addressed.unwrap_or(Moment::MAX));
            let changes = &mut directory.changes;
            directory
                .pods
                .change(address, changes, |ownerships| ownerships.set(ownership, same));
        }
        // A name belongs to one pod at a time.
        let named = ownership(started, record.started.unwrap_or(Moment::MAX));
        directory
            .pods_by_name
            .change(&pod.name.shared(), &mut directory.changes, |ownerships| {
                ownerships.set(named, same);
            });
        pod
    }

    /// Updates where a pod listens as of `now`: on the ports that it declares of its node's addresses, and on the shared addresses
    /// and ports that slices name for it.
    pub(super) fn update_listening(&mut self, uid: &str, now: Moment) {
        let Some(known) = self.pods.get(uid) else { return };
        let is_host_network = known.party.is_host_network;
        let own = || known.addresses.iter().copied();
        let before = known.listens.as_deref();
        let declared = before.map_or(&[][..], |listens| &listens.declared);
        let declared = declared
            .iter()
            .flat_map(|port| own().map(|address| (address, *port)));
        let mut listens: Vec<(IpAddr, u16)> = declared.collect();
        for backend in self.directory.backends_of(&known.party) {
            match (backend.port, backend.address) {
                (Some(port), Some(address)) if is_host_network || !known.addresses.contains(&address) => {
                    listens.push((address, port.number));
                }
                (Some(port), None) if is_host_network => {
                    listens.extend(own().map(|address| (address, port.number)));
                }
                _ => {}
            }
        }
        listens.sort_unstable();
        listens.dedup();
        let gone = before.into_iter().flat_map(|before| before.places.iter());
        let gone: Vec<(IpAddr, u16)> = gone.filter(|place| !listens.contains(place)).copied().collect();
        if listens.is_empty() && gone.is_empty() {
            return;
        }
        let named = self.directory.pods_by_name.known(&*known.party.name);
        let Some(named) = named.and_then(|ownerships| ownerships.find(|other| *other.uid == *uid)) else {
            return;
        };
        let ownership = Ownership {
            assigned: Moment::MAX,
            ..named.clone()
        };
        for (address, port) in &listens {
            let ownership = ownership.clone();
            let directory = &mut self.directory;
            directory
                .listeners
                .change(address, &mut directory.changes, |by_port| {
                    let ownerships: &mut Ownerships<Pod> = by_port.entry(*port).or_default();
                    ownerships.set(ownership, |other| *other.uid == *uid);
                });
        }
        self.end_listening(uid, &gone, now);
        if let Some(known) = self.pods.get_mut(uid) {
            known.listens.get_or_insert_default().places = listens.into();
        }
    }

    fn end_addresses(&mut self, uid: &str, addresses: &[IpAddr], now: Moment) {
        let directory = &mut self.directory;
        for address in addresses {
            directory
                .pods
                .change(address, &mut directory.changes, |ownerships| {
                    ownerships.end(now, |other| *other.uid == *uid);
                });
        }
    }

    fn end_listening(&mut self, uid: &str, places: &[(IpAddr, u16)], now: Moment) {
        let directory = &mut self.directory;
        for (address, port) in places {
            directory
                .listeners
                .change(address, &mut directory.changes, |by_port| {
                    if let Some(ownerships) = by_port.get_mut(port) {
                        ownerships.end(now, |other| *other.uid == *uid);
                    }
                });
        }
    }

    /// The uid of the pod that an endpoint names, by uid or else by namespace and name.
    pub(super) fn target(&self, target: &str) -> Option<Arc<str>> {
        if let Some((uid, _)) = self.pods.get_key_value(target) {
            return Some(uid.clone());
        }
        let (namespace, name) = target.split_once('/')?;
        let named = self.directory.pods_by_name.known(name)?;
        let is_there = |pod: &Pod| *pod.namespace == *namespace && self.pods.contains_key(&*pod.uid);
        Some(named.find(is_there)?.owner.uid.shared())
    }
}
