//! What identities come to.

use crate::aggregate::ids::{CallId, EvidenceId};
use crate::analyze::NotObserved;
use crate::interner::Symbol;
use crate::port_protocol::PortProtocol;
use crate::reporter::Reporter;
use crate::rule::Rule;

/// One observation to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifiedObservation {
    /// Who reports it.
    pub reporter: Reporter,
    /// Who called whom.
    pub call: CallId,
    /// What the called port declares.
    pub protocol: PortProtocol,
    /// What says who the caller is.
    pub source_rule: Rule,
    /// What says who the called party is.
    pub destination_rule: Rule,
    /// The number of these rules on this edge.
    pub evidence: EvidenceId,
    /// The name of the caller's service.
    pub source_name: Symbol,
    /// The name of the called party's service.
    pub destination_name: Symbol,
}

/// What an entry's identity comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// One observation, two of a gateway.
    Observations(IdentifiedObservation, Option<IdentifiedObservation>),
    /// One observation of a call to a host outside that has no place among those that are told apart.
    Overflowed(IdentifiedObservation),
    /// No observation.
    NotObserved(NotObserved),
}
