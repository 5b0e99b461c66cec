//! From addresses and names to parties: an immutable index that answers with the owner at the entry's own start time.
//!
//! A [`state::DirectoryState`] takes the watched objects as [`records`] and publishes a new [`Directory`] when an answer changed.
//! Lookups take no lock and guess nothing: what is not certain is [`Unattributed`] with its reason.

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

/// An `EndpointSlice` that names a pod: which of its ports which Service sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backend {
    /// Namespace and name of the slice.
    slice: Arc<str>,
    /// Namespace and name of the Service.
    service: Arc<str>,
    /// The port that the pod listens on; a Service without ports sends to none in particular.
    port: Option<Port>,
    /// The pod's address by the slice.
    address: Option<IpAddr>,
}

/// One published version of the index.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    changes: Changes,
    pods: Index<IpAddr, Ownerships<Pod>>,
    /// By name, in whatever namespace.
    named: Index<Arc<str>, Ownerships<Pod>>,
    /// By port, who listens at an address that is not its own alone.
    listeners: Index<IpAddr, BTreeMap<u16, Ownerships<Pod>>>,
    service_addresses: Index<IpAddr, Ownerships<Service>>,
    /// How many say that the address is theirs.
    nodes: Index<IpAddr, u32>,
    /// By the pod's uid, or by its namespace and name where a slice does not tell the uid, in the order of the slices' names.
    backends: Index<Arc<str>, Vec<Backend>>,
    /// How many pods slices name without a uid: Kubernetes' own slices have one, so a second look is seldom needed.
    named_backends: Shared<usize, 1>,
    /// By namespace and name.
    services: Index<Arc<str>, Option<Arc<Service>>>,
    endpoints: Index<IpAddr, AddressClaims<Service>>,
    service_entries: Shared<ServiceEntries, 0>,
}

impl Directory {
    /// Grows by one with each published change.
    pub fn version(&self) -> u64 {
        self.changes.published()
    }

    /// Whether an answer that was made in `version`, from what was `asked`, is the one of this version too.
    pub fn is_still_valid(&self, dependencies: &Dependencies, version: u64) -> bool {
        self.changes.is_still_valid(dependencies, version)
    }

    /// Addresses of pods that it knows, gone ones within the memory included.
    pub fn pod_addresses(&self) -> usize {
        self.pods.iter().count()
    }

    /// The Service of this namespace and name.
    fn listed(&self, qualified: &str, dependencies: &mut Dependencies) -> Option<&Service> {
        self.services.get(qualified, dependencies)?.as_deref()
    }

    /// What slices say of a pod, for the working copy's own changes.
    fn backends_of(&self, pod: &Pod) -> impl Iterator<Item = &Backend> {
        let name = namespaced_name(&pod.namespace, &pod.name);
        let [by_uid, by_name] = [&*pod.uid, &name].map(|target| self.backends.known(target));
        by_uid.into_iter().chain(by_name).flatten()
    }

    /// What slices say of the pod of this uid, namespace and name.
    fn backends(
        &self,
        [uid, namespace, name]: [&str; 3],
        dependencies: &mut Dependencies,
    ) -> [&[Backend]; 2] {
        let by_uid = self.backends.get(uid, dependencies);
        let by_name = if *self.named_backends.get(dependencies) == 0 {
            None
        } else {
            self.backends
                .get(&*namespaced_name(namespace, name), dependencies)
        };
        [by_uid, by_name].map(|backends| backends.map_or(&[][..], Vec::as_slice))
    }

    /// The oldest of the Services that send to a pod, by its uid, namespace and name, of those of which `report` reports something.
    fn oldest_service<T>(
        &self,
        pod: [&str; 3],
        dependencies: &mut Dependencies,
        report: impl Fn(&Backend) -> Option<T>,
    ) -> Option<OldestService<'_, T>> {
        let [by_uid, by_name] = self.backends(pod, dependencies);
        let mut services = by_uid.iter().chain(by_name).filter_map(|backend| {
            let reported = report(backend)?;
            Some((self.listed(&backend.service, dependencies)?, reported))
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
    /// The Service.
    pub service: &'a Service,
    /// What is reported of it.
    pub reported: T,
    /// Whether no other Service does.
    pub is_only: bool,
}

#[cfg(test)]
mod tests;
