//! Takes `WorkloadEntries`. They are parties like pods, but no slice says which Services send to them.

use std::collections::HashSet;
use std::sync::Arc;

use super::DirectoryState;
use crate::directory::parties::Port;
use crate::directory::records::{PodRecord, namespaced_name};
use crate::directory::selectable::Selectable;
use crate::directory::{Backend, Directory};
use crate::moment::Moment;

impl DirectoryState {
    pub(super) fn apply_workload_entry(&mut self, mut record: PodRecord, now: Moment) {
        record.is_workload_entry = true;
        let uid = self.texts.share(&record.uid);
        let namespace = self.texts.share(&record.namespace);
        let since = record.started.unwrap_or(now);
        self.apply_pod(record, now);
        self.workload_entries.insert(uid.clone(), namespace);
        self.select_workload_entry(&uid, since);
    }

    pub(super) fn delete_workload_entry(&mut self, uid: &str, now: Moment) {
        self.delete_pod(uid, now);
        self.workload_entries.remove(uid);
        self.set_selected(uid, Vec::new());
    }

    /// The uids of all `WorkloadEntries`, or of all pods.
    pub(super) fn uids(&self, are_entries: bool) -> HashSet<String> {
        let all = self.pods.keys();
        let listed = all.filter(|uid| self.workload_entries.contains_key(*uid) == are_entries);
        listed.map(ToString::to_string).collect()
    }

    /// Selects again, from `since` on, which Services of a namespace send to its `WorkloadEntries`.
    pub(super) fn select_workload_entries(&mut self, namespace: &str, since: Moment) {
        let all = self.workload_entries.iter();
        let of_namespace = all.filter(|(_, of)| ***of == *namespace);
        let uids: Vec<Arc<str>> = of_namespace.map(|(uid, _)| uid.clone()).collect();
        for uid in uids {
            self.select_workload_entry(&uid, since);
        }
    }

    fn select_workload_entry(&mut self, uid: &Arc<str>, since: Moment) {
        let Some(known) = self.pods.get(uid) else { return };
        let entry = &known.party;
        let of_namespace = self
            .services
            .iter()
            .filter(|(_, service)| *service.namespace == *entry.namespace);
        let mut selected: Vec<Backend> = of_namespace
            .flat_map(|(_, service)| {
                let ports = service.selector.iter().flat_map(|selector| {
                    let is_selected = selector.selects(&entry.selectable);
                    let ports = selector.ports.iter().filter(move |_| is_selected);
                    ports.filter_map(|port| {
                        Some(Port {
                            number: port.port_in(&entry.selectable.named_ports)?,
                            protocol: port.protocol,
                        })
                    })
                });
                let name: Arc<str> = namespaced_name(&service.namespace, &service.name).into();
                ports.map(move |port| selected_by(name.clone(), port))
            })
            .collect();
        selected.sort_by(|a, b| a.service.cmp(&b.service));
        self.set_selected(uid, selected);
        self.rename_pods(&[(uid.to_string(), since)]);
    }

    fn set_selected(&mut self, uid: &str, selected: Vec<Backend>) {
        let Directory {
            changes, backends, ..
        } = &mut self.directory;
        backends.change(&uid.into(), changes, |of_entry| {
            of_entry.retain(|backend| !backend.slice.is_empty());
            of_entry.splice(0..0, selected);
        });
    }

    /// What selectors read of a workload, shared by all that have the same.
    pub(super) fn selectable(&mut self, record: &PodRecord) -> Arc<Selectable> {
        let texts = &mut self.texts;
        let labels = record.labels.iter();
        let selectable = Selectable {
            labels: labels
                .map(|(key, value)| (texts.share(key), texts.share(value)))
                .collect(),
            named_ports: record.named_ports.clone(),
        };
        if let Some(known) = self.selectables.get(&selectable) {
            return known.clone();
        }
        let new = Arc::new(selectable);
        self.selectables.insert(new.clone());
        new
    }
}

/// The backend of a Service that selects the workload; there is no slice.
fn selected_by(service: Arc<str>, port: Port) -> Backend {
    Backend {
        slice: "".into(),
        service,
        port: Some(port),
        address: None,
    }
}
