//! The analyzer `mx-mesh`: the parties as their own proxies describe them, without any directory or address.
//!
//! The rules are SkyWalking's (`MetaExchangeALSHTTPAnalyzer`) for HTTP and TCP alike, with these differences: the proxy's role and
//! the cluster decide the direction, not which peers there are; an entry with both spellings of a peer has one; a missing peer
//! is an unknown party and not a missing observation.

use super::direction::Direction;
use super::legs::{End, Identity, Party};
use super::tls;
use crate::accounting::Unattributed;
use crate::peer::Peer;
use crate::stream::Stream;

/// Who stands at one end of a call.
pub fn party<'a>(identity: &Identity<'a>, stream: &'a Stream, direction: Direction, end: End) -> Party<'a> {
    let found = match (direction, end) {
        (Direction::Outbound, End::Caller) | (_, End::Listener) => stream.own_peer(),
        (Direction::Inbound | Direction::Gateway | Direction::Waypoint | Direction::Direct, End::Caller) => {
            downstream(identity)
        }
        (_, End::Upstream) => identity.peers.upstream,
    };
    match found {
        Some(peer) => Party::Peer(peer),
        None if end == End::Upstream && identity.upstream.is_none() => {
            Party::Unknown(Unattributed::NoAddress)
        }
        None => Party::Unknown(Unattributed::NotFound),
    }
}

/// The downstream's peer. Its namespace is what its certificate proves, where there is one (istio/proxy `istio_stats`).
fn downstream<'a>(identity: &Identity<'a>) -> Option<Peer<&'a [u8]>> {
    let peer = identity.peers.downstream?;
    let namespace = tls::namespace(identity.security.peer_principal).unwrap_or(peer.namespace);
    Some(Peer { namespace, ..peer })
}
