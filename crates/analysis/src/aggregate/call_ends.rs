//! Decides which nodes the ends of a call are, and which node its service is.

use std::sync::Arc;

use super::call::{Call, EndKinds, PartyLabels};
use super::graph_node::{GraphNode, GraphNodeKind};
use crate::analyze::attribution::Party;
use crate::analyze::observations::Observation;
use crate::interner::Symbol;
use crate::reporter::Reporter;

/// The nodes at both ends of a call, and that of the called service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnds<Name = Arc<str>> {
    /// The node of the caller.
    pub source: GraphNode<Name>,
    /// The node of the called party.
    pub destination: GraphNode<Name>,
    /// The called service, whoever answered; unknown if the traffic is sent on without a service.
    pub service: GraphNode<Name>,
}

impl EndKinds {
    /// The kinds of an observation whose parties have these labels.
    pub fn of(observation: &Observation<'_>, source: &PartyLabels, destination: &PartyLabels) -> Self {
        let (called, service) = of_service(observation);
        EndKinds {
            source: of_party(&observation.source.party, source),
            destination: match of_party(&observation.destination.party, destination) {
                GraphNodeKind::Service | GraphNodeKind::Unknown if called != GraphNodeKind::Unknown => called,
                known => known,
            },
            service,
        }
    }

    /// The ends of a call of these kinds.
    pub fn ends(self, call: &Call) -> CallEnds<Symbol> {
        let outside = || {
            GraphNode::outside(if call.service == Symbol::UNKNOWN {
                call.service_name
            } else {
                call.service
            })
        };
        let service = match self.service {
            GraphNodeKind::Service => GraphNode::new(self.service, call.service_namespace, call.service_name),
            GraphNodeKind::Outside => outside(),
            GraphNodeKind::Workload | GraphNodeKind::Unknown => GraphNode::UNKNOWN,
        };
        let destination = match self.destination {
            _ if call.destination.workload != Symbol::UNKNOWN => node(self.destination, &call.destination),
            GraphNodeKind::Outside => outside(),
            GraphNodeKind::Service if service != GraphNode::UNKNOWN => service,
            kind => node(kind, &call.destination),
        };
        CallEnds {
            source: node(self.source, &call.source),
            destination,
            service,
        }
    }
}

fn node(kind: GraphNodeKind, party: &PartyLabels) -> GraphNode<Symbol> {
    match kind {
        GraphNodeKind::Workload => GraphNode::new(kind, party.namespace, party.workload),
        GraphNodeKind::Service => GraphNode::new(kind, party.namespace, party.canonical_service),
        GraphNodeKind::Outside => GraphNode::outside(party.workload),
        GraphNodeKind::Unknown => GraphNode::UNKNOWN,
    }
}

fn of_party(party: &Party<'_>, labels: &PartyLabels) -> GraphNodeKind {
    let unknown = Symbol::UNKNOWN;
    match party {
        Party::External(_) => GraphNodeKind::Outside,
        _ if labels.workload != unknown => GraphNodeKind::Workload,
        _ if labels.canonical_service != unknown => GraphNodeKind::Service,
        _ => GraphNodeKind::Unknown,
    }
}

/// What a called party is of which only the service is known, and what that service is. Traffic that Envoy sends on without knowing
/// where goes outside and to no service. A host that is its own name is a client side's word for one outside; on a server side, which
/// serves in the mesh, a host without a namespace is the caller's word alone.
fn of_service(observation: &Observation<'_>) -> (GraphNodeKind, GraphNodeKind) {
    let (host, name) = (&*observation.service.host, &*observation.service.name);
    let unknown = GraphNodeKind::Unknown;
    match name {
        "unknown" => (unknown, unknown),
        "PassthroughCluster" | "BlackHoleCluster" => (GraphNodeKind::Outside, unknown),
        _ if name.starts_with("InboundPassthroughCluster") => (unknown, unknown),
        _ if name == host && observation.reporter != Reporter::Destination => {
            (GraphNodeKind::Outside, GraphNodeKind::Outside)
        }
        _ if &*observation.service.namespace == "unknown" => (unknown, unknown),
        _ => (GraphNodeKind::Service, GraphNodeKind::Service),
    }
}
