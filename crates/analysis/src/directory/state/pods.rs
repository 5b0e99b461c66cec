//! Pods: which addresses they hold, and from when until when.

use std::net::IpAddr;
use std::sync::Arc;

use super::{State, lost};
use crate::directory::records::PodRecord;
use crate::directory::tenure::{Tenure, Validity};
use crate::directory::{Directory, Pod};
use crate::moment::Moment;

/// What is kept of a pod. The directory has the rest, and a large mesh has many pods.
#[derive(Debug)]
pub(super) struct KnownPod {
    addresses: Box<[IpAddr]>,
    ports: Box<[u16]>,
    /// All of it, where a Service may give the pod another name.
    pub(super) record: Option<Arc<PodRecord>>,
}

impl State {
    pub(super) fn apply_pod(&mut self, record: PodRecord, now: Moment) {
        let uid = self.texts.share(&record.uid);
        self.hold_addresses(&record, now);
        if let Some(before) = self.pods.remove(&uid) {
            let lost = lost(&before.addresses, &record.addresses);
            self.end_addresses(&uid, &before.ports, &lost, now);
        }
        let known = KnownPod {
            addresses: record.addresses.as_slice().into(),
            ports: record.ports.as_slice().into(),
            record: self.rules.read_services().then(|| Arc::new(record)),
        };
        self.pods.insert(uid, known);
    }

    pub(super) fn delete_pod(&mut self, uid: &str, now: Moment) {
        if let Some(pod) = self.pods.remove(uid) {
            self.end_addresses(uid, &pod.ports, &pod.addresses, now);
        }
    }

    /// Lets a pod hold its addresses, under the name that it has from `now` on.
    pub(super) fn hold_addresses(&mut self, record: &PodRecord, now: Moment) {
        let pod = Arc::new(self.pod(record, now));
        let started = record.started.unwrap_or(Moment::MIN);
        let before = self.pods.get(&*record.uid).map_or(&[][..], |known| &known.addresses);
        let directory = &mut self.directory;
        for address in &record.addresses {
            // A pod whose node was restarted has an address that was another's while it ran.
            let is_its_first = before.is_empty() || before.contains(address);
            let tenure = Tenure {
                held: Validity {
                    since: if is_its_first {
                        started
                    } else {
                        record.addressed.unwrap_or(now).max(started)
                    },
                    until: record.finished.unwrap_or(Moment::MAX),
                },
                given: match record.addressed {
                    Some(addressed) if !record.host_network => addressed,
                    _ => Moment::MAX,
                },
                leaves: record.leaves.unwrap_or(Moment::MAX),
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
    }

    fn end_addresses(&mut self, uid: &str, ports: &[u16], addresses: &[IpAddr], now: Moment) {
        let same = |other: &Pod| *other.uid == *uid;
        for address in addresses {
            let Directory {
                changes,
                pods,
                host_network,
                ..
            } = &mut self.directory;
            pods.change(address, changes, |tenures| tenures.end(now, same));
            host_network.change(address, changes, |by_port| {
                for port in ports {
                    if let Some(tenures) = by_port.get_mut(port) {
                        tenures.end(now, same);
                    }
                }
            });
        }
    }
}
