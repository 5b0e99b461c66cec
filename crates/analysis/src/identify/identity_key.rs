//! Writes the key of an identity for the cache: equal keys of one directory version mean equal parties.
//!
//! Only what decides the result goes into a key, so that there are no more keys than results. A caller's port changes with each
//! connection and decides nothing. If no analyzer looks addresses up, they are left out too.
//!
//! Parts that two entries of one identity nearly always write alike go in as they were sent: certificates, the proxy's own address
//! and the upstream's address. So a cached identity is found without decoding them. The cached one was decoded, so equal bytes are
//! well-formed. An identity that is written in two ways has two keys. Parts that were sent in pieces, or are long, go in decoded.
//!
//! Peers go in as the labels that were read and not as the bytes that were sent. Protobuf sends the fields of a struct in any
//! order, a `FlatNode` has all labels of a pod, and both name the pod: as bytes, one workload would have as many keys as its pods
//! have orders of fields, and long label sets would not fit. As labels it has one exact key, and each of its eight strings is
//! bounded.

use als_proto::Malformed;

use super::raw_identity::{Caller, RawIdentity};
use crate::accounting::Rejected;
use crate::analyze::NotObserved;
use crate::analyze::identity::Identity;
use crate::analyze::party_address::{PartyAddress, endpoint, is_pipe};
use crate::analyze::tls::Security;
use crate::chain::{Analyzer, Chain};
use crate::node::Node;
use crate::peer::Peers;
use crate::peer::key_bytes::{write_parts, write_peer};
use crate::role::Role;

/// Marks a key whose parts are written as they were sent. No security policy has this number.
const AS_SENT_FLAG: u8 = 0x80;

/// Writes the key of an identity for `chain`. Refuses strings that `chain` reads and that have more than `limit` bytes.
pub fn write_key(
    key: &mut Vec<u8>,
    chain: Chain,
    node: &Node,
    identity: &RawIdentity<'_>,
    limit: usize,
) -> Result<(), NotObserved> {
    key.clear();
    key.push(chain.number());
    key.extend_from_slice(&node.number(chain).to_le_bytes());
    if !write_as_sent(key, chain, node, identity, limit)? {
        write_decoded(key, chain, node, &identity.decode()?, limit)?;
    }
    if chain.has(Analyzer::MxMesh) {
        write_peer(key, identity.peers.upstream.as_ref());
        write_peer(key, identity.peers.downstream.as_ref());
    }
    Ok(())
}

/// Writes the parts as they were sent, if each is in one piece and no string in it can be too long. Returns whether it did.
#[inline]
fn write_as_sent(
    key: &mut Vec<u8>,
    chain: Chain,
    node: &Node,
    identity: &RawIdentity<'_>,
    limit: usize,
) -> Result<bool, Malformed> {
    let RawIdentity {
        common,
        cluster,
        authority,
        ..
    } = *identity;
    if chain.has(Analyzer::MxMesh) && !are_described_within(limit, node, identity.peers) {
        return Ok(false);
    }
    let (Some(certificates), Some(local), Some(upstream)) = (
        common.certificates_as_sent()?,
        common.downstream_local_address_as_sent(),
        common.upstream_remote_address_as_sent(),
    ) else {
        return Ok(false);
    };
    let Caller { remote, is_forwarded } = identity.caller()?;
    if chain.has(Analyzer::K8sMesh) {
        let is_endpoint_id = remote.is_some_and(|remote| remote.is_endpoint_id);
        let flags = u8::from(is_forwarded) | u8::from(is_endpoint_id) << 1;
        let parts = [cluster, authority, certificates, ip(remote), local, upstream];
        return Ok(write_short_parts(key, flags, parts, limit));
    }
    let parts = [cluster, authority, certificates];
    if !write_short_parts(key, u8::from(is_forwarded), parts, limit) {
        return Ok(false);
    }
    let local = common.downstream_local_address()?;
    let ends = [
        remote,
        endpoint(local),
        endpoint(common.upstream_remote_address()?),
    ];
    write_ends(key, node, is_pipe(local), cluster, ends);
    Ok(true)
}

