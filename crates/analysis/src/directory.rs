//! Maps addresses and names to parties: an immutable index that answers for the start time of an entry.
//!
//! A [`state::DirectoryState`] takes the watched objects as [`records`] and publishes a new [`Directory`] when an answer has
//! changed. Lookups take no lock and never guess. What is not certain is [`Unattributed`](crate::accounting::Unattributed) with its
//! reason.

pub mod address_claims;
pub mod changes;
pub mod cidr_block;
mod found;
mod index;
pub mod name_history;
pub mod naming_rules;
pub mod ownership;
mod parties;
pub mod query;
pub mod records;
pub mod scope;
pub mod selectable;
pub mod selection;
mod service_entries;
pub mod state;
pub mod validity;
pub mod workload;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use address_claims::AddressClaims;
use changes::{Changes, Dependencies};
pub use found::{FoundOwner, Owner};
use index::{Index, Shared};
use ownership::Ownerships;
pub use parties::{ExternalHost, Pod, Port, Service, ServiceHost, protocol_of};
use records::namespaced_name;
use service_entries::ServiceEntries;

/// What an `EndpointSlice` says about a pod: which Service sends to which of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backend {
    /// Namespace and name of the slice.
    slice: Arc<str>,
    /// Namespace and name of the Service.
    service: Arc<str>,
    /// The port that the pod listens on; `None` in a slice without ports.
    port: Option<Port>,
    /// The address of the pod in the slice.
    address: Option<IpAddr>,
}

/// One published version of the index.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    changes: Changes,
    pods: Index<IpAddr, Ownerships<Pod>>,
    /// Pods by name, of all namespaces.
    pods_by_name: Index<Arc<str>, Ownerships<Pod>>,
    /// Who listens on an address that several share, by port.
    listeners: Index<IpAddr, BTreeMap<u16, Ownerships<Pod>>>,
    service_addresses: Index<IpAddr, Ownerships<Service>>,
    /// How many nodes have the address.
    node_addresses: Index<IpAddr, u32>,
    /// By the pod's uid, or by its namespace and name where a slice has no uid; sorted by the names of the slices.
    backends: Index<Arc<str>, Vec<Backend>>,
    /// How many pods the slices name without a uid. Kubernetes' own slices have one, so a second lookup is seldom needed.
    backends_by_name: Shared<usize, 1>,
    /// The Services, by namespace and name.
    services: Index<Arc<str>, Option<Arc<Service>>>,
    endpoints: Index<IpAddr, AddressClaims<Service>>,
    service_entries: Shared<ServiceEntries, 0>,
}

impl Directory {
    /// The number of this version. It grows by one with each published change.
    pub fn version(&self) -> u64 {
        self.changes.published()
    }

    /// Whether an answer that `version` gave by these dependencies is the answer of this version too.
    pub fn is_still_valid(&self, dependencies: &Dependencies, version: u64) -> bool {
        self.changes.is_still_valid(dependencies, version)
    }

    /// How many pod addresses are known, including those of pods that are gone but still remembered.
    pub fn pod_addresses(&self) -> usize {
        self.pods.iter().count()
    }

    /// The Service of this namespace and name.
    fn listed_service(&self, qualified: &str, dependencies: &mut Dependencies) -> Option<&Service> {
        self.services.get(qualified, dependencies)?.as_deref()
    }

    /// What the slices say about a pod. Only the working copy asks this, so no dependency is noted.
    fn backends_of(&self, pod: &Pod) -> impl Iterator<Item = &Backend> {
        let name = namespaced_name(&pod.namespace, &pod.name);
        let [by_uid, by_name] = [&*pod.uid, &name].map(|target| self.backends.known(target));
        by_uid.into_iter().chain(by_name).flatten()
    }

    /// What the slices say about the pod of this uid, namespace and name: by its uid, and by its name.
    fn backends(
        &self,
        [uid, namespace, name]: [&str; 3],
        dependencies: &mut Dependencies,
    ) -> [&[Backend]; 2] {
        let by_uid = self.backends.get(uid, dependencies);
        let by_name = if *self.backends_by_name.get(dependencies) == 0 {
            None
        } else {
            self.backends
                .get(&*namespaced_name(namespace, name), dependencies)
        };
        [by_uid, by_name].map(|backends| backends.map_or(&[][..], Vec::as_slice))
    }

    /// The oldest of the Services that send to a pod, by the pod's uid, namespace and name. Only Services count for which `report`
    /// returns a value.
    fn oldest_service<T>(
        &self,
        pod: [&str; 3],
        dependencies: &mut Dependencies,
        report: impl Fn(&Backend) -> Option<T>,
    ) -> Option<OldestService<'_, T>> {
        let [by_uid, by_name] = self.backends(pod, dependencies);
        let mut services = by_uid.iter().chain(by_name).filter_map(|backend| {
            let reported = report(backend)?;
            Some((self.listed_service(&backend.service, dependencies)?, reported))
        });
        let (service, reported) = services.next()?;
        let mut oldest = OldestService {
            service,
            reported,
            is_only: true,
        };
        for (service, reported) in services {
            // A Service may have several slices for one pod.
            oldest.is_only &= service.order() == oldest.service.order();
            if service.order() < oldest.service.order() {
                (oldest.service, oldest.reported) = (service, reported);
            }
        }
        Some(oldest)
    }
}

/// The oldest of the Services that send to a pod.
#[derive(Clone, Copy, Debug)]
pub struct OldestService<'a, T> {
    /// The oldest Service.
    pub service: &'a Service,
    /// The value that was reported for it.
    pub reported: T,
    /// Whether no other Service sends to the pod.
    pub is_only: bool,
}

#[cfg(test)]
mod tests;
