//! Istio's `destination_service`: which service a call went to, apart from the pod that answered.

use std::borrow::Cow;
use std::ops::Deref;

use super::legs::Party;
use super::port_protocol::PortProtocol;
use super::upstream_cluster::UpstreamCluster;
use crate::directory::inquiry::Inquiry;
use crate::directory::{External, Service, protocol_of};
use crate::interner::{Interner, Symbol, Text};

/// The value of a label that is not known.
pub const UNKNOWN: &str = "unknown";

/// A label of the called service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// The directory has it.
    Known(&'a Text),
    /// The entry says so, or it is made for the entry.
    Told(Cow<'a, str>),
}

/// The three labels of the called service, where a value that is not known is `unknown`, and what its port speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationService<'a> {
    /// Istio's `destination_service`.
    pub host: Label<'a>,
    /// Istio's `destination_service_name`.
    pub name: Label<'a>,
    /// Istio's `destination_service_namespace`.
    pub namespace: Label<'a>,
    /// What the called port declares.
    pub protocol: PortProtocol,
}

impl<'a> Label<'a> {
    const UNKNOWN: Label<'static> = Label::told(UNKNOWN);

    /// What an entry says.
    pub const fn told(text: &'a str) -> Self {
        Label::Told(Cow::Borrowed(text))
    }

    /// The label's symbol.
    pub fn intern(&self, interner: &mut Interner) -> Symbol {
        match self {
            Label::Known(text) => interner.intern_text(text),
            Label::Told(text) => interner.intern(text),
        }
    }
}

impl<'a> DestinationService<'a> {
    const UNKNOWN: DestinationService<'a> = DestinationService {
        host: Label::UNKNOWN,
        name: Label::UNKNOWN,
        namespace: Label::UNKNOWN,
        protocol: PortProtocol::Undeclared,
    };

    /// The service of a client-side entry: the cluster's host, else the request's authority. Traffic to no service keeps the
    /// cluster's name as the service's name, as Istio does.
    pub fn called(cluster: UpstreamCluster<'a>, authority: &'a [u8], inquiry: &mut Inquiry<'a>) -> Self {
        match cluster {
            UpstreamCluster::Outbound { port, host } | UpstreamCluster::InboundVip { port, host } => {
                Self::of_host(host, port, inquiry)
            }
            UpstreamCluster::Outside { name } => DestinationService {
                name: Label::told(name),
                ..Self::of_authority(authority, inquiry)
            },
            _ => Self::of_authority(authority, inquiry),
        }
    }

    /// The service of a server-side entry: the oldest Service that sends to the pod's port, else the oldest `ServiceEntry` that
    /// selects it and does, else the request's authority, else the pod's canonical service. A peer's is its canonical service: the authority is the client's word, which Istio does not
    /// take on the server side.
    pub fn served(
        party: &Party<'a>,
        port: u16,
        authority: &'a [u8],
        (inquiry, domain): (&mut Inquiry<'a>, &str),
    ) -> Self {
        let pod = match party {
            Party::Pod(pod) => *pod,
            Party::Service(service) => {
                let protocol = protocol_of(&service.ports, port);
                return Self::of_service(service, protocol, domain);
            }
            Party::External(external) => {
                return Self::of_external(external, Label::Known(&external.host), port);
            }
            Party::Peer(peer) => {
                let [name, namespace] = [peer.canonical_service, peer.namespace].map(String::from_utf8_lossy);
                return Self::of_canonical_service(Label::Told(name), Label::Told(namespace));
            }
            Party::Unknown => return Self::of_authority(authority, inquiry),
        };
        if let Some((service, protocol)) = inquiry.service_of(pod, port) {
            return Self::of_service(service, protocol, domain);
        }
        if let Some((external, protocol)) = inquiry.service_entry_of(pod, port) {
            return DestinationService {
                protocol,
                ..Self::of_external(external, Label::Known(&external.host), port)
            };
        }
        let namespace = Label::Known(&pod.namespace);
        match host_of(authority) {
            Some(host) => DestinationService {
                namespace,
                ..Self::of_host(host, 0, inquiry)
            },
            None => Self::of_canonical_service(Label::Known(&pod.canonical_service), namespace),
        }
    }

    fn of_canonical_service(name: Label<'a>, namespace: Label<'a>) -> Self {
        DestinationService {
            host: name.clone(),
            name,
            namespace: if namespace.is_empty() {
                Label::UNKNOWN
            } else {
                namespace
            },
            protocol: PortProtocol::Undeclared,
        }
    }

    /// Istio names the service of an outside host after the host.
    fn of_external(external: &'a External, host: Label<'a>, port: u16) -> Self {
        DestinationService {
            host: host.clone(),
            name: host,
            namespace: Label::Known(&external.namespace),
            protocol: protocol_of(&external.ports, port),
        }
    }

    fn of_service(service: &'a Service, protocol: PortProtocol, domain: &str) -> Self {
        DestinationService {
            host: match service.host_in(domain) {
                Ok(host) => Label::Known(host),
                Err(host) => Label::Told(host.into()),
            },
            name: Label::Known(&service.name),
            namespace: Label::Known(&service.namespace),
            protocol,
        }
    }

    fn of_authority(authority: &'a [u8], inquiry: &mut Inquiry<'a>) -> Self {
        host_of(authority).map_or(Self::UNKNOWN, |host| Self::of_host(host, 0, inquiry))
    }

    /// `name.namespace.svc…` is a Kubernetes Service, and so is a shorter form when the directory has it; any other host is its
    /// own name, in the namespace of its `ServiceEntry`. `port` is the Service's, 0 where it is not told.
    fn of_host(host: &'a str, port: u16, inquiry: &mut Inquiry<'a>) -> Self {
        let mut parts = host.split('.');
        if let (Some(name), Some(namespace), rest) = (parts.next(), parts.next(), parts.next()) {
            let service = inquiry.service(namespace, name);
            let is_service = match rest {
                Some("svc") => true,
                None => service.is_some(),
                Some(_) => false,
            };
            if is_service {
                return DestinationService {
                    host: Label::told(host),
                    name: service.map_or(Label::told(name), |service| Label::Known(&service.name)),
                    namespace: service
                        .map_or(Label::told(namespace), |service| Label::Known(&service.namespace)),
                    protocol: service
                        .map(|service| protocol_of(&service.ports, port))
                        .unwrap_or_default(),
                };
            }
        }
        match inquiry.external(host) {
            Some(external) => Self::of_external(external, Label::told(host), port),
            None => DestinationService {
                host: Label::told(host),
                name: Label::told(host),
                ..Self::UNKNOWN
            },
        }
    }
}

