//! From addresses and names to parties: an immutable index that answers with the owner at the entry's own start time.
//!
//! A [`state::State`] takes the watched objects as [`records`] and publishes a new [`Directory`] when an answer changed.
//! Lookups take no lock and guess nothing: what is not certain is [`Unattributed`] with its reason.

pub mod block;
pub mod claims;
pub mod name_history;
pub mod naming;
mod outside;
pub mod records;
pub mod state;
pub mod tenure;
pub mod workload;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::accounting::Unattributed;
use crate::analyze::port_protocol::PortProtocol;
use crate::analyze::rule::Rule;
use crate::moment::Moment;
use block::Block;
use claims::Claims;
use name_history::NameHistory;
use tenure::{Tenures, Validity};

/// How much earlier than a tenure a call may seem to start: clocks of nodes differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// A pod as a party: what its labels and owners say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// The owning workload by Istio's rules.
    pub workload: Arc<str>,
    /// `app.kubernetes.io/name`, else `app`; empty if neither.
    pub app: Arc<str>,
    /// `app.kubernetes.io/version`, else `version`; empty if neither.
    pub version: Arc<str>,
    /// Istio's canonical service.
    pub canonical_service: Arc<str>,
    /// Istio's canonical revision.
    pub canonical_revision: Arc<str>,
    /// Its service's names.
    pub names: NameHistory,
}

/// A Service as a party and as the destination of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.creationTimestamp`: of several Services that select a pod the oldest is taken, as istiod does.
    pub created: Moment,
    /// `spec.ports`.
    pub ports: Arc<[Port]>,
    /// The service's names.
    pub names: NameHistory,
}

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
    pub host: Arc<str>,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub entry: Arc<str>,
    /// `metadata.creationTimestamp`: of several entries for one host the oldest is taken, as istiod does.
    pub created: Moment,
    /// `spec.ports`.
    pub ports: Arc<[Port]>,
    /// The service's names.
    pub names: NameHistory,
}

/// Who an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A pod.
    Pod(Arc<Pod>),
    /// A Service's own (cluster or load-balancer) address, or an address without a pod that its `EndpointSlices` name.
    Service(Arc<Service>),
    /// A host outside the mesh.
    External(Arc<External>),
    /// Nobody certain.
    Unknown(Unattributed),
}

/// The answer to one lookup, and within which start times the same version of the directory gives it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The owner.
    pub owner: Owner,
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
}

/// One published version of the index.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    version: u64,
    pods: HashMap<IpAddr, Tenures<Pod>>,
    host_network: HashMap<(IpAddr, u16), Tenures<Pod>>,
    service_addresses: HashMap<IpAddr, Tenures<Service>>,
    nodes: HashMap<IpAddr, u32>,
    backends: HashMap<Arc<str>, Vec<Backend>>,
    services: HashMap<Arc<str>, Arc<Service>>,
    endpoints: Claims<Service>,
    external: Claims<External>,
    external_hosts: HashMap<Arc<str>, Vec<Arc<External>>>,
}

impl Directory {
    /// Grows by one with each published change; a remembered answer holds for one version only.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Addresses of pods that it knows, gone ones within the memory included.
    pub fn pod_addresses(&self) -> usize {
        self.pods.len()
    }

    /// Who owned `address` when a call started at `start`. `port` is the port of a listening side; a caller's own port says
    /// nothing and is `None`.
    ///
    /// What stands first wins: a pod of its own address, a host-network pod by its port, a node, a Service, an endpoint without
    /// a pod, a `ServiceEntry`. (SkyWalking asks `ServiceEntries` first; then a wide CIDR block would hide the mesh's own pods.)
    pub fn owner(&self, address: IpAddr, port: Option<u16>, start: Moment) -> Found {
        let address = address.to_canonical();
        let node = || {
            let is_node = self.nodes.contains_key(&address);
            is_node.then(|| Found::unknown(Unattributed::NodeAddress, Validity::ALWAYS))
        };
        let external = || {
            let (held, length) = self.external.owner(address, port, start);
            let rule = if length == Some(Block::from(address).length()) {
                Rule::ServiceEntryAddress
            } else {
                Rule::ServiceEntryBlock
            };
            held.map(rule, Owner::External)
        };
        let endpoint = || {
            let (held, _) = self.endpoints.owner(address, port, start);
            held.map(Rule::EndpointWithoutPod, Owner::Service)
        };
        let pod = || Some(self.pods.get(&address)?.owner(start));
        let host_network = || Some(self.host_network.get(&(address, port?))?.owner(start));
        let service = || Some(self.service_addresses.get(&address)?.owner(start));
        Found::unknown(Unattributed::NotFound, Validity::ALWAYS)
            .or_else(|| Some(pod()?.map(Rule::PodAddress, Owner::Pod)))
            .or_else(|| Some(host_network()?.map(Rule::HostNetwork, Owner::Pod)))
            .or_else(node)
            .or_else(|| Some(service()?.map(Rule::ServiceAddress, Owner::Service)))
            .or_else(|| Some(endpoint()))
            .or_else(|| Some(external()))
    }

    /// The Service that sends to `port` of `pod`, and what the port speaks there. Of several it is the oldest, as istiod takes
    /// it, then the first by namespace and name.
    pub fn service_of(&self, pod: &Pod, port: u16) -> Option<(&Arc<Service>, PortProtocol)> {
        let protocol = |backend: &Backend| Some(backend.port.filter(|own| own.number == port)?.protocol);
        self.oldest_service(&pod.uid, protocol)
    }

    /// The oldest of the Services that send to a pod, of those of which `tell` tells something.
    fn oldest_service<T>(
        &self,
        uid: &str,
        tell: impl Fn(&Backend) -> Option<T>,
    ) -> Option<(&Arc<Service>, T)> {
        let backends = self.backends.get(uid)?.iter();
        let services =
            backends.filter_map(|backend| Some((self.services.get(&backend.service)?, tell(backend)?)));
        services.min_by(|(a, _), (b, _)| {
            (a.created, &a.namespace, &a.name).cmp(&(b.created, &b.namespace, &b.name))
        })
    }

    /// The Service of this name.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        self.services.get(records::qualified(namespace, name).as_str())
    }

    /// The outside host of this name, by itself or by a wildcard: the longest that fits, of the oldest `ServiceEntry`.
    pub fn external(&self, host: &str) -> Option<&Arc<External>> {
        if let Some(named) = self.external_hosts.get(host) {
            return named.first();
        }
        let dots = host.char_indices().filter(|(_, character)| *character == '.');
        let mut wildcards = dots.filter_map(|(dot, _)| Some(format!("*{}", host.get(dot..)?)));
        wildcards.find_map(|wildcard| self.external_hosts.get(wildcard.as_str())?.first())
    }
}

/// What the port with this number speaks.
pub fn protocol_of(ports: &[Port], number: u16) -> PortProtocol {
    let port = ports.iter().find(|port| port.number == number);
    port.map_or(PortProtocol::Undeclared, |port| port.protocol)
}

impl Found {
    /// Nobody certain.
    fn unknown(reason: Unattributed, validity: Validity) -> Self {
        Found {
            owner: Owner::Unknown(reason),
            rule: reason.into(),
            validity,
        }
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
    fn or_else(self, next: impl FnOnce() -> Option<Found>) -> Found {
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
