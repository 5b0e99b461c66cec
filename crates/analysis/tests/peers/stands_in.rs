//! A peer is made of nothing but the bytes it was read from.

use alscope_analysis::peer::Peer;

/// Panics unless every text of `peer` stands in `bytes`, or is Istio's word for no revision.
pub(crate) fn stands_in(bytes: &[u8], peer: &Peer<&[u8]>) {
    for text in peer.labels().into_iter().chain([peer.name]) {
        let stands =
            text == b"latest" || text.is_empty() || bytes.windows(text.len()).any(|window| window == text);
        assert!(stands, "{text:?} is not in the bytes");
    }
    assert!(!peer.canonical_service.is_empty());
}
