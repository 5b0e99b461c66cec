//! The bytes by which the memo knows an identity: equal keys of one directory version mean equal parties.
//!
//! Only what decides goes into a key, so that no more keys are made than there are answers. A caller's port changes with each
//! connection and decides nothing. Where no analyzer looks addresses up, they are left out too.
//!
//! Peers are written as the labels that were read out of them and not as the bytes they came in. Protobuf sends a struct's fields
//! in any order, a `FlatNode` holds all labels of a pod, and both name the pod itself: as raw bytes one workload would have as many
//! keys as its pods have orders of fields, and long label sets would not fit. As labels it has one key, exact and without a
//! hash that could collide, and [`check_lengths`] has bounded each of its eight strings.

use crate::accounting::Rejected;
use crate::analyze::addresses::Endpoint;
use crate::analyze::chain::{Analyzer, Chain};
use crate::analyze::legs::Identity;
use crate::analyze::role::Role;
use crate::analyze::tls::Security;
use crate::peer::Peer;
use crate::stream::Stream;

/// Refuses strings longer than `limit` bytes, of those that `chain` asks for.
pub fn check_lengths(
    chain: Chain,
    stream: &Stream,
    identity: &Identity<'_>,
    limit: usize,
) -> Result<(), Rejected> {
    let Security {
        peer_principal,
        local_principal,
        ..
    } = identity.security;
    let strings = [
        identity.cluster,
        identity.authority,
        peer_principal,
        local_principal,
    ];
    let is_too_long = |string: &[u8]| string.len() > limit;
    let is_described_too_long = || {
        let peers = [&identity.peers.upstream, &identity.peers.downstream];
        let mut peers = peers.into_iter().flatten();
        stream.longest_own_label > limit || peers.any(|peer| peer.labels().into_iter().any(is_too_long))
    };
    if strings.into_iter().any(is_too_long) || (chain.has(Analyzer::MxMesh) && is_described_too_long()) {
        Err(Rejected::StringTooLong)
    } else {
        Ok(())
    }
}

/// Writes the key of an identity that `chain` analyzes.
pub fn write_key(key: &mut Vec<u8>, chain: Chain, stream: &Stream, identity: &Identity<'_>) {
    key.clear();
    key.push(chain.number());
    key.extend_from_slice(&stream.memo_prefix);
    key.push(identity.security.policy as u8);
    let Security {
        peer_principal,
        local_principal,
        ..
    } = identity.security;
    let parts = [
        identity.cluster,
        identity.authority,
        peer_principal,
        local_principal,
    ];
    write_parts(key, parts);
    if chain.has(Analyzer::K8sMesh) {
        write_addresses(key, identity);
    }
    if chain.has(Analyzer::MxMesh) {
        key.extend_from_slice(&stream.own_memo_prefix);
        write_peer(key, identity.peers.upstream.as_ref());
        write_peer(key, identity.peers.downstream.as_ref());
        // The questions that are asked about addresses without looking them up.
        key.push(u8::from(identity.upstream.is_some()));
        key.push(u8::from(identity.local.is_some()));
        if stream.role == Role::Sidecar && identity.cluster.is_empty() {
            write_parts(key, [ip(identity.local)]);
        }
    }
}

#[inline]
fn write_addresses(key: &mut Vec<u8>, identity: &Identity<'_>) {
    let port =
        |endpoint: Option<Endpoint<'_>>| endpoint.map_or([0, 0], |endpoint| endpoint.port.to_le_bytes());
    let ports = [port(identity.local), port(identity.upstream)];
    key.extend_from_slice(ports.as_flattened());
    let ends = [identity.remote, identity.local, identity.upstream];
    key.extend_from_slice(&ends.map(|end| u8::from(end.is_some_and(|endpoint| endpoint.is_endpoint_id))));
    write_parts(
        key,
        [ip(identity.remote), ip(identity.local), ip(identity.upstream)],
    );
}

fn ip(endpoint: Option<Endpoint<'_>>) -> &[u8] {
    endpoint.map_or(b"", |endpoint| endpoint.ip)
}

/// Writes a peer's labels, or that there is no peer.
pub fn write_peer(key: &mut Vec<u8>, peer: Option<&Peer<&[u8]>>) {
    key.push(u8::from(peer.is_some()));
    if let Some(peer) = peer {
        write_parts(key, peer.labels());
    }
}

/// Writes the parts behind their lengths, so that no two rows of parts have the same bytes.
#[inline]
fn write_parts<const COUNT: usize>(key: &mut Vec<u8>, parts: [&[u8]; COUNT]) {
    let mut lengths = [[0; 4]; COUNT];
    for (length, part) in lengths.iter_mut().zip(&parts) {
        *length = u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
    }
    key.extend_from_slice(lengths.as_flattened());
    for part in parts {
        key.extend_from_slice(part);
    }
}
