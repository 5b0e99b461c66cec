//! The answer to a lookup: who owns an address or a name, by which rule, and for which start times.

use super::parties::{ExternalHost, Pod, Service};
use super::validity::Validity;
use crate::accounting::Unattributed;
use crate::rule::Rule;

/// The owner of an address or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A pod or a `WorkloadEntry`.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address, or an address without a pod that its `EndpointSlices` name.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a ExternalHost),
    /// No owner that is certain, and why.
    Unknown(Unattributed),
}

/// The answer to a lookup, and the start times for which this version of the directory gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOwner<'a> {
    /// The owner, or why there is none.
    pub owner: Owner<'a>,
    /// The rule that decided so.
    pub rule: Rule,
    /// The start times for which the answer holds.
    pub validity: Validity,
}

impl<'a> FoundOwner<'a> {
    /// No owner that is certain, and why.
    pub(super) fn unknown(reason: Unattributed, validity: Validity) -> Self {
        FoundOwner {
            owner: Owner::Unknown(reason),
            rule: reason.into(),
            validity,
        }
    }

    /// No owner, because there is no address.
    pub fn without_address() -> Self {
        FoundOwner::unknown(Unattributed::NoAddress, Validity::ALWAYS)
    }

    /// No certain owner, because the address is a node's, which its pods share.
    pub fn node_address(validity: Validity) -> Self {
        FoundOwner::unknown(Unattributed::NodeAddress, validity)
    }

    /// The same answer with `rule` as its rule; an unknown owner keeps its own.
    #[must_use]
    pub fn with_rule(self, rule: Rule) -> Self {
        match self.owner {
            Owner::Unknown(_) => self,
            Owner::Pod(_) | Owner::Service(_) | Owner::External(_) => FoundOwner { rule, ..self },
        }
    }

    /// This answer; the answer of the next source if this one is [`Rule::NotFound`]. Then both must hold.
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