impl Deref for Label<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Label::Known(text) => text,
            Label::Told(text) => text,
        }
    }
}

/// The authority without its userinfo and port; `None` when nothing is left, or something that no host has: a client may write
/// anything there, also a secret.
fn host_of(authority: &[u8]) -> Option<&str> {
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let is_host = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let host = std::str::from_utf8(host)
        .ok()
        .filter(|host| !host.is_empty() && host.as_bytes().iter().all(is_host))?;
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(name)
        }
        _ => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::Directory;

    #[rstest]
    #[case("outbound|80||web.demo.svc.cluster.local", "other", ("web.demo.svc.cluster.local", "web", "demo"))]
    #[case("outbound|443||api.example.com", "", ("api.example.com", "api.example.com", "unknown"))]
    #[case("PassthroughCluster", "api.example.com:8443", ("api.example.com", "PassthroughCluster", "unknown"))]
    #[case("BlackHoleCluster", "", ("unknown", "BlackHoleCluster", "unknown"))]
    #[case("", "web:9080", ("web", "web", "unknown"))]
    #[case("", "[fd00::1]:80", ("[fd00::1]", "[fd00::1]", "unknown"))]
    #[case("", "", ("unknown", "unknown", "unknown"))]
    // proves: labels/service-without-userinfo
    #[case("", "bob:hunter2@web:9080", ("web", "web", "unknown"))]
    // proves: labels/service-without-userinfo
    #[case("", "bob%3Ahunter2%40web", ("unknown", "unknown", "unknown"))]
    // proves: labels/service-without-userinfo
    #[case("", "web/path?token=hunter2", ("unknown", "unknown", "unknown"))]
    fn the_called_service_is_the_clusters_host_else_the_authority(
        #[case] cluster: &str,
        #[case] authority: &str,
        #[case] (host, name, namespace): (&str, &str, &str),
    ) {
        let cluster = UpstreamCluster::parse(cluster.as_bytes());
        let directory = Directory::default();
        let service = DestinationService::called(cluster, authority.as_bytes(), &mut directory.inquiry());
        assert_eq!(
            (&*service.host, &*service.name, &*service.namespace),
            (host, name, namespace)
        );
    }
}
