//! The direction of a call, as its reporter saw it.

use super::NotObserved;
use super::identity::Identity;
use super::party_address::ip;
use super::upstream_cluster::UpstreamCluster;
use crate::accounting::Skipped;
use crate::node::Node;
use crate::role::Role;

/// The side of the call on which the reporting proxy was. It decides how many observations an entry has and who reports them, so
/// all analyzers share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The reporter is the sidecar of the called party.
    Inbound,
    /// The reporter is the sidecar of the caller.
    Outbound,
    /// The reporter is a gateway, which was called and called on.
    Gateway,
    /// The reporter is a waypoint between caller and called party.
    Waypoint,
    /// The reporter is a waypoint, and the caller used the pod's own address.
    Direct,
}

/// The direction by the role of the proxy and, for a sidecar, by the cluster. Without a cluster the local address decides. Inbound
/// it is an address of the pod. Outbound it is where the application wanted to go, or a pipe (Istio binds only outbound listeners
/// to pipes, `Sidecar.egress`). Without a local address the only peer decides: a sidecar knows the downstream peer inbound and the
/// upstream peer outbound (istio/proxy `peer_metadata`).
pub fn direction(
    identity: &Identity<'_>,
    cluster: UpstreamCluster<'_>,
    node: &Node,
) -> Result<Direction, NotObserved> {
    match (node.role, cluster) {
        (_, UpstreamCluster::Tunnel) | (Role::Waypoint, UpstreamCluster::Other) => {
            Err(Skipped::NotACall.into())
        }
        (Role::Gateway, _) => Ok(Direction::Gateway),
        (Role::Waypoint, UpstreamCluster::Direct) => Ok(Direction::Direct),
        (Role::Waypoint, _) => Ok(Direction::Waypoint),
        (Role::Sidecar, UpstreamCluster::Inbound { .. } | UpstreamCluster::InboundPassthrough { .. }) => {
            Ok(Direction::Inbound)
        }
        (Role::Sidecar, UpstreamCluster::Outbound { .. } | UpstreamCluster::Outside { .. }) => {
            Ok(Direction::Outbound)
        }
        (
            Role::Sidecar,
            UpstreamCluster::InboundVip { .. } | UpstreamCluster::Direct | UpstreamCluster::Other,
        ) => Err(Skipped::NotACall.into()),
        (Role::Sidecar, UpstreamCluster::Unset) => without_cluster(identity, node),
    }
}

fn without_cluster(identity: &Identity<'_>, node: &Node) -> Result<Direction, NotObserved> {
    if identity.listens_on_pipe {
        return Ok(Direction::Outbound);
    }
    let local = identity.local.ok_or(Skipped::NoAddress.into());
    match (
        local.and_then(|local| ip(local.ip)),
        identity.peers.downstream,
        identity.peers.upstream,
    ) {
        (Ok(local), ..) if node.own_addresses.contains(&local) => Ok(Direction::Inbound),
        (Err(_), Some(_), None) => Ok(Direction::Inbound),
        (Ok(_), ..) | (Err(_), None, Some(_)) => Ok(Direction::Outbound),
        (Err(ended), ..) => Err(ended),
    }
}
