//! From addresses and names to parties: an immutable index that answers with the owner at the entry's own start time.
//!
//! A [`state::State`] takes the watched objects as [`records`] and publishes a new [`Directory`] when an answer changed.
//! Lookups take no lock and guess nothing: what is not certain is [`Unattributed`] with its reason.

pub mod address_claims;
pub mod block;
pub mod changes;
mod index;
pub mod inquiry;
pub mod name_history;
pub mod naming;
pub mod ownership;
pub mod records;
pub mod scope;
pub mod selection;
mod service_entries;
pub mod state;
pub mod workload;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::accounting::Unattributed;
use crate::interner::Text;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;
use crate::role::Role;
use crate::rule::Rule;
use address_claims::Claims;
use changes::{Changes, Dependencies};
use index::{Index, Shared};
use inquiry::Inquiry;
use name_history::NameHistory;
use ownership::{Ownerships, Validity};
use records::qualified;
use selection::Selectable;
use service_entries::ServiceEntries;

/// How much earlier than an ownership a call may seem to start: clocks of nodes differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// A pod as a party: what its labels and owners say. A `WorkloadEntry` is one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.uid`.
    pub uid: Text,
    /// `spec.hostNetwork`.
    pub is_of_host: bool,
    /// Whether it is a `WorkloadEntry`.
    pub is_workload_entry: bool,
    /// Istio's network; empty where it is not told.
    pub network: Arc<str>,
    /// By what objects select it.
    pub selected_by: Arc<Selectable>,
    /// The owning workload by Istio's rules.
    pub workload: Text,
    /// `app.kubernetes.io/name`, else `app`; empty if neither.
    pub app: Text,
    /// `app.kubernetes.io/version`, else `version`; empty if neither.
    pub version: Text,
    /// Istio's canonical service.
    pub canonical_service: Text,
    /// Istio's canonical revision.
    pub canonical_revision: Text,
    /// Whether Istio made it as a gateway or a waypoint.
    pub role: Role,
    /// Its service's names.
    pub names: NameHistory,
}

/// A Service as a party and as the destination of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.creationTimestamp`: of several Services that select a pod the oldest is taken, as istiod does.
    pub created: Moment,
    /// `spec.ports`.
    pub ports: Arc<[Port]>,
    /// The annotation `networking.istio.io/exportTo`: the namespaces whose proxies have it; blank for all.
    pub export_to: Arc<[Box<str>]>,
    /// Whether it has no address of its own: callers find its pods by names below its own.
    pub is_headless: bool,
    /// The service's names.
    pub names: NameHistory,
    /// Its host.
    pub host: Host,
}

/// The host of a Service, `name.namespace.svc.domain`, in the domain that asked first: a mesh has one.
#[derive(Clone, Debug, Default)]
pub struct Host(OnceLock<(Box<str>, Text)>);

/// It is made of what is compared already.
impl PartialEq for Host {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Host {}

/// A port and the protocol that it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port.
    pub number: u16,
    /// What it speaks.
    pub protocol: PortProtocol,
}

