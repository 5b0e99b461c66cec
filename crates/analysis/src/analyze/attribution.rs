//! Who an analyzer finds at one end of a call, and by which rule.

use crate::directory::{ExternalHost, FoundOwner, Owner, Pod, Service};
use crate::peer::Peer;
use crate::role::Role;
use crate::rule::Rule;

/// Who stands at one end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    /// A pod of the directory.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a ExternalHost),
    /// A workload that described itself.
    Peer(Box<Peer<&'a [u8]>>),
    /// Nobody certain.
    Unknown,
}

/// Who stands at one end of a call, by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution<'a> {
    /// Who.
    pub party: Party<'a>,
    /// The rule that found the party, or that says why it is unknown.
    pub rule: Rule,
    /// Whether it is known for a gateway or a waypoint.
    pub role: Role,
}

impl Attribution<'_> {
    /// Nobody certain.
    pub fn unknown(rule: Rule) -> Self {
        Attribution {
            party: Party::Unknown,
            rule,
            role: Role::Sidecar,
        }
    }
}

impl<'a> From<FoundOwner<'a>> for Attribution<'a> {
    fn from(found: FoundOwner<'a>) -> Self {
        let (party, role) = match found.owner {
            Owner::Pod(pod) => (Party::Pod(pod), pod.role),
            Owner::Service(service) => (Party::Service(service), Role::Sidecar),
            Owner::External(external) => (Party::External(external), Role::Sidecar),
            Owner::Unknown(_) => (Party::Unknown, Role::Sidecar),
        };
        Attribution {
            party,
            rule: found.rule,
            role,
        }
    }
}
