//! Istio's `destination_service`: which service a call went to, apart from the pod that answered.

use std::borrow::Cow;
use std::ops::Deref;

use super::attribution::Party;
use super::authority::{Authority, AuthorityHost};
use super::direction::Direction;
use super::k8s_mesh::Lookup;
use super::party_address::{PartyAddress, ip};
use super::upstream_cluster::UpstreamCluster;
use super::virtual_host::{DEFAULT_PORT, NamedService, named};
use crate::directory::{ExternalHost, Service, protocol_of};
use crate::interner::{Interner, Symbol, Text};
use crate::port_protocol::PortProtocol;

/// The value of a label that is not known.
pub const UNKNOWN: &str = "unknown";

/// A label of the called service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceLabel<'a> {
    /// The text is in the directory.
    Known(&'a Text),
    /// The text is in the entry, or was made for it.
    Borrowed(Cow<'a, str>),
    /// A client wrote the text, and the directory does not have the host. Only so many of these are counted separately
    /// ([`crate::aggregate::registry::RegistryBounds::outside_hosts`]).
    Outside(Cow<'a, str>),
}

/// The three labels of the called service, each `unknown` if it is not known, and the protocol of its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationService<'a> {
    /// Istio's `destination_service`.
    pub host: ServiceLabel<'a>,
    /// Istio's `destination_service_name`.
    pub name: ServiceLabel<'a>,
    /// Istio's `destination_service_namespace`.
    pub namespace: ServiceLabel<'a>,
    /// The protocol that the called port declares.
    pub protocol: PortProtocol,
}

/// The service that a client asked for, by its own word, and its namespace.
#[derive(Clone, Copy, Debug)]
pub struct RequestedHost<'a> {
    /// The request's authority, or the server name of the connection's TLS.
    pub authority: &'a [u8],
    /// The namespace of the caller, if it is known.
    pub namespace: Option<&'a str>,
    /// The address that the caller's application connected to, if nothing else names the service.
    pub address: Option<PartyAddress<'a>>,
}

impl<'a> ServiceLabel<'a> {
    const UNKNOWN: ServiceLabel<'static> = ServiceLabel::borrowed(UNKNOWN);

    /// A label from the text of an entry.
    pub const fn borrowed(text: &'a str) -> Self {
        ServiceLabel::Borrowed(Cow::Borrowed(text))
    }

    /// The label's symbol; `unknown` for a host outside, which gets one only if there is room for it.
    pub fn intern(&self, interner: &mut Interner) -> Symbol {
        match self {
            ServiceLabel::Known(text) => interner.intern_text(text),
            ServiceLabel::Borrowed(text) => interner.intern(text),
            ServiceLabel::Outside(_) => Symbol::UNKNOWN,
        }
    }
}

