//! The questions that a version of the directory answers. What was asked is noted, so that the answers can be remembered for as
//! long as they hold.

use std::net::IpAddr;

use super::block::Block;
use super::changes::Asked;
use super::records::qualified;
use super::scope::Scope;
use super::tenure::Validity;
use super::{Backend, Directory, External, Found, Oldest, Owner, Pod, Service};
use crate::accounting::Unattributed;
use crate::analyze::port_protocol::PortProtocol;
use crate::analyze::rule::Rule;
use crate::moment::Moment;

/// Questions to one version of the directory.
#[derive(Clone, Debug)]
pub struct Inquiry<'a> {
    directory: &'a Directory,
    asked: Asked,
}

impl<'a> Inquiry<'a> {
    pub(super) fn new(directory: &'a Directory) -> Self {
        let asked = Asked::default();
        Inquiry { directory, asked }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// The version that answers.
    pub fn version(&self) -> u64 {
        self.directory.version()
    }

    /// Who owned `address` when a call started at `start`. `port` is the port of a listening side; a caller's own port says
    /// nothing and is `None`.
    ///
    /// What stands first wins: a pod of its own address, a host-network pod by its port, a node, a Service, an endpoint without
    /// a pod, a `ServiceEntry`. (SkyWalking asks `ServiceEntries` first; then a wide CIDR block would hide the mesh's own pods.)
    pub fn owner(&mut self, address: IpAddr, port: Option<u16>, start: Moment) -> Found<'a> {
        let (directory, asked) = (self.directory, &mut self.asked);
        let address = &address.to_canonical();
        Found::unknown(Unattributed::NotFound, Validity::ALWAYS)
            .or_else(|| {
                let tenures = directory.pods.get(address, asked)?;
                Some(tenures.owner(start).map(Rule::PodAddress, Owner::Pod))
            })
            .or_else(|| {
                let tenures = directory.host_network.get(address, asked)?.get(&port?)?;
                Some(tenures.owner(start).map(Rule::HostNetwork, Owner::Pod))
            })
            .or_else(|| {
                directory.nodes.get(address, asked)?;
                Some(Found::unknown(Unattributed::NodeAddress, Validity::ALWAYS))
            })
            .or_else(|| {
                let tenures = directory.service_addresses.get(address, asked)?;
                Some(tenures.owner(start).map(Rule::ServiceAddress, Owner::Service))
            })
            .or_else(|| {
                let claims = directory.endpoints.get(address, asked)?;
                let held = claims.owner(port, start);
                Some(held.map(Rule::EndpointWithoutPod, Owner::Service))
            })
            .or_else(|| {
                let blocks = &directory.outside.get(asked).blocks;
                let (held, length) = blocks.owner(*address, port, start);
                let rule = if length == Some(Block::from(*address).length()) {
                    Rule::ServiceEntryAddress
                } else {
                    Rule::ServiceEntryBlock
                };
                Some(held.map(rule, Owner::External))
            })
    }

    /// The Service that sends to `port` of `pod`, and what the port speaks there. Of several it is the oldest, as istiod takes it,
    /// then the first by namespace and name.
    pub fn service_of(&mut self, pod: &Pod, port: u16) -> Option<Oldest<'a, PortProtocol>> {
        self.directory
            .oldest_service(&pod.uid, &mut self.asked, |backend| protocol(backend, port))
    }

    /// What `port` of `pod` speaks for `service`, if that sends to it.
    pub fn protocol_of(&mut self, pod: &Pod, port: u16, service: &Service) -> Option<PortProtocol> {
        let name = qualified(&service.namespace, &service.name);
        let mut backends = self.directory.backends.get(&*pod.uid, &mut self.asked)?.iter();
        backends.find_map(|backend| protocol(backend, port).filter(|_| *backend.service == *name))
    }

    /// The Service of this name.
    pub fn service(&mut self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.directory
            .listed(&qualified(namespace, name), &mut self.asked)
    }

    /// The outside host of this name, by itself or by a wildcard, as a proxy has it.
    pub fn external(&mut self, host: &str, scope: &Scope<'_>) -> Option<&'a External> {
        self.directory.outside.get(&mut self.asked).host(host, scope)
    }
}

/// What the port speaks, if it is this one.
fn protocol(backend: &Backend, port: u16) -> Option<PortProtocol> {
    Some(backend.port.filter(|own| own.number == port)?.protocol)
}
