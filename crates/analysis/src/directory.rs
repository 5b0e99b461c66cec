//! From addresses and names to parties: an immutable index that answers with the owner at the entry's own start time.
//!
//! A [`state::State`] takes the watched objects as [`records`] and publishes a new [`Directory`] when an answer changed.
//! Lookups take no lock and guess nothing: what is not certain is [`Unattributed`] with its reason.

pub mod records;
pub mod state;
pub mod tenure;
pub mod workload;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::accounting::Unattributed;
use crate::moment::Moment;
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
}

/// Who an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A pod.
    Pod(Arc<Pod>),
    /// A Service's own (cluster or load-balancer) address.
    Service(Arc<Service>),
    /// Nobody certain.
    Unknown(Unattributed),
}

/// The answer to one lookup, and within which start times the same version of the directory gives it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The owner.
    pub owner: Owner,
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
    /// The port that the pod listens on.
    port: u16,
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
    pub fn owner(&self, address: IpAddr, port: Option<u16>, start: Moment) -> Found {
        let address = address.to_canonical();
        if self.nodes.contains_key(&address) {
            return self.host_network_owner(address, port, start);
        }
        if let Some(tenures) = self.pods.get(&address) {
            return tenures.owner(start).map(Owner::Pod);
        }
        if let Some(tenures) = self.service_addresses.get(&address) {
            return tenures.owner(start).map(Owner::Service);
        }
        Found {
            owner: Owner::Unknown(Unattributed::NotFound),
            validity: Validity::ALWAYS,
        }
    }

    fn host_network_owner(&self, address: IpAddr, port: Option<u16>, start: Moment) -> Found {
        let nobody = Found {
            owner: Owner::Unknown(Unattributed::NodeAddress),
            validity: Validity::ALWAYS,
        };
        let Some(port) = port else { return nobody };
        match self.host_network.get(&(address, port)) {
            Some(tenures) => tenures.owner(start).map(Owner::Pod),
            None => nobody,
        }
    }

    /// The oldest Service that sends to `port` of `pod`.
    pub fn service_of(&self, pod: &Pod, port: u16) -> Option<&Arc<Service>> {
        let backends = self
            .backends
            .get(&pod.uid)?
            .iter()
            .filter(|backend| backend.port == port);
        let services = backends.filter_map(|backend| self.services.get(&backend.service));
        services.min_by(|a, b| (a.created, &a.namespace, &a.name).cmp(&(b.created, &b.namespace, &b.name)))
    }

    /// Whether a Service of this name exists.
    pub fn has_service(&self, namespace: &str, name: &str) -> bool {
        self.services
            .contains_key(records::qualified(namespace, name).as_str())
    }
}

#[cfg(test)]
mod tests;