/// A host outside the mesh that a `ServiceEntry` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// One of `spec.hosts`.
    pub host: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.name`.
    pub entry: Text,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
    /// `spec.exportTo`.
    pub export_to: Arc<[Box<str>]>,
    /// `spec.ports`.
    pub ports: Arc<[Port]>,
    /// The service's names.
    pub names: NameHistory,
}

/// Who an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A pod.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address, or an address without a pod that its `EndpointSlices` name.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a External),
    /// Nobody certain.
    Unknown(Unattributed),
}

/// The answer to one lookup, and within which start times the same version of the directory gives it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The owner.
    pub owner: Owner<'a>,
    /// The rule by which it is the owner, or by which nobody is.
    pub rule: Rule,
    /// The start times for which the answer holds.
    pub validity: Validity,
}

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
    endpoints: Index<IpAddr, Claims<Service>>,
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

    /// Questions to this version.
    pub fn inquiry(&self) -> Inquiry<'_> {
        Inquiry::new(self)
    }

    /// The Service of this namespace and name.
    fn listed(&self, qualified: &str, dependencies: &mut Dependencies) -> Option<&Service> {
        self.services.get(qualified, dependencies)?.as_deref()
    }

    /// What slices say of a pod, for the working copy's own changes.
    fn backends_of(&self, pod: &Pod) -> impl Iterator<Item = &Backend> {
        let name = qualified(&pod.namespace, &pod.name);
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
            self.backends.get(&*qualified(namespace, name), dependencies)
        };
        [by_uid, by_name].map(|backends| backends.map_or(&[][..], Vec::as_slice))
    }

    /// The oldest of the Services that send to a pod, by its uid, namespace and name, of those of which `tell` tells something.
    fn oldest_service<T>(
        &self,
        pod: [&str; 3],
        dependencies: &mut Dependencies,
        tell: impl Fn(&Backend) -> Option<T>,
    ) -> Option<Oldest<'_, T>> {
        let [by_uid, by_name] = self.backends(pod, dependencies);
        let mut services = by_uid.iter().chain(by_name).filter_map(|backend| {
            let told = tell(backend)?;
            Some((self.listed(&backend.service, dependencies)?, told))
        });
        let (service, told) = services.next()?;
        let mut oldest = Oldest {
            service,
            told,
            is_only: true,
        };
        for (service, told) in services {
            // A Service may have several slices for one pod.
            oldest.is_only &= service.order() == oldest.service.order();
            if service.order() < oldest.service.order() {
                (oldest.service, oldest.told) = (service, told);
            }
        }
        Some(oldest)
    }
}

/// The oldest of the Services that send to a pod.
#[derive(Clone, Copy, Debug)]
pub struct Oldest<'a, T> {
    /// The Service.
    pub service: &'a Service,
    /// What is told of it.
    pub told: T,
    /// Whether no other Service does.
    pub is_only: bool,
}

impl Service {
    /// The older is the lesser.
    fn order(&self) -> (Moment, &Text, &Text) {
        (self.created, &self.namespace, &self.name)
    }

    /// The Service's host. `Ok` in the domain that asks for it first; in any other it is made anew.
    pub fn host_in(&self, domain: &str) -> Result<&Text, String> {
        let make = || format!("{}.{}.svc.{domain}", self.name, self.namespace);
        let (first, host) = self.host.0.get_or_init(|| (domain.into(), make().into()));
        if **first == *domain { Ok(host) } else { Err(make()) }
    }
}

impl External {
    /// Whether this is the host, and not one below a wildcard of it. Hosts have no case.
    pub fn is_host(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }
}

/// What the port with this number speaks.
pub fn protocol_of(ports: &[Port], number: u16) -> PortProtocol {
    let port = ports.iter().find(|port| port.number == number);
    port.map_or(PortProtocol::Undeclared, |port| port.protocol)
}

impl<'a> Found<'a> {
    /// Nobody certain.
    fn unknown(reason: Unattributed, validity: Validity) -> Self {
        Found {
            owner: Owner::Unknown(reason),
            rule: reason.into(),
            validity,
        }
    }

    /// Nobody, because there is no address.
    pub fn without_address() -> Self {
        Found::unknown(Unattributed::NoAddress, Validity::ALWAYS)
    }

    /// Nobody certain, because a node's address is shared.
    pub fn node_address(validity: Validity) -> Self {
        Found::unknown(Unattributed::NodeAddress, validity)
    }

    /// The same answer by `rule`, if an owner was found.
    #[must_use]
    pub fn by(self, rule: Rule) -> Self {
        match self.owner {
            Owner::Unknown(_) => self,
            Owner::Pod(_) | Owner::Service(_) | Owner::External(_) => Found { rule, ..self },
        }
    }

    /// This answer, else the next source's; both must hold for the answer to hold.
    fn or_else(self, next: impl FnOnce() -> Option<Found<'a>>) -> Self {
        if self.rule != Rule::NotFound {
            return self;
        }
        match next() {
            Some(next) => Found {
                validity: self.validity.and(next.validity),
                ..next
            },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests;
