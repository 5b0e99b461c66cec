//! The answer to a lookup: who owns an address or a name, by which rule, and for which start times.

use super::parties::{ExternalHost, Pod, Service};
use super::validity::Validity;
use crate::accounting::Unattributed;
use crate::rule::Rule;

/// Who an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A pod.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address, or an address without a pod that its `EndpointSlices` name.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a ExternalHost),
    /// Nobody certain.
    Unknown(Unattributed),
}

/// The answer to one lookup, and within which start times the same version of the directory gives it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOwner<'a> {
    /// The owner.
    pub owner: Owner<'a>,
    /// The rule by which it is the owner, or by which nobody is.
    pub rule: Rule,
    /// The start times for which the answer holds.
    pub validity: Validity,
}

impl<'a> FoundOwner<'a> {
    /// Nobody certain.
    pub(super) fn unknown(reason: Unattributed, validity: Validity) -> Self {
        FoundOwner {
            owner: Owner::Unknown(reason),
            rule: reason.into(),
            validity,
        }
    }

    /// Nobody, because there is no address.
    pub fn without_address() -> Self {
        FoundOwner::unknown(Unattributed::NoAddress, Validity::ALWAYS)
    }

    /// Nobody certain, because a node's address is shared.
    pub fn node_address(validity: Validity) -> Self {
        FoundOwner::unknown(Unattributed::NodeAddress, validity)
    }

    /// The same answer by `rule`, if an owner was found.
    #[must_use]
    pub fn with_rule(self, rule: Rule) -> Self {
        match self.owner {
            Owner::Unknown(_) => self,
            Owner::Pod(_) | Owner::Service(_) | Owner::External(_) => FoundOwner { rule, ..self },
        }
    }

    /// This answer, else the next source's; both must hold for the answer to hold.
    pub(super) fn or_else(self, next: impl FnOnce() -> Option<FoundOwner<'a>>) -> Self {
        if self.rule != Rule::NotFound {
            return self;
        }
        match next() {
            Some(next) => FoundOwner {
                validity: self.validity.and(next.validity),
                ..next
            },
            None => self,
        }
    }
}
