//! Selects workloads by their labels.
//!
//! Slices say which pods are behind a Service. Nothing says it of `WorkloadEntries` or of the workloads of a `ServiceEntry`: istiod
//! selects those itself, within the namespace of the object.

use std::collections::HashMap;
use std::sync::Arc;

use super::parties::ExternalHost;
use super::records::Selector;
use super::selectable::Selectable;
use crate::port_protocol::PortProtocol;

impl Selector {
    /// The protocol of `port` of the workload by the selecting object; `None` if the workload is not selected or does not listen
    /// there.
    pub fn protocol_at(&self, workload: &Selectable, port: u16) -> Option<PortProtocol> {
        let mut ports = self.ports.iter();
        let port = ports.find(|own| own.port_in(&workload.named_ports) == Some(port))?;
        self.selects(workload).then_some(port.protocol)
    }

    /// Whether the workload has all of the labels.
    pub fn selects(&self, workload: &Selectable) -> bool {
        self.labels.iter().all(|(key, value)| {
            let mut labels = workload.labels.iter();
            labels.any(|(own, label)| **own == **key && **label == **value)
        })
    }
}

/// `ServiceEntries` that select workloads, by namespace, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Selections(HashMap<Arc<str>, Vec<(Selector, Arc<ExternalHost>)>>);

impl Selections {
    /// Adds an entry with its selector.
    pub(super) fn add(&mut self, selector: Selector, external: Arc<ExternalHost>) {
        let of_namespace = self.0.entry(external.namespace.shared()).or_default();
        of_namespace.push((selector, external));
        of_namespace.sort_by(|(_, a), (_, b)| (a.created, &a.entry).cmp(&(b.created, &b.entry)));
    }

    /// Removes the entry of this namespace and name.
    pub(super) fn remove(&mut self, namespace: &str, entry: &str) {
        if let Some(of_namespace) = self.0.get_mut(namespace) {
            of_namespace.retain(|(_, external)| *external.entry != *entry);
            if of_namespace.is_empty() {
                self.0.remove(namespace);
            }
        }
    }

    /// The oldest entry for which a workload of the namespace listens on `port`, and the protocol of that port.
    pub(super) fn of(
        &self,
        namespace: &str,
        workload: &Selectable,
        port: u16,
    ) -> Option<(&ExternalHost, PortProtocol)> {
        let mut of_namespace = self.0.get(namespace)?.iter();
        of_namespace.find_map(|(selector, external)| {
            let protocol = selector.protocol_at(workload, port)?;
            Some((&**external, protocol))
        })
    }
}
