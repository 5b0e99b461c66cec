//! The nodes of the graph that the page, `top` and `why` show.
//!
//! | node | id | who |
//! |---|---|---|
//! | workload | `namespace/workload` | who was found by name |
//! | service | `service:namespace/name` | the called service where no workload was found: nobody was reached, or an address is the service's own; and a caller of which only the service is known |
//! | outside | `outside:host` | a host of a `ServiceEntry`, a host that is its own name, and traffic that Envoy sends on without knowing where (`PassthroughCluster`, `BlackHoleCluster`) |
//! | unknown | `unknown` | anybody else |
//!
//! No name in Kubernetes has a colon, so ids are unique. If a workload claims a namespace with a colon, `workload:` precedes its
//! id. Gateways and waypoints are workloads; [`super::evidence`] has their roles.

use std::sync::Arc;

use crate::interner::{Interner, Symbol};

/// The kind of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GraphNodeKind {
    /// A workload that is known by name.
    Workload,
    /// A service of which no workload is known.
    Service,
    /// A host outside the mesh.
    Outside,
    /// No party that is certain.
    Unknown,
}

/// An end of a call, or its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphNode<Name = Arc<str>> {
    /// The kind of the node.
    pub kind: GraphNodeKind,
    /// Its namespace; empty for a host outside, `unknown` where none is known.
    pub namespace: Name,
    /// The name of the workload or service, or the host; `unknown` for nobody.
    pub name: Name,
}

impl GraphNode<Symbol> {
    /// The node of all unknown parties, whatever namespace a certificate proves.
    pub const UNKNOWN: GraphNode<Symbol> = GraphNode {
        kind: GraphNodeKind::Unknown,
        namespace: Symbol::UNKNOWN,
        name: Symbol::UNKNOWN,
    };

    pub(super) fn new(kind: GraphNodeKind, namespace: Symbol, name: Symbol) -> Self {
        GraphNode {
            kind,
            namespace,
            name,
        }
    }

    pub(super) fn outside(host: Symbol) -> Self {
        GraphNode::new(GraphNodeKind::Outside, Symbol::EMPTY, host)
    }

    /// The node with texts in place of symbols.
    pub fn text(&self, interner: &Interner) -> GraphNode {
        GraphNode {
            kind: self.kind,
            namespace: interner.text(self.namespace),
            name: interner.text(self.name),
        }
    }
}

impl GraphNode {
    /// The node's id, which is unique.
    pub fn id(&self) -> String {
        let GraphNode {
            kind,
            namespace,
            name,
        } = self;
        match kind {
            GraphNodeKind::Workload if namespace.contains(':') => format!("workload:{namespace}/{name}"),
            GraphNodeKind::Workload => format!("{namespace}/{name}"),
            GraphNodeKind::Service => format!("service:{namespace}/{name}"),
            GraphNodeKind::Outside => format!("outside:{name}"),
            GraphNodeKind::Unknown => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn node(kind: GraphNodeKind, namespace: &str, name: &str) -> GraphNode {
        GraphNode {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    // proves: node/id
    #[test]
    fn no_two_nodes_have_one_id() {
        let nodes = [
            node(GraphNodeKind::Workload, "demo", "web"),
            node(GraphNodeKind::Service, "demo", "web"),
            node(GraphNodeKind::Outside, "", "demo/web"),
            node(GraphNodeKind::Workload, "service:demo", "web"),
            node(GraphNodeKind::Workload, "outside:demo", "web"),
            node(GraphNodeKind::Workload, "workload:service:demo", "web"),
            node(GraphNodeKind::Workload, "unknown", "unknown"),
            node(GraphNodeKind::Unknown, "unknown", "unknown"),
        ];
        let ids: HashSet<String> = nodes.iter().map(GraphNode::id).collect();
        assert_eq!(ids.len(), nodes.len(), "{ids:?}");
        assert!(
            ids.contains("demo/web") && ids.contains("service:demo/web"),
            "{ids:?}"
        );
    }
}
