//! The analyzer `mx-mesh`, which takes the parties as their own proxies describe them, without directory or addresses.
//!
//! The rules are SkyWalking's (`MetaExchangeALSHTTPAnalyzer`) for HTTP and TCP alike, with these differences. The role of the proxy
//! and the cluster decide the direction, not which peers there are. An entry with both spellings of a peer has one peer. A missing
//! peer is an unknown party and not a missing observation.

use super::attribution::{Attribution, Party};
use super::direction::Direction;
use super::identity::{CallEnd, Identity};
use super::tls;
use crate::node::Node;
use crate::peer::Peer;
use crate::role::Role;
use crate::rule::Rule;

/// The party at an end of a call.
pub fn party<'a>(
    identity: &Identity<'a>,
    node: &'a Node,
    direction: Direction,
    end: CallEnd,
) -> Attribution<'a> {
    let (found, rule) = match (direction, end) {
        (Direction::Outbound, CallEnd::Caller) | (_, CallEnd::Listener) => (node.own_peer(), Rule::OwnNode),
        (
            Direction::Inbound | Direction::Gateway | Direction::Waypoint | Direction::Direct,
            CallEnd::Caller,
        ) => (downstream(identity), Rule::DownstreamPeer),
        (_, CallEnd::Upstream) => (identity.peers.upstream, Rule::UpstreamPeer),
    };
    match found {
        Some(peer) => Attribution {
            party: Party::Peer(Box::new(peer)),
            rule,
            role: Role::Sidecar,
        },
        None if end == CallEnd::Upstream && identity.upstream.is_none() => {
            Attribution::unknown(Rule::NoUpstreamPeer)
        }
        None => Attribution::unknown(Rule::NoPeer),
    }
}

/// The downstream peer. If there is a certificate, its namespace is the one that the certificate proves (istio/proxy
/// `istio_stats`).
fn downstream<'a>(identity: &Identity<'a>) -> Option<Peer<&'a [u8]>> {
    let peer = identity.peers.downstream?;
    let namespace = tls::namespace(identity.security.peer_principal).unwrap_or(peer.namespace);
    Some(Peer { namespace, ..peer })
}