/// Writes the lengths of the parts and then the parts, if none is longer than `limit`. Returns whether it did.
#[inline]
fn write_short_parts<const COUNT: usize>(
    key: &mut Vec<u8>,
    flags: u8,
    parts: [&[u8]; COUNT],
    limit: usize,
) -> bool {
    let limit = limit.min(u8::MAX.into());
    let are_short = parts
        .iter()
        .fold(true, |are_short, part| are_short & (part.len() <= limit));
    if are_short {
        key.push(AS_SENT_FLAG | flags);
        key.extend_from_slice(&parts.map(|part| part.len() as u8));
        for part in parts {
            key.extend_from_slice(part);
        }
    }
    are_short
}

/// Whether no label of the proxy and its peers has more than `limit` bytes.
#[inline]
fn are_described_within(limit: usize, node: &Node, peers: &Peers<'_>) -> bool {
    let mut peers = [&peers.upstream, &peers.downstream].into_iter().flatten();
    node.longest_own_label <= limit
        && peers.all(|peer| peer.labels().into_iter().all(|label| label.len() <= limit))
}

/// Writes an identity whose parts can't be written as they were sent, or refuses it.
#[cold]
fn write_decoded(
    key: &mut Vec<u8>,
    chain: Chain,
    node: &Node,
    identity: &Identity<'_>,
    limit: usize,
) -> Result<(), Rejected> {
    let Security {
        peer_principal,
        local_principal,
        policy,
    } = identity.security;
    let parts = [
        identity.cluster,
        identity.authority,
        peer_principal,
        local_principal,
    ];
    let is_described_too_long =
        chain.has(Analyzer::MxMesh) && !are_described_within(limit, node, identity.peers);
    if is_described_too_long || parts.into_iter().any(|part| part.len() > limit) {
        return Err(Rejected::StringTooLong);
    }
    key.push(policy as u8);
    write_parts(key, parts);
    if chain.has(Analyzer::K8sMesh) {
        write_addresses(key, identity);
    } else {
        let ends = [identity.remote, identity.local, identity.upstream];
        write_ends(key, node, identity.listens_on_pipe, identity.cluster, ends);
    }
    Ok(())
}

fn write_addresses(key: &mut Vec<u8>, identity: &Identity<'_>) {
    key.push(u8::from(identity.listens_on_pipe));
    let ports = [port(identity.local), port(identity.upstream)];
    key.extend_from_slice(ports.as_flattened());
    let ends = [identity.remote, identity.local, identity.upstream];
    key.extend_from_slice(&ends.map(|end| u8::from(end.is_some_and(|endpoint| endpoint.is_endpoint_id))));
    write_parts(
        key,
        [ip(identity.remote), ip(identity.local), ip(identity.upstream)],
    );
}

/// Writes what the rules read of the ends' addresses without looking them up.
fn write_ends(
    key: &mut Vec<u8>,
    node: &Node,
    listens_on_pipe: bool,
    cluster: &[u8],
    ends: [Option<PartyAddress<'_>>; 3],
) {
    key.push(u8::from(listens_on_pipe));
    key.extend_from_slice(&ends.map(|end| u8::from(end.is_some())));
    let [_, local, _] = ends;
    if node.role == Role::Sidecar && cluster.is_empty() {
        key.extend_from_slice(&port(local));
        write_parts(key, [ip(local)]);
    }
}

fn port(endpoint: Option<PartyAddress<'_>>) -> [u8; 2] {
    endpoint.map_or([0, 0], |endpoint| endpoint.port.to_le_bytes())
}

fn ip(endpoint: Option<PartyAddress<'_>>) -> &[u8] {
    endpoint.map_or(b"", |endpoint| endpoint.ip)
}
