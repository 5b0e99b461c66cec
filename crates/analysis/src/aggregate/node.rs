//! The ends of a call as page, `top` and `why` show them: which node each is.
//!
//! | node | id | who |
//! |---|---|---|
//! | workload | `namespace/workload` | who was found by name |
//! | service | `service:namespace/name` | the called service where no workload was found: nobody was reached, or an address is the service's own; and a caller of which only the service is known |
//! | outside | `outside:host` | a host of a `ServiceEntry`, a host that is its own name, and traffic that Envoy sends on without knowing where (`PassthroughCluster`, `BlackHoleCluster`) |
//! | unknown | `unknown` | anybody else |
//!
//! No name in Kubernetes has a colon, so no two nodes have one id; a workload that says of itself that its namespace has one has
//! `workload:` before it. Gateways and waypoints are workloads, which [`super::evidence`] tells apart.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::aggregate::call::{Call, PartyLabels};
use crate::analyze::attribution::Party;
use crate::analyze::observations::Observation;
use crate::interner::{Interner, Symbol};
use crate::reporter::Reporter;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// A workload.
    Workload,
    /// A service of which no workload is known.
    Service,
    /// A host outside the mesh.
    Outside,
    /// Nobody certain.
    Unknown,
}

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node<Name = Arc<str>> {
    /// What it is.
    pub kind: NodeKind,
    /// Its namespace; empty for a host outside, `unknown` where none is known.
    pub namespace: Name,
    /// The name of the workload or service, or the host; `unknown` for nobody.
    pub name: Name,
}

impl Node<Symbol> {
    /// Nobody certain: one node, whatever namespace a certificate proves.
    pub const UNKNOWN: Node<Symbol> = Node {
        kind: NodeKind::Unknown,
        namespace: Symbol::UNKNOWN,
        name: Symbol::UNKNOWN,
    };

    fn new(kind: NodeKind, namespace: Symbol, name: Symbol) -> Self {
        Node {
            kind,
            namespace,
            name,
        }
    }

    fn outside(host: Symbol) -> Self {
        Node::new(NodeKind::Outside, Symbol::EMPTY, host)
    }

    /// The node in text.
    pub fn text(&self, interner: &Interner) -> Node {
        Node {
            kind: self.kind,
            namespace: interner.text(self.namespace),
            name: interner.text(self.name),
        }
    }
}

impl Node {
    /// The node's id, which no other node has.
    pub fn id(&self) -> String {
        let Node {
            kind,
            namespace,
            name,
        } = self;
        match kind {
            NodeKind::Workload if namespace.contains(':') => format!("workload:{namespace}/{name}"),
            NodeKind::Workload => format!("{namespace}/{name}"),
            NodeKind::Service => format!("service:{namespace}/{name}"),
            NodeKind::Outside => format!("outside:{name}"),
            NodeKind::Unknown => "unknown".to_owned(),
        }
    }
}

/// The ends of a call, and the service that it went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<Name = Arc<str>> {
    /// The caller.
    pub source: Node<Name>,
    /// The called party.
    pub destination: Node<Name>,
    /// The called service, whoever answered; unknown where traffic is sent on without one.
    pub service: Node<Name>,
}

/// What the ends of a call are. The labels have the names, so calls whose labels are equal are one series: this is no part of what
/// tells two calls apart.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    source: NodeKind,
    destination: NodeKind,
    service: NodeKind,
}

impl PartialEq for Kinds {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kinds {}

impl Hash for Kinds {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Kinds {
    /// Of what is not kept apart.
    pub const OVERFLOW: Kinds = Kinds {
        source: NodeKind::Workload,
        destination: NodeKind::Workload,
        service: NodeKind::Unknown,
    };

    /// The kinds of an observation whose parties have these labels.
    pub fn of(observation: &Observation<'_>, source: &PartyLabels, destination: &PartyLabels) -> Self {
        let (called, service) = of_service(observation);
        Kinds {
            source: of_party(&observation.source.party, source),
            destination: match of_party(&observation.destination.party, destination) {
                NodeKind::Service | NodeKind::Unknown if called != NodeKind::Unknown => called,
                known => known,
            },
            service,
        }
    }

