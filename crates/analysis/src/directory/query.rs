//! Queries to a version of the directory. Each notes what it depends on, so that answers can be cached for as long as they hold.

use std::net::IpAddr;

use super::changes::Dependencies;
use super::cidr_block::CidrBlock;
use super::found::{FoundOwner, Owner};
use super::ownership::OwnerAt;
use super::parties::{ExternalHost, Pod, Service};
use super::records::namespaced_name;
use super::scope::Scope;
use super::validity::Validity;
use super::{Backend, Directory, OldestService};
use crate::accounting::Unattributed;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;
use crate::role::Role;
use crate::rule::Rule;

impl Directory {
    /// A query to this version.
    pub fn query(&self) -> DirectoryQuery<'_> {
        DirectoryQuery::new(self)
    }
}

/// A query to one version of the directory, by a proxy.
#[derive(Clone, Debug)]
pub struct DirectoryQuery<'a> {
    directory: &'a Directory,
    /// Istio's network of the proxy.
    network: &'a str,
    /// The namespace and the role of the proxy.
    viewer: (&'a str, Role),
    dependencies: Dependencies,
}

impl<'a> DirectoryQuery<'a> {
    fn new(directory: &'a Directory) -> Self {
        DirectoryQuery {
            directory,
            network: "",
            viewer: ("", Role::Sidecar),
            dependencies: Dependencies::default(),
        }
    }

    /// The query of a proxy in this network. It does not see addresses of other networks.
    #[must_use]
    pub fn in_network(self, network: &'a str) -> Self {
        DirectoryQuery { network, ..self }
    }

    /// The query of a proxy in `namespace`. It sees only what is exported to that namespace.
    #[must_use]
    pub fn of_proxy(self, namespace: &'a str, role: Role) -> Self {
        DirectoryQuery {
            viewer: (namespace, role),
            ..self
        }
    }

    /// What the answers so far depend on.
    pub fn dependencies(&self) -> Dependencies {
        self.dependencies
    }

    /// The number of the version that answers.
    pub fn version(&self) -> u64 {
        self.directory.version()
    }

