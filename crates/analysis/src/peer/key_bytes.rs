//! Writes peers into the key of an identity.

use super::Peer;

/// Writes the labels of a peer, or a zero if there is no peer.
pub fn write_peer(key: &mut Vec<u8>, peer: Option<&Peer<&[u8]>>) {
    key.push(u8::from(peer.is_some()));
    if let Some(peer) = peer {
        write_parts(key, peer.labels());
    }
}

/// Writes the lengths of the parts, then the parts, so that different lists of parts never have the same bytes.
#[inline]
pub fn write_parts<const COUNT: usize>(key: &mut Vec<u8>, parts: [&[u8]; COUNT]) {
    let mut lengths = [[0; 4]; COUNT];
    for (length, part) in lengths.iter_mut().zip(&parts) {
        *length = u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
    }
    key.extend_from_slice(lengths.as_flattened());
    for part in parts {
        key.extend_from_slice(part);
    }
}
