//! Istio's `destination_service`: which service a call went to, apart from the pod that answered.

use std::borrow::Cow;

use super::legs::Party;
use super::port_protocol::PortProtocol;
use super::upstream_cluster::UpstreamCluster;
use crate::directory::inquiry::Inquiry;
use crate::directory::{External, Service, protocol_of};

/// The three labels of the called service, where a value that is not known is `unknown`, and what its port speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationService<'a> {
    /// Istio's `destination_service`.
    pub host: Cow<'a, str>,
    /// Istio's `destination_service_name`.
    pub name: Cow<'a, str>,
    /// Istio's `destination_service_namespace`.
    pub namespace: Cow<'a, str>,
    /// What the called port declares.
    pub protocol: PortProtocol,
}

const UNKNOWN: Cow<'static, str> = Cow::Borrowed("unknown");

impl<'a> DestinationService<'a> {
    const UNKNOWN: DestinationService<'a> = DestinationService {
        host: UNKNOWN,
        name: UNKNOWN,
        namespace: UNKNOWN,
        protocol: PortProtocol::Undeclared,
    };

    /// The service of a client-side entry: the cluster's host, else the request's authority. Traffic to no service keeps the
    /// cluster's name as the service's name, as Istio does.
    pub fn called(cluster: UpstreamCluster<'a>, authority: &'a [u8], inquiry: &mut Inquiry<'_>) -> Self {
        match cluster {
            UpstreamCluster::Outbound { port, host } | UpstreamCluster::InboundVip { port, host } => {
                Self::of_host(host, port, inquiry)
            }
            UpstreamCluster::Outside { name } => DestinationService {
                name: name.into(),
                ..Self::of_authority(authority, inquiry)
            },
            _ => Self::of_authority(authority, inquiry),
        }
    }

    /// The service of a server-side entry: the oldest Service that sends to the pod's port, else the request's authority, else
    /// the pod's canonical service. A peer's is its canonical service: the authority is the client's word, which Istio does not
    /// take on the server side.
    pub fn served<'d: 'a>(
        party: &'a Party<'_>,
        port: u16,
        authority: &'a [u8],
        (inquiry, domain): (&mut Inquiry<'d>, &str),
    ) -> Self {
        let pod = match party {
            Party::Pod(pod) => pod,
            Party::Service(service) => {
                let protocol = protocol_of(&service.ports, port);
                return Self::of_service(service, protocol, domain);
            }
            Party::External(external) => return Self::of_external(external, &external.host, port),
            Party::Peer(peer) => {
                let name = String::from_utf8_lossy(peer.canonical_service);
                return Self::of_canonical_service(name, String::from_utf8_lossy(peer.namespace));
            }
            Party::Unknown => return Self::of_authority(authority, inquiry),
        };
        if let Some((service, protocol)) = inquiry.service_of(pod, port) {
            return Self::of_service(service, protocol, domain);
        }
        match host_of(authority) {
            Some(host) => DestinationService {
                namespace: (&*pod.namespace).into(),
                ..Self::of_host(host, 0, inquiry)
            },
            None => Self::of_canonical_service((&*pod.canonical_service).into(), (&*pod.namespace).into()),
        }
    }

    /// The same service without a borrow.
    pub fn into_owned(self) -> DestinationService<'static> {
        DestinationService {
            host: Cow::Owned(self.host.into_owned()),
            name: Cow::Owned(self.name.into_owned()),
            namespace: Cow::Owned(self.namespace.into_owned()),
            protocol: self.protocol,
        }
    }

    fn of_canonical_service(name: Cow<'a, str>, namespace: Cow<'a, str>) -> Self {
        DestinationService {
            host: name.clone(),
            name,
            namespace: if namespace.is_empty() { UNKNOWN } else { namespace },
            protocol: PortProtocol::Undeclared,
        }
    }

    /// Istio names the service of an outside host after the host.
    fn of_external(external: &External, host: &'a str, port: u16) -> Self {
        DestinationService {
            host: host.into(),
            name: host.into(),
            namespace: external.namespace.to_string().into(),
            protocol: protocol_of(&external.ports, port),
        }
    }

    fn of_service(service: &'a Service, protocol: PortProtocol, domain: &str) -> Self {
        DestinationService {
            host: format!("{}.{}.svc.{domain}", service.name, service.namespace).into(),
            name: (&*service.name).into(),
            namespace: (&*service.namespace).into(),
            protocol,
        }
    }

    fn of_authority(authority: &'a [u8], inquiry: &mut Inquiry<'_>) -> Self {
        host_of(authority).map_or(Self::UNKNOWN, |host| Self::of_host(host, 0, inquiry))
    }

    /// `name.namespace.svc…` is a Kubernetes Service, and so is a shorter form when the directory has it; any other host is its
    /// own name, in the namespace of its `ServiceEntry`. `port` is the Service's, 0 where it is not told.
    fn of_host(host: &'a str, port: u16, inquiry: &mut Inquiry<'_>) -> Self {
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
                    host: host.into(),
                    name: name.into(),
                    namespace: namespace.into(),
                    protocol: service
                        .map(|service| protocol_of(&service.ports, port))
                        .unwrap_or_default(),
                };
            }
        }
        match inquiry.external(host) {
            Some(external) => Self::of_external(external, host, port),
            None => DestinationService {
                host: host.into(),
                name: host.into(),
                ..Self::UNKNOWN
            },
        }
    }
}

/// The authority without its userinfo and port; `None` when nothing is left, or something that no host has: a client may write
/// anything there, also a secret.
fn host_of(authority: &[u8]) -> Option<&str> {
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
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
        let service =
            DestinationService::called(cluster, authority.as_bytes(), &mut Directory::default().inquiry());
        assert_eq!(
            (&*service.host, &*service.name, &*service.namespace),
            (host, name, namespace)
        );
    }
}
