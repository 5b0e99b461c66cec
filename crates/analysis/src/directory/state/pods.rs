//! Pods: which addresses they hold, where they listen, and from when until when.

use std::net::IpAddr;
use std::sync::Arc;

use super::{State, lost};
use crate::directory::Pod;
use crate::directory::records::{PodRecord, qualified};
use crate::directory::tenure::{Tenure, Tenures, Validity};
use crate::moment::Moment;

/// What is kept of a pod. The directory has the rest, and a large mesh has many pods.
#[derive(Debug)]
pub(super) struct KnownPod {
    addresses: Box<[IpAddr]>,
    /// The ports that it declares, if it is in its node's network.
    ports: Box<[u16]>,
    is_of_host: bool,
    /// Where it listens, of addresses that are not its own alone.
    listens: Box<[(IpAddr, u16)]>,
    /// Its time, and what it is called.
    pub(super) tenure: Tenure<Pod>,
    /// All of it, where a Service may give the pod another name.
    pub(super) record: Option<Arc<PodRecord>>,
}

impl State {
    pub(super) fn apply_pod(&mut self, record: PodRecord, now: Moment) {
        let uid = self.texts.share(&record.uid);
        let tenure = self.hold_addresses(&record, now);
        let (addresses, listens) = match self.pods.remove(&uid) {
            Some(before) => (before.addresses, before.listens),
            None => Default::default(),
        };
        self.end_addresses(&uid, &lost(&addresses, &record.addresses), now);
        let known = KnownPod {
            addresses: record.addresses.as_slice().into(),
            ports: record.ports.as_slice().into(),
            is_of_host: record.host_network,
            listens,
            tenure,
            record: self.rules.read_services().then(|| Arc::new(record)),
        };
        self.pods.insert(uid.clone(), known);
        self.listen(&uid, now);
    }

    pub(super) fn delete_pod(&mut self, uid: &str, now: Moment) {
        let Some(pod) = self.pods.remove(uid) else { return };
        self.end_addresses(uid, &pod.addresses, now);
        self.end_listening(uid, &pod.listens, now);
        let holder = &pod.tenure.holder;
        let name = qualified(&holder.namespace, &holder.name).into();
        let directory = &mut self.directory;
        directory.named.change(&name, &mut directory.changes, |tenures| {
            tenures.end(now, |other| *other.uid == *uid);
        });
    }

    /// Names a known pod anew, from `since` on.
    pub(super) fn rename_pod(&mut self, record: &PodRecord, since: Moment) {
        let tenure = self.hold_addresses(record, since);
        if let Some(known) = self.pods.get_mut(&*record.uid) {
            known.tenure = tenure;
        }
        self.listen(&record.uid, since);
    }

    /// Lets a pod hold its name and its addresses, as the party that it is from `now` on.
    fn hold_addresses(&mut self, record: &PodRecord, now: Moment) -> Tenure<Pod> {
        let pod = Arc::new(self.pod(record, now));
        let same = |other: &Pod| other.uid == pod.uid;
        let started = record.started.unwrap_or(Moment::MIN);
        let until = record.finished.unwrap_or(Moment::MAX);
        let tenure = |since, given| Tenure {
            held: Validity { since, until },
            given,
            leaves: record.leaves.unwrap_or(Moment::MAX),
            holder: pod.clone(),
        };
        let before = self.pods.get(&*record.uid);
        let before = before.map_or(&[][..], |known| &known.addresses);
        let directory = &mut self.directory;
        for address in record.addresses.iter().filter(|_| !record.host_network) {
            // A pod whose node was restarted has an address that was another's while it ran.
            let is_its_first = before.is_empty() || before.contains(address);
            let since = if is_its_first {
                started
            } else {
                record.addressed.unwrap_or(now).max(started)
            };
            let tenure = tenure(since, record.addressed.unwrap_or(Moment::MAX));
            let changes = &mut directory.changes;
            directory
                .pods
                .change(address, changes, |tenures| tenures.set(tenure, same));
        }
        // There is one pod of a name at a time.
        let named = tenure(started, record.started.unwrap_or(Moment::MAX));
        let name = qualified(&record.namespace, &record.name).into();
        directory
            .named
            .change(&name, &mut directory.changes, |tenures| tenures.set(named, same));
        tenure(started, Moment::MAX)
    }

    /// Lets a pod listen where it does as of `now`: at the ports that it declares of its node's addresses, and at the addresses and
    /// ports that slices say are its, where the address is not its own alone.
    pub(super) fn listen(&mut self, uid: &str, now: Moment) {
        let Some(known) = self.pods.get(uid) else { return };
        let own = || known.addresses.iter().copied();
        let declared = known
            .ports
            .iter()
            .flat_map(|port| own().map(|address| (address, *port)));
        let mut listens: Vec<(IpAddr, u16)> = declared.collect();
        for backend in self.directory.backends_of(&known.tenure.holder) {
            match (backend.port, backend.address) {
                (Some(port), Some(address)) if known.is_of_host || !known.addresses.contains(&address) => {
                    listens.push((address, port.number));
                }
                (Some(port), None) if known.is_of_host => {
                    listens.extend(own().map(|address| (address, port.number)));
                }
                _ => {}
            }
        }
        listens.sort_unstable();
        listens.dedup();
        for (address, port) in &listens {
            let tenure = known.tenure.clone();
            let directory = &mut self.directory;
            directory
                .listeners
                .change(address, &mut directory.changes, |by_port| {
                    let tenures: &mut Tenures<Pod> = by_port.entry(*port).or_default();
                    tenures.set(tenure, |other| *other.uid == *uid);
                });
        }
        let gone = known.listens.iter().filter(|place| !listens.contains(place));
        let gone: Vec<(IpAddr, u16)> = gone.copied().collect();
        self.end_listening(uid, &gone, now);
        if let Some(known) = self.pods.get_mut(uid) {
            known.listens = listens.into();
        }
    }

    fn end_addresses(&mut self, uid: &str, addresses: &[IpAddr], now: Moment) {
        let directory = &mut self.directory;
        for address in addresses {
            directory.pods.change(address, &mut directory.changes, |tenures| {
                tenures.end(now, |other| *other.uid == *uid);
            });
        }
    }

    fn end_listening(&mut self, uid: &str, places: &[(IpAddr, u16)], now: Moment) {
        let directory = &mut self.directory;
        for (address, port) in places {
            directory
                .listeners
                .change(address, &mut directory.changes, |by_port| {
                    if let Some(tenures) = by_port.get_mut(port) {
                        tenures.end(now, |other| *other.uid == *uid);
                    }
                });
        }
    }

    /// The pod that an endpoint's target is: by its uid, else by namespace and name.
    pub(super) fn target(&self, target: &str) -> Option<Arc<str>> {
        if let Some((uid, _)) = self.pods.get_key_value(target) {
            return Some(uid.clone());
        }
        let named = self.directory.named.known(target)?;
        let pod = named.holder(|pod| self.pods.contains_key(&*pod.uid))?;
        Some(pod.uid.shared())
    }
}
