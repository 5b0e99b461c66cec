//! `FlatNode`, the table of the `FlatBuffers` format in which proxies up to Istio 1.23 log their peers (istio/proxy `node_info.fbs`).
//!
//! The bytes come from the network by way of a peer's header, so every offset is checked by the verifier of the crate
//! `flatbuffers` before it is followed. Its generated accessors and its tables are `unsafe` to use, which this workspace forbids;
//! two functions over its verifier read the seven fields that rules need. No table is followed deeper than `FlatNode.labels`, so
//! the work is linear in the bytes, whatever points at what.

use flatbuffers::{SIZE_UOFFSET, TableVerifier, VOffsetT, Verifier, VerifierOptions};

use super::Peer;
use super::description::{PeerDescription, PeerLabels};

/// Slots of the fields of `FlatNode`, by their order in the schema.
const NAME: VOffsetT = slot(0);
const NAMESPACE: VOffsetT = slot(1);
const LABELS: VOffsetT = slot(2);
const OWNER: VOffsetT = slot(3);
const WORKLOAD_NAME: VOffsetT = slot(4);
const CLUSTER_ID: VOffsetT = slot(9);
const IDENTITY: VOffsetT = slot(11);

/// Slots of the fields of `KeyVal`.
const KEY: VOffsetT = slot(0);
const VALUE: VOffsetT = slot(1);

/// Where a vtable has the offset of a field: after the lengths of the vtable and of the table.
const fn slot(field: VOffsetT) -> VOffsetT {
    4 + 2 * field
}

/// The peer that a `FlatNode` describes. `None` when an offset on the way is invalid, or when it names neither a workload nor a
/// service.
pub fn read(bytes: &[u8]) -> Option<Peer<&[u8]>> {
    let options = VerifierOptions::default();
    let mut verifier = Verifier::new(&options, bytes);
    let root = follow(&mut verifier, 0)?;
    let mut node = verifier.visit_table(root).ok()?;
    let description = PeerDescription {
        name: string(&mut node, NAME, bytes)?,
        namespace: string(&mut node, NAMESPACE, bytes)?,
        workload: string(&mut node, WORKLOAD_NAME, bytes)?,
        owner: string(&mut node, OWNER, bytes)?,
        cluster: string(&mut node, CLUSTER_ID, bytes)?,
        identity: string(&mut node, IDENTITY, bytes)?,
        labels: labels(&mut node, bytes)?,
        ..PeerDescription::default()
    };
    description.peer().ok()?.named()
}

/// The target of the offset at `position`.
fn follow(verifier: &mut Verifier<'_, '_>, position: usize) -> Option<usize> {
    position.checked_add(verifier.get_uoffset(position).ok()? as usize)
}

/// The string in a field of a table; empty when the table has no such field.
fn string<'a>(table: &mut TableVerifier<'_, '_, '_>, field: VOffsetT, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let Some(position) = table.deref(field).ok()? else {
        return Some(b"");
    };
    let verifier = table.verifier();
    let position = follow(verifier, position)?;
    let length = verifier.get_uoffset(position).ok()? as usize;
    bytes.get(position..)?.get(SIZE_UOFFSET..)?.get(..length)
}

fn labels<'a>(node: &mut TableVerifier<'_, '_, '_>, bytes: &'a [u8]) -> Option<PeerLabels<'a>> {
    let mut labels = PeerLabels::default();
    let Some(position) = node.deref(LABELS).ok()? else {
        return Some(labels);
    };
    let verifier = node.verifier();
    let position = follow(verifier, position)?;
    let count = verifier.get_uoffset(position).ok()? as usize;
    // However large the count is, the first offset outside the bytes ends the loop.
    for element in (position..).step_by(SIZE_UOFFSET).skip(1).take(count) {
        let pair = follow(verifier, element)?;
        let mut pair = verifier.visit_table(pair).ok()?;
        if let Some(place) = labels.slot(string(&mut pair, KEY, bytes)?) {
            *place = string(&mut pair, VALUE, bytes)?;
        }
        pair.finish();
    }
    Some(labels)
}
