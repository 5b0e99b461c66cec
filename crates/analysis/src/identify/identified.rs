//! The result of looking an identity up.

use crate::aggregate::ids::{CallId, EvidenceId};
use crate::analyze::NotObserved;
use crate::interner::Symbol;
use crate::port_protocol::PortProtocol;
use crate::reporter::Reporter;
use crate::rule::Rule;

/// An observation that is ready to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifiedObservation {
    /// The proxy that reports it.
    pub reporter: Reporter,
    /// The id of the call: who called whom.
    pub call: CallId,
    /// The protocol that the called port declares.
    pub protocol: PortProtocol,
    /// The rule that found the caller.
    pub source_rule: Rule,
    /// The rule that found the called party.
    pub destination_rule: Rule,
    /// The id of the evidence: these rules on this edge.
    pub evidence: EvidenceId,
    /// SkyWalking's name of the caller's service.
    pub source_name: Symbol,
    /// SkyWalking's name of the called party's service.
    pub destination_name: Symbol,
}

/// What was found for the identity of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// One observation, or two of a gateway.
    Observations(IdentifiedObservation, Option<IdentifiedObservation>),
    /// An observation of a call to an outside host that is counted as `other`.
    Overflowed(IdentifiedObservation),
    /// No observation, and why.
    NotObserved(NotObserved),
}
