//! What an analyzer says about an end of a call: who it is, and by which rule.

use crate::directory::{ExternalHost, FoundOwner, Owner, Pod, Service};
use crate::peer::Peer;
use crate::role::Role;
use crate::rule::Rule;

/// The party at an end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    /// A pod of the directory.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a ExternalHost),
    /// A workload as its own proxy describes it.
    Peer(Box<Peer<&'a [u8]>>),
    /// No party that is certain.
    Unknown,
}

/// The party at an end of a call, and the rule that decided so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution<'a> {
    /// The party, possibly unknown.
    pub party: Party<'a>,
    /// The rule that found the party, or that left it unknown.
    pub rule: Rule,
    /// The role of the party's proxy, if it is known to be a gateway or a waypoint.
    pub role: Role,
}

impl Attribution<'_> {
    /// No party that is certain.
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
