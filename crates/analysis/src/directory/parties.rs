//! The parties that the directory knows: pods, Services and hosts outside the mesh.

use std::sync::{Arc, OnceLock};

use super::name_history::NameHistory;
use super::selectable::Selectable;
use crate::interner::Text;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;
use crate::role::Role;

/// A pod or a `WorkloadEntry` as a party, by its labels and owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.uid`.
    pub uid: Text,
    /// `spec.hostNetwork`.
    pub is_host_network: bool,
    /// Whether it is a `WorkloadEntry`.
    pub is_workload_entry: bool,
    /// Istio's network of its addresses; empty if it is not known.
    pub network: Arc<str>,
    /// What selectors read of it.
    pub selectable: Arc<Selectable>,
    /// The workload by Istio's rules ([`super::workload::workload`]).
    pub workload: Text,
    /// `app.kubernetes.io/name`, else `app`; empty if neither.
    pub app: Text,
    /// `app.kubernetes.io/version`, else `version`; empty if neither.
    pub version: Text,
    /// Istio's canonical service, from the labels or the workload.
    pub canonical_service: Text,
    /// Istio's canonical revision, from the labels; `latest` without one.
    pub canonical_revision: Text,
    /// Whether istiod created it as a gateway or a waypoint.
    pub role: Role,
    /// The names that SkyWalking's rules give it.
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
    /// The annotation `networking.istio.io/exportTo`: the namespaces whose proxies see the Service; blank for all.
    pub export_to: Arc<[Box<str>]>,
    /// Whether it is headless: callers find its pods by names below its own.
    pub is_headless: bool,
    /// The names that SkyWalking's rules give it.
    pub names: NameHistory,
    /// Its host, made when it is first asked for.
    pub host: ServiceHost,
}

/// The host of a Service, `name.namespace.svc.domain`. It is kept for the domain that asks first, because a mesh has one domain.
#[derive(Clone, Debug, Default)]
pub struct ServiceHost(OnceLock<(Box<str>, Text)>);

/// Name and namespace are compared already, so two hosts never differ.
impl PartialEq for ServiceHost {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ServiceHost {}

/// A port and the protocol that it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The number of the port.
    pub number: u16,
    /// The protocol that it declares.
    pub protocol: PortProtocol,
}

/// A host outside the mesh that a `ServiceEntry` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalHost {
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
    /// The names that SkyWalking's rules give it.
    pub names: NameHistory,
}

impl Service {
    /// The order of precedence: an older Service sorts before a younger one.
    pub(super) fn order(&self) -> (Moment, &Text, &Text) {
        (self.created, &self.namespace, &self.name)
    }

    /// The Service's host. `Ok` is the kept one, in the domain that asked first; `Err` is made anew for any other domain.
    pub fn host_in(&self, domain: &str) -> Result<&Text, String> {
        let make = || format!("{}.{}.svc.{domain}", self.name, self.namespace);
        let (first, host) = self.host.0.get_or_init(|| (domain.into(), make().into()));
        if **first == *domain { Ok(host) } else { Err(make()) }
    }
}

impl ExternalHost {
    /// Whether `host` is the host itself and not one that its wildcard matches. Case does not count.
    pub fn is_host(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }
}

/// The protocol of the port with this number.
pub fn protocol_of(ports: &[Port], number: u16) -> PortProtocol {
    let port = ports.iter().find(|port| port.number == number);
    port.map_or(PortProtocol::Undeclared, |port| port.protocol)
}
