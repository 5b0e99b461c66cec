//! The role of a proxy in the mesh, by the node id of its stream.

/// The role of a proxy. The node id alone decides it, for HTTP and TCP alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A sidecar: `sidecar~…`.
    Sidecar,
    /// A gateway: `router~…`, and every Envoy that is not Istio's.
    Gateway,
    /// An ambient waypoint: `waypoint~…`.
    Waypoint,
}

impl Role {
    /// The role by the first part of Istio's node id, its node type (istio `pkg/model` `NodeType`).
    pub fn from_node_type(node_type: &str) -> Self {
        match node_type {
            "sidecar" => Role::Sidecar,
            "waypoint" => Role::Waypoint,
            _ => Role::Gateway,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: role/node-type
    #[test]
    fn each_node_type_has_its_role_and_a_plain_envoy_is_a_gateway() {
        let roles = ["sidecar", "router", "waypoint", "edge-7", ""].map(Role::from_node_type);
        assert_eq!(
            roles,
            [
                Role::Sidecar,
                Role::Gateway,
                Role::Waypoint,
                Role::Gateway,
                Role::Gateway
            ]
        );
    }
}