    /// The owner of `address` when a call started at `start`. `port` is the port of a listening side; the port of a caller says
    /// nothing and is `None`.
    ///
    /// The first of these counts: a pod with the address as its own or a `WorkloadEntry`, a pod that listens on the port of a
    /// shared address, a node, a Service, an endpoint without a pod, a `ServiceEntry` that the proxy sees. (SkyWalking asks
    /// `ServiceEntries` first; then a wide CIDR block would hide the pods of the mesh.)
    pub fn owner(&mut self, address: IpAddr, port: Option<u16>, start: Moment) -> FoundOwner<'a> {
        let (directory, network, dependencies) = (self.directory, self.network, &mut self.dependencies);
        let viewer = self.viewer;
        let address = &address.to_canonical();
        FoundOwner::unknown(Unattributed::NotFound, Validity::ALWAYS)
            .or_else(|| {
                let ownerships = directory.pods.get(address, dependencies)?;
                Some(workload(ownerships.owner_by(start, |pod| rank(pod, network))))
            })
            .or_else(|| {
                let ownerships = directory.listeners.get(address, dependencies)?.get(&port?)?;
                Some(ownerships.owner(start).map(Rule::HostNetwork, Owner::Pod))
            })
            .or_else(|| {
                directory.node_addresses.get(address, dependencies)?;
                Some(FoundOwner::unknown(Unattributed::NodeAddress, Validity::ALWAYS))
            })
            .or_else(|| {
                let ownerships = directory.service_addresses.get(address, dependencies)?;
                Some(ownerships.owner(start).map(Rule::ServiceAddress, Owner::Service))
            })
            .or_else(|| {
                let claims = directory.endpoints.get(address, dependencies)?;
                let held = claims.owner(port, start);
                Some(held.map(Rule::EndpointWithoutPod, Owner::Service))
            })
            .or_else(|| {
                let blocks = &directory.service_entries.get(dependencies).blocks;
                let scope = Scope {
                    namespace: viewer.0,
                    role: viewer.1,
                    port: port.unwrap_or(0),
                };
                let (held, length) = blocks.owner_by(*address, port, start, |external| scope.rank(external));
                let rule = if length == Some(CidrBlock::from(*address).length()) {
                    Rule::ServiceEntryAddress
                } else {
                    Rule::ServiceEntryBlock
                };
                Some(held.map(rule, Owner::External))
            })
    }

    /// The pod that had this name when a call started at `start`; the `WorkloadEntry` if there was no pod.
    pub fn pod_named(&mut self, namespace: &str, name: &str, start: Moment) -> FoundOwner<'a> {
        match self.directory.pods_by_name.get(name, &mut self.dependencies) {
            Some(ownerships) => {
                let rank = |pod: &Pod| (*pod.namespace == *namespace).then_some(pod.is_workload_entry);
                let held = ownerships.owner_by(start, rank);
                held.map(Rule::OwnPod, Owner::Pod)
            }
            None => FoundOwner::unknown(Unattributed::NotFound, Validity::ALWAYS),
        }
    }

    /// The Service that sends to `port` of `pod`, and the protocol of that port. Of several the oldest counts, as in istiod, then
    /// the first by namespace and name.
    pub fn service_of(&mut self, pod: &Pod, port: u16) -> Option<OldestService<'a, PortProtocol>> {
        self.directory
            .oldest_service(target(pod), &mut self.dependencies, |backend| {
                protocol(backend, port)
            })
    }

    /// The protocol of `port` of `pod` by `service`, if that sends to it.
    pub fn protocol_of(&mut self, pod: &Pod, port: u16, service: &Service) -> Option<PortProtocol> {
        let name = namespaced_name(&service.namespace, &service.name);
        let [by_uid, by_name] = self.directory.backends(target(pod), &mut self.dependencies);
        let mut backends = by_uid.iter().chain(by_name);
        backends.find_map(|backend| protocol(backend, port).filter(|_| *backend.service == *name))
    }

    /// The `ServiceEntry` that selects `pod` and sends to its `port`, and the protocol of that port. Of several the oldest counts.
    pub fn service_entry_of(&mut self, pod: &Pod, port: u16) -> Option<(&'a ExternalHost, PortProtocol)> {
        let selections = &self
            .directory
            .service_entries
            .get(&mut self.dependencies)
            .selections;
        selections.of(&pod.namespace, &pod.selectable, port)
    }

    /// The Service of this namespace and name.
    pub fn service(&mut self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.directory
            .listed_service(&namespaced_name(namespace, name), &mut self.dependencies)
    }

    /// The outside host that `host` names, itself or by a wildcard, of those that the proxy sees.
    pub fn external_host(&mut self, host: &str, scope: &Scope<'_>) -> Option<&'a ExternalHost> {
        self.directory
            .service_entries
            .get(&mut self.dependencies)
            .host(host, scope)
    }
}

/// The rank of a pod or `WorkloadEntry` among those at one address, for a proxy in `network`; `None` if the proxy does not see it.
/// Networks that are not known may be the same (istio `Proxy.InNetwork`). Where networks do not decide, a pod counts before a
/// `WorkloadEntry`: Kubernetes knows better than the author of an entry who has an address.
fn rank(pod: &Pod, network: &str) -> Option<u8> {
    let are_both_known = !network.is_empty() && !pod.network.is_empty();
    match (are_both_known, pod.is_workload_entry) {
        (true, _) if *pod.network != *network => None,
        (true, false) => Some(0),
        (true, true) => Some(1),
        (false, false) => Some(2),
        (false, true) => Some(3),
    }
}

fn workload(held: OwnerAt<'_, Pod>) -> FoundOwner<'_> {
    let found = held.map(Rule::PodAddress, Owner::Pod);
    match found.owner {
        Owner::Pod(pod) if pod.is_workload_entry => found.with_rule(Rule::WorkloadEntry),
        _ => found,
    }
}

/// The uid, namespace and name by which slices name a pod.
fn target(pod: &Pod) -> [&str; 3] {
    [&pod.uid, &pod.namespace, &pod.name]
}

/// The protocol of the backend's port, if it is `port`.
fn protocol(backend: &Backend, port: u16) -> Option<PortProtocol> {
    Some(backend.port.filter(|own| own.number == port)?.protocol)
}
