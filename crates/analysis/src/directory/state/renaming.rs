//! Renames parties when the objects change from which their names are made. Calls keep the name of their time.

use super::DirectoryState;
use crate::directory::changes::Dependencies;
use crate::directory::name_history::NameHistory;
use crate::directory::parties::Pod;
use crate::directory::records::{EndpointSliceRecord, PodRecord, ServiceRecord, namespaced_name};
use crate::directory::workload;
use crate::moment::Moment;
use crate::pod_labels;

impl DirectoryState {
    /// The pods to which a slice may give another Service, and since when. It is asked before the slice is taken.
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
        let since = |target: &str| {
            // A slice names a pod soon after the pod got its address, so the first slice that does counts from the pod's start.
            let is_first = self.directory.backends.known(target).is_none();
            if is_first || before.is_none() {
                slice.created
            } else {
                now
            }
        };
        let pods = earlier.chain(&slice.pods);
        pods.map(|pod| (pod.target.clone(), since(&pod.target))).collect()
    }

    /// Updates the names of pods, each from its moment on.
    pub(super) fn rename_pods(&mut self, pods: &[(String, Moment)]) {
        if !self.rules.read_services() {
            return;
        }
        for (target, since) in pods {
            let uid = self.target(target);
            let known = uid.and_then(|uid| self.pods.get(&uid));
            if let Some(record) = known.and_then(|pod| pod.record.clone()) {
                self.rename_pod(&record, *since);
            }
        }
    }

    /// Updates the names of the pods that a Service sends to.
    pub(super) fn rename_pods_of(&mut self, service: &ServiceRecord, since: Moment) {
        if !self.rules.read_services() {
            return;
        }
        let key = namespaced_name(&service.namespace, &service.name);
        let backends = self.directory.backends.iter();
        let pods = backends.filter(|(_, backends)| backends.iter().any(|backend| *backend.service == *key));
        let pods: Vec<_> = pods.map(|(uid, _)| (uid.to_string(), since)).collect();
        self.rename_pods(&pods);
    }

    /// The party of a record. It keeps its names from before `now`.
    pub(super) fn pod(&mut self, record: &PodRecord, now: Moment) -> Pod {
        let workload = workload::workload(record);
        let canonical_service = workload::canonical_service(&record.labels, workload);
        let name = self
            .rules
            .pod(record, &canonical_service, self.service_of(record));
        let name = self.texts.share(&name);
        let known = self.pods.get(&*record.uid);
        let names = NameHistory::extended(known.map(|known| &known.party.names), name, now);
        let selectable = self.selectable(record);
        let network = match record.network.as_str() {
            "" => workload::first_label(&record.labels, &[pod_labels::NETWORK]).unwrap_or_default(),
            network => network,
        };
        let network = self.texts.share(network);
        let mut shared = |text: &str| self.texts.share(text).into();
        Pod {
            name: record.name.as_str().into(),
            namespace: shared(&record.namespace),
            uid: shared(&record.uid),
            is_host_network: record.host_network,
            is_workload_entry: record.is_workload_entry,
            network,
            selectable,
            app: shared(workload::app(&record.labels).unwrap_or_default()),
            version: shared(workload::version(&record.labels).unwrap_or_default()),
            canonical_service: shared(&canonical_service),
            canonical_revision: shared(&workload::canonical_revision(&record.labels)),
            workload: shared(workload),
            role: workload::role(&record.labels),
            names,
        }
    }

    /// The Service that a pod's name is made of: the oldest that sends to any of its ports.
    fn service_of(&self, pod: &PodRecord) -> Option<&ServiceRecord> {
        let target = [&*pod.uid, &pod.namespace, &pod.name];
        let oldest = self
            .directory
            .oldest_service(target, &mut Dependencies::default(), |_| Some(()))?;
        let service = oldest.service;
        self.services
            .get(&namespaced_name(&service.namespace, &service.name))
    }
}

#[cfg(test)]
mod tests;
