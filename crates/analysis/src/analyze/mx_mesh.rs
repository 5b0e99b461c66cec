//! The analyzer `mx-mesh`: the parties as their own proxies describe them, without any directory or address.
//!
//! The rules are SkyWalking's (`MetaExchangeALSHTTPAnalyzer`) for HTTP and TCP alike, with these differences: the proxy's role and
//! the cluster decide the direction, not which peers there are; an entry with both spellings of a peer has one; a missing peer
//! is an unknown party and not a missing observation.

use super::direction::Direction;
use super::legs::{End, Identity, Party};
use crate::accounting::Unattributed;
use crate::peer::Peer;
use crate::stream::Stream;

/// Who stands at one end of a call.
pub fn party<'a>(identity: &Identity<'a>, stream: &'a Stream, direction: Direction, end: End) -> Party<'a> {
    let found = match (direction, end) {
        (Direction::Inbound | Direction::Gateway | Direction::Waypoint, End::Caller) => downstream(identity),
        (Direction::Outbound, End::Caller) | (_, End::Listener) => stream.own_peer(),
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
    let namespace = namespace(identity.security.peer_principal).unwrap_or(peer.namespace);
    Some(Peer { namespace, ..peer })
}

/// The namespace in `spiffe://trust.domain/ns/NAMESPACE/sa/ACCOUNT`.
fn namespace(principal: &[u8]) -> Option<&[u8]> {
    let mut parts = principal
        .strip_prefix(b"spiffe://")?
        .split(|byte| *byte == b'/')
        .skip(1);
    let (b"ns", namespace) = (parts.next()?, parts.next()?) else {
        return None;
    };
    (!namespace.is_empty()).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::istios("spiffe://cluster.local/ns/demo/sa/reviews", Some("demo"))]
    #[case::other_path("spiffe://cluster.local/host/demo", None)]
    #[case::no_namespace("spiffe://cluster.local/ns/", None)]
    #[case::other_scheme("https://cluster.local/ns/demo/sa/reviews", None)]
    #[case::none("", None)]
    fn a_principal_proves_the_namespace(#[case] principal: &str, #[case] expected: Option<&str>) {
        assert_eq!(namespace(principal.as_bytes()), expected.map(str::as_bytes));
    }
}
