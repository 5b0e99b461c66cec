//! The questions that a version of the directory answers. What was asked is noted, so that the answers can be remembered for as
//! long as they hold.

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
    /// Questions to this version.
    pub fn query(&self) -> DirectoryQuery<'_> {
        DirectoryQuery::new(self)
    }
}

/// Questions to one version of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryQuery<'a> {
    directory: &'a Directory,
    /// Istio's network of who asks.
    network: &'a str,
    /// The namespace of who asks, and what it does.
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

    /// The same of a proxy that is in this network: addresses of other networks are not those that it sees.
    #[must_use]
    pub fn in_network(self, network: &'a str) -> Self {
        DirectoryQuery { network, ..self }
    }

    /// The same of a proxy in `namespace`, which has only what is exported to that.
    #[must_use]
    pub fn of_proxy(self, namespace: &'a str, role: Role) -> Self {
        DirectoryQuery {
            viewer: (namespace, role),
            ..self
        }
    }

    /// What was asked so far.
    pub fn dependencies(&self) -> Dependencies {
        self.dependencies
    }

    /// The version that answers.
    pub fn version(&self) -> u64 {
        self.directory.version()
    }

    /// Who owned `address` when a call started at `start`. `port` is the port of a listening side; a caller's own port says
    /// nothing and is `None`.
    ///
    /// What stands first wins: a pod of its own address or a `WorkloadEntry`, a pod that listens at the port of a shared address,
    /// a node, a Service, an endpoint without a pod, a `ServiceEntry` that the proxy has. (SkyWalking asks `ServiceEntries` first; then a wide CIDR
    /// block would hide the mesh's own pods.)
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
                directory.nodes.get(address, dependencies)?;
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

    /// The pod that had this name when a call started at `start`, else the `WorkloadEntry`.
    pub fn named(&mut self, namespace: &str, name: &str, start: Moment) -> FoundOwner<'a> {
        match self.directory.named.get(name, &mut self.dependencies) {
            Some(ownerships) => {
                let rank = |pod: &Pod| (*pod.namespace == *namespace).then_some(pod.is_workload_entry);
                let held = ownerships.owner_by(start, rank);
                held.map(Rule::OwnPod, Owner::Pod)
            }
            None => FoundOwner::unknown(Unattributed::NotFound, Validity::ALWAYS),
        }
    }

    /// The Service that sends to `port` of `pod`, and what the port speaks there. Of several it is the oldest, as istiod takes it,
    /// then the first by namespace and name.
    pub fn service_of(&mut self, pod: &Pod, port: u16) -> Option<OldestService<'a, PortProtocol>> {
        self.directory
            .oldest_service(target(pod), &mut self.dependencies, |backend| {
                protocol(backend, port)
            })
    }

    /// What `port` of `pod` speaks for `service`, if that sends to it.
    pub fn protocol_of(&mut self, pod: &Pod, port: u16, service: &Service) -> Option<PortProtocol> {
        let name = namespaced_name(&service.namespace, &service.name);
        let [by_uid, by_name] = self.directory.backends(target(pod), &mut self.dependencies);
        let mut backends = by_uid.iter().chain(by_name);
        backends.find_map(|backend| protocol(backend, port).filter(|_| *backend.service == *name))
    }

    /// The `ServiceEntry` that selects `pod` and sends to its `port`, and what the port speaks there. Of several it is the oldest.
    pub fn service_entry_of(&mut self, pod: &Pod, port: u16) -> Option<(&'a ExternalHost, PortProtocol)> {
        let selections = &self
            .directory
            .service_entries
            .get(&mut self.dependencies)
            .selections;
        selections.of(&pod.namespace, &pod.selectable, port)
    }

    /// The Service of this name.
    pub fn service(&mut self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.directory
            .listed(&namespaced_name(namespace, name), &mut self.dependencies)
    }

    /// The outside host of this name, by itself or by a wildcard, as a proxy has it.
    pub fn external(&mut self, host: &str, scope: &Scope<'_>) -> Option<&'a ExternalHost> {
        self.directory
            .service_entries
            .get(&mut self.dependencies)
            .host(host, scope)
    }
}

/// Which of several pods and `WorkloadEntries` at one address a proxy in `network` sees; `None` is not one that it does. Networks that
/// are not told may be the same (istio `Proxy.InNetwork`). Where networks do not decide, Kubernetes knows better what has an address
/// than who wrote a `WorkloadEntry`.
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

/// What slices know a pod by.
fn target(pod: &Pod) -> [&str; 3] {
    [&pod.uid, &pod.namespace, &pod.name]
}

/// What the port speaks, if it is this one.
fn protocol(backend: &Backend, port: u16) -> Option<PortProtocol> {
    Some(backend.port.filter(|own| own.number == port)?.protocol)
}
