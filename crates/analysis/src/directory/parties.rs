//! The parties that the directory knows: pods, Services and hosts outside the mesh.

use std::sync::{Arc, OnceLock};

use super::name_history::NameHistory;
use super::selectable::Selectable;
use crate::interner::Text;
use crate::moment::Moment;
use crate::port_protocol::PortProtocol;
use crate::role::Role;

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
    pub is_host_network: bool,
    /// Whether it is a `WorkloadEntry`.
    pub is_workload_entry: bool,
    /// Istio's network; empty where it is not told.
    pub network: Arc<str>,
    /// By what objects select it.
    pub selectable: Arc<Selectable>,
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
    pub host: ServiceHost,
}

/// The host of a Service, `name.namespace.svc.domain`, in the domain that asked first: a mesh has one.
#[derive(Clone, Debug, Default)]
pub struct ServiceHost(OnceLock<(Box<str>, Text)>);

/// It is made of what is compared already.
impl PartialEq for ServiceHost {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ServiceHost {}

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
    /// The service's names.
    pub names: NameHistory,
}

impl Service {
    /// The older is the lesser.
    pub(super) fn order(&self) -> (Moment, &Text, &Text) {
        (self.created, &self.namespace, &self.name)
    }

    /// The Service's host. `Ok` in the domain that asks for it first; in any other it is made anew.
    pub fn host_in(&self, domain: &str) -> Result<&Text, String> {
        let make = || format!("{}.{}.svc.{domain}", self.name, self.namespace);
        let (first, host) = self.host.0.get_or_init(|| (domain.into(), make().into()));
        if **first == *domain { Ok(host) } else { Err(make()) }
    }
}

impl ExternalHost {
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