    /// The ends of a call of these kinds.
    pub fn ends(self, call: &Call) -> Ends<Symbol> {
        let outside = || {
            Node::outside(if call.service == Symbol::UNKNOWN {
                call.service_name
            } else {
                call.service
            })
        };
        let service = match self.service {
            NodeKind::Service => Node::new(self.service, call.service_namespace, call.service_name),
            NodeKind::Outside => outside(),
            NodeKind::Workload | NodeKind::Unknown => Node::UNKNOWN,
        };
        let destination = match self.destination {
            _ if call.destination.workload != Symbol::UNKNOWN => node(self.destination, &call.destination),
            NodeKind::Outside => outside(),
            NodeKind::Service if service != Node::UNKNOWN => service,
            kind => node(kind, &call.destination),
        };
        Ends {
            source: node(self.source, &call.source),
            destination,
            service,
        }
    }
}

fn node(kind: NodeKind, party: &PartyLabels) -> Node<Symbol> {
    match kind {
        NodeKind::Workload => Node::new(kind, party.namespace, party.workload),
        NodeKind::Service => Node::new(kind, party.namespace, party.canonical_service),
        NodeKind::Outside => Node::outside(party.workload),
        NodeKind::Unknown => Node::UNKNOWN,
    }
}

fn of_party(party: &Party<'_>, labels: &PartyLabels) -> NodeKind {
    let unknown = Symbol::UNKNOWN;
    match party {
        Party::External(_) => NodeKind::Outside,
        _ if labels.workload != unknown => NodeKind::Workload,
        _ if labels.canonical_service != unknown => NodeKind::Service,
        _ => NodeKind::Unknown,
    }
}

/// What a called party is of which only the service is known, and what that service is. Traffic that Envoy sends on without knowing
/// where goes outside and to no service. A host that is its own name is a client side's word for one outside; on a server side, which
/// serves in the mesh, a host without a namespace is the caller's word alone.
fn of_service(observation: &Observation<'_>) -> (NodeKind, NodeKind) {
    let (host, name) = (&*observation.service.host, &*observation.service.name);
    let unknown = NodeKind::Unknown;
    match name {
        "unknown" => (unknown, unknown),
        "PassthroughCluster" | "BlackHoleCluster" => (NodeKind::Outside, unknown),
        _ if name.starts_with("InboundPassthroughCluster") => (unknown, unknown),
        _ if name == host && observation.reporter != Reporter::Destination => {
            (NodeKind::Outside, NodeKind::Outside)
        }
        _ if &*observation.service.namespace == "unknown" => (unknown, unknown),
        _ => (NodeKind::Service, NodeKind::Service),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn node(kind: NodeKind, namespace: &str, name: &str) -> Node {
        Node {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    // proves: node/id
    #[test]
    fn no_two_nodes_have_one_id() {
        let nodes = [
            node(NodeKind::Workload, "demo", "web"),
            node(NodeKind::Service, "demo", "web"),
            node(NodeKind::Outside, "", "demo/web"),
            node(NodeKind::Workload, "service:demo", "web"),
            node(NodeKind::Workload, "outside:demo", "web"),
            node(NodeKind::Workload, "workload:service:demo", "web"),
            node(NodeKind::Workload, "unknown", "unknown"),
            node(NodeKind::Unknown, "unknown", "unknown"),
        ];
        let ids: HashSet<String> = nodes.iter().map(Node::id).collect();
        assert_eq!(ids.len(), nodes.len(), "{ids:?}");
        assert!(
            ids.contains("demo/web") && ids.contains("service:demo/web"),
            "{ids:?}"
        );
    }

    // proves: node/no-label
    #[test]
    fn calls_whose_labels_are_equal_are_one_whatever_their_ends_are() {
        let kinds = Kinds {
            destination: NodeKind::Outside,
            ..Kinds::OVERFLOW
        };
        let other = Call {
            kinds,
            ..Call::OVERFLOW
        };
        let calls: HashSet<Call> = [Call::OVERFLOW, other].into();
        assert_eq!(calls.len(), 1);
    }
}