impl<'a> DestinationService<'a> {
    const UNKNOWN: DestinationService<'a> = DestinationService {
        host: ServiceLabel::UNKNOWN,
        name: ServiceLabel::UNKNOWN,
        namespace: ServiceLabel::UNKNOWN,
        protocol: PortProtocol::Undeclared,
    };

    /// The service of a client-side entry: the cluster's host, which istiod wrote, else what the request's authority names in the
    /// directory. Traffic to no service keeps the cluster's name as the service's name, as Istio does, and at a sidecar its
    /// host. A gateway's call without a cluster had no route, and Istio takes no host from a gateway's client
    /// (`disableHostHeaderFallback`).
    pub fn of_client_side(
        cluster: UpstreamCluster<'a>,
        direction: Direction,
        requested: RequestedHost<'a>,
        lookup: &mut Lookup<'a>,
    ) -> Self {
        match cluster {
            UpstreamCluster::Outbound { port, host } | UpstreamCluster::InboundVip { port, host } => {
                Self::of_host(host, port, lookup)
            }
            UpstreamCluster::Outside { name } => DestinationService {
                name: ServiceLabel::borrowed(name),
                host: Self::host_outside(direction, requested, lookup),
                ..Self::UNKNOWN
            },
            UpstreamCluster::Unset if direction == Direction::Gateway => Self::UNKNOWN,
            _ => Self::named(requested, lookup)
                .or_else(|| Self::of_address(requested, lookup))
                .unwrap_or(Self::UNKNOWN),
        }
    }

    /// The service of a server-side entry: of the Services that send to the pod's port the one that the authority names, else the
    /// oldest, else the oldest `ServiceEntry` that selects it and does, else the pod's canonical service. A peer's is its canonical
    /// service: the authority is the client's word, which Istio does not take on the server side.
    pub fn of_server_side(
        party: &Party<'a>,
        port: u16,
        requested: RequestedHost<'a>,
        lookup: &mut Lookup<'a>,
    ) -> Self {
        let domain = &*lookup.node().domain;
        let pod = match party {
            Party::Pod(pod) => *pod,
            Party::Service(service) => {
                let protocol = protocol_of(&service.ports, port);
                return Self::of_service(service, protocol, domain);
            }
            Party::External(external) => return Self::of_external(external, port),
            Party::Peer(peer) => {
                let [name, namespace] = [peer.canonical_service, peer.namespace].map(String::from_utf8_lossy);
                return Self::of_canonical_service(
                    ServiceLabel::Borrowed(name),
                    ServiceLabel::Borrowed(namespace),
                );
            }
            Party::Unknown => return Self::named(requested, lookup).unwrap_or(Self::UNKNOWN),
        };
        let Some(oldest) = lookup.query().service_of(pod, port) else {
            if let Some((external, protocol)) = lookup.query().service_entry_of(pod, port) {
                return DestinationService {
                    protocol,
                    ..Self::of_external(external, port)
                };
            }
            let namespace = ServiceLabel::Known(&pod.namespace);
            return Self::of_canonical_service(ServiceLabel::Known(&pod.canonical_service), namespace);
        };
        // If only one Service sends to the port, what the client asked for does not matter.
        if !oldest.is_only
            && let Some(service) = Self::requested_service(requested, &pod.namespace, lookup)
            && let Some(protocol) = lookup.query().protocol_of(pod, port, service)
        {
            return Self::of_service(service, protocol, domain);
        }
        Self::of_service(oldest.service, oldest.reported, domain)
    }

    /// The Service that the client asked for, in `namespace` if the caller has none. The server name of Istio's own mutual TLS is
    /// that of the called cluster.
    fn requested_service(
        requested: RequestedHost<'a>,
        namespace: &str,
        lookup: &mut Lookup<'a>,
    ) -> Option<&'a Service> {
        let authority = match UpstreamCluster::parse(requested.authority) {
            UpstreamCluster::Outbound { host, .. } => host.as_bytes(),
            _ => requested.authority,
        };
        let authority = Authority::read(authority)?;
        match named(&authority, requested.namespace.or(Some(namespace)), lookup)? {
            NamedService::Service(service) => Some(service),
            NamedService::External(_) => None,
        }
    }

    fn of_canonical_service(name: ServiceLabel<'a>, namespace: ServiceLabel<'a>) -> Self {
        DestinationService {
            host: name.clone(),
            name,
            namespace: if namespace.is_empty() {
                ServiceLabel::UNKNOWN
            } else {
                namespace
            },
            protocol: PortProtocol::Undeclared,
        }
    }

    /// The service of an outside host. Istio names it after the host as the `ServiceEntry` writes it, also if that is a wildcard.
    fn of_external(external: &'a ExternalHost, port: u16) -> Self {
        DestinationService {
            host: ServiceLabel::Known(&external.host),
            name: ServiceLabel::Known(&external.host),
            namespace: ServiceLabel::Known(&external.namespace),
            protocol: protocol_of(&external.ports, port),
        }
    }

    fn of_service(service: &'a Service, protocol: PortProtocol, domain: &str) -> Self {
        DestinationService {
            host: match service.host_in(domain) {
                Ok(host) => ServiceLabel::Known(host),
                Err(host) => ServiceLabel::Borrowed(host.into()),
            },
            name: ServiceLabel::Known(&service.name),
            namespace: ServiceLabel::Known(&service.namespace),
            protocol,
        }
    }

    fn of_address(requested: RequestedHost<'a>, lookup: &mut Lookup<'a>) -> Option<Self> {
        let wanted = requested.address?;
        let authority = Authority {
            host: AuthorityHost::Address(ip(wanted.ip).ok()?),
            port: Some(wanted.port),
        };
        Self::of_authority(&authority, requested.namespace, lookup)
    }

    /// The service that the client named, if the directory has it.
    fn named(requested: RequestedHost<'a>, lookup: &mut Lookup<'a>) -> Option<Self> {
        let authority = Authority::read(requested.authority)?;
        Self::of_authority(&authority, requested.namespace, lookup)
    }

    fn of_authority(
        authority: &Authority<'_>,
        namespace: Option<&str>,
        lookup: &mut Lookup<'a>,
    ) -> Option<Self> {
        let port = authority.port.unwrap_or(DEFAULT_PORT);
        Some(match named(authority, namespace, lookup)? {
            NamedService::Service(service) => {
                let protocol = protocol_of(&service.ports, port);
                Self::of_service(service, protocol, &lookup.node().domain)
            }
            NamedService::External(external) => Self::of_external(external, port),
        })
    }

    /// The host of traffic to no service. If the directory does not have the host, only a sidecar's own application is trusted to
    /// name it.
    fn host_outside(
        direction: Direction,
        requested: RequestedHost<'a>,
        lookup: &mut Lookup<'a>,
    ) -> ServiceLabel<'a> {
        let Some(authority) = Authority::read(requested.authority) else {
            return ServiceLabel::UNKNOWN;
        };
        match Self::of_authority(&authority, requested.namespace, lookup) {
            Some(service) => service.host,
            None if direction == Direction::Outbound => ServiceLabel::Outside(authority.host.into_text()),
            None => ServiceLabel::UNKNOWN,
        }
    }

    /// The service of the host in a cluster's name. `name.namespace.svc…` is a Kubernetes Service; any other host is its own name,
    /// in the namespace of its `ServiceEntry`. `port` is the Service's. istiod wrote the host, so it counts although the directory
    /// may not have it.
    fn of_host(host: &'a str, port: u16, lookup: &mut Lookup<'a>) -> Self {
        let mut parts = host.split('.');
        if let (Some(name), Some(namespace), Some("svc")) = (parts.next(), parts.next(), parts.next()) {
            let service = lookup.query().service(namespace, name);
            return DestinationService {
                host: ServiceLabel::borrowed(host),
                name: service.map_or(ServiceLabel::borrowed(name), |service| {
                    ServiceLabel::Known(&service.name)
                }),
                namespace: service.map_or(ServiceLabel::borrowed(namespace), |service| {
                    ServiceLabel::Known(&service.namespace)
                }),
                protocol: service
                    .map(|service| protocol_of(&service.ports, port))
                    .unwrap_or_default(),
            };
        }
        let scope = lookup.scope(port);
        let external = lookup.query().external_host(host, &scope);
        DestinationService {
            host: ServiceLabel::borrowed(host),
            name: ServiceLabel::borrowed(host),
            ..external.map_or(Self::UNKNOWN, |external| Self::of_external(external, port))
        }
    }
}

impl Deref for ServiceLabel<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            ServiceLabel::Known(text) => text,
            ServiceLabel::Borrowed(text) | ServiceLabel::Outside(text) => text,
        }
    }
}
