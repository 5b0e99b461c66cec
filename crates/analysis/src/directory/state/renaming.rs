//! What parties are called, as the objects change that their names are made of. Calls keep the name of their time.

use std::sync::Arc;

use super::{MEMORY, State};
use crate::directory::changes::Asked;
use crate::directory::name_history::NameHistory;
use crate::directory::records::{EndpointSliceRecord, PodRecord, ServiceRecord, qualified};
use crate::directory::{Pod, workload};
use crate::moment::Moment;

/// The names of a party that is `name` from `now` on.
pub(super) fn names(known: Option<&NameHistory>, name: Arc<str>, now: Moment) -> NameHistory {
    let Some(known) = known else {
        return NameHistory::new(name);
    };
    let mut names = known.clone();
    names.set(name.into(), now);
    names.forget_ended_before(now.minus(MEMORY));
    names
}

impl State {
    /// The pods that a slice may give another Service, by uid, and from when on; asked before the slice is taken.
    pub(super) fn renamed_by(
        &self,
        slice: &EndpointSliceRecord,
        before: Option<&EndpointSliceRecord>,
        now: Moment,
    ) -> Vec<(String, Moment)> {
        if !self.rules.read_services() {
            return Vec::new();
        }
        let earlier = before.into_iter().flat_map(|before| &before.pods);
        let since = |uid: &String| {
            // A slice names a pod soon after it got its address: the first that does was the pod's from the beginning.
            let is_first = self.directory.backends.known(uid.as_str()).is_none();
            if is_first || before.is_none() {
                slice.created
            } else {
                now
            }
        };
        let pods = earlier.chain(&slice.pods);
        pods.map(|uid| (uid.clone(), since(uid))).collect()
    }

    /// Names pods anew, each from a moment on.
    pub(super) fn rename_pods(&mut self, pods: &[(String, Moment)]) {
        if !self.rules.read_services() {
            return;
        }
        for (uid, since) in pods {
            if let Some(record) = self.pods.get(uid.as_str()).and_then(|pod| pod.record.clone()) {
                self.hold_addresses(&record, *since);
            }
        }
    }

    /// Names the pods anew that a Service sends to.
    pub(super) fn rename_pods_of(&mut self, service: &ServiceRecord, since: Moment) {
        if !self.rules.read_services() {
            return;
        }
        let key = qualified(&service.namespace, &service.name);
        let backends = self.directory.backends.iter();
        let pods = backends.filter(|(_, backends)| backends.iter().any(|backend| *backend.service == *key));
        let pods: Vec<_> = pods.map(|(uid, _)| (uid.to_string(), since)).collect();
        self.rename_pods(&pods);
    }

    /// The pod of a record. It keeps the names that it had before `now`.
    pub(super) fn pod(&mut self, record: &PodRecord, now: Moment) -> Pod {
        let workload = workload::workload(record);
        let canonical_service = workload::canonical_service(&record.labels, &workload);
        let name = self
            .rules
            .pod(record, &canonical_service, self.service_of(record));
        let name = self.texts.share(&name);
        let names = names(self.names_of(record), name, now);
        let mut shared = |text: &str| self.texts.share(text).into();
        Pod {
            name: record.name.as_str().into(),
            namespace: shared(&record.namespace),
            uid: shared(&record.uid),
            app: shared(workload::app(&record.labels).unwrap_or_default()),
            version: shared(workload::version(&record.labels).unwrap_or_default()),
            canonical_service: shared(&canonical_service),
            canonical_revision: shared(&workload::canonical_revision(&record.labels)),
            workload: shared(&workload),
            names,
        }
    }

    /// The Service that a pod is named by: the oldest that sends to it, at whatever port.
    fn service_of(&self, pod: &PodRecord) -> Option<&ServiceRecord> {
        let oldest = self
            .directory
            .oldest_service(&pod.uid, &mut Asked::default(), |_| Some(()))?;
        let service = oldest.service;
        self.services.get(&qualified(&service.namespace, &service.name))
    }

    /// What a pod is called so far, where it has an address.
    fn names_of(&self, pod: &PodRecord) -> Option<&NameHistory> {
        let directory = &self.directory;
        let mut tenures = pod.addresses.iter().flat_map(|address| {
            let by_port = directory.host_network.known(address);
            let own = directory.pods.known(address);
            let of_ports = pod.ports.iter().filter_map(move |port| by_port?.get(port));
            own.into_iter().chain(of_ports)
        });
        let known = tenures.find_map(|tenures| tenures.holder(|other| *other.uid == *pod.uid));
        known.map(|known| &known.names)
    }
}

#[cfg(test)]
mod tests;
