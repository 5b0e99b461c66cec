//! `FlatNode`, the table of the `FlatBuffers` format in which proxies up to Istio 1.23 log their peers (istio/proxy `node_info.fbs`).
//!
//! The bytes come from the network by way of a peer's header, so every offset is checked by the verifier of the crate
//! `flatbuffers` before it is followed. Its generated accessors and its tables are `unsafe` to use, which this workspace forbids;
//! two functions over its verifier read the seven fields that rules need. No table is followed deeper than `FlatNode.labels`, so
//! the work is linear in the bytes, whatever points at what.

use flatbuffers::{InvalidFlatbuffer, SIZE_UOFFSET, TableVerifier, VOffsetT, Verifier, VerifierOptions};

use super::Peer;
use super::description::{Description, Labels};

/// Fields of `FlatNode`.
const NAME: VOffsetT = slot(0);
const NAMESPACE: VOffsetT = slot(1);
const LABELS: VOffsetT = slot(2);
const OWNER: VOffsetT = slot(3);
const WORKLOAD_NAME: VOffsetT = slot(4);
const CLUSTER_ID: VOffsetT = slot(9);
const IDENTITY: VOffsetT = slot(11);

/// Fields of `KeyVal`.
const KEY: VOffsetT = slot(0);
const VALUE: VOffsetT = slot(1);

/// The place of a field's offset in a vtable, behind the vtable's and the table's lengths.
const fn slot(field: VOffsetT) -> VOffsetT {
    4 + 2 * field
}

/// The peer that a `FlatNode` describes. `None` when an offset that leads to it is not what it should be, or when it names
/// nobody.
pub fn read(bytes: &[u8]) -> Option<Peer<&[u8]>> {
    describe(bytes).ok()?.peer().ok()?.named()
}

fn describe(bytes: &[u8]) -> Result<Description<'_>, InvalidFlatbuffer> {
    let options = VerifierOptions::default();
    let mut verifier = Verifier::new(&options, bytes);
    let root = follow(&mut verifier, 0)?;
    let mut node = verifier.visit_table(root)?;
    Ok(Description {
        name: string(&mut node, NAME, bytes)?,
        namespace: string(&mut node, NAMESPACE, bytes)?,
        workload: string(&mut node, WORKLOAD_NAME, bytes)?,
        owner: string(&mut node, OWNER, bytes)?,
        cluster: string(&mut node, CLUSTER_ID, bytes)?,
        identity: string(&mut node, IDENTITY, bytes)?,
        labels: labels(&mut node, bytes)?,
        ..Description::default()
    })
}

/// Where the offset at `position` leads.
fn follow(verifier: &mut Verifier<'_, '_>, position: usize) -> Result<usize, InvalidFlatbuffer> {
    Ok(position.saturating_add(verifier.get_uoffset(position)? as usize))
}

fn string<'a>(
    table: &mut TableVerifier<'_, '_, '_>,
    field: VOffsetT,
    bytes: &'a [u8],
) -> Result<&'a [u8], InvalidFlatbuffer> {
    let Some(position) = table.deref(field)? else {
        return Ok(b"");
    };
    let verifier = table.verifier();
    let position = follow(verifier, position)?;
    let length = verifier.get_uoffset(position)? as usize;
    let begin = position.saturating_add(SIZE_UOFFSET);
    verifier.range_in_buffer(begin, length)?;
    Ok(bytes.get(begin..begin.saturating_add(length)).unwrap_or_default())
}

fn labels<'a>(
    node: &mut TableVerifier<'_, '_, '_>,
    bytes: &'a [u8],
) -> Result<Labels<'a>, InvalidFlatbuffer> {
    let mut labels = Labels::default();
    let Some(position) = node.deref(LABELS)? else {
        return Ok(labels);
    };
    let verifier = node.verifier();
    let position = follow(verifier, position)?;
    let count = verifier.get_uoffset(position)? as usize;
    let begin = position.saturating_add(SIZE_UOFFSET);
    let length = count.saturating_mul(SIZE_UOFFSET);
    verifier.range_in_buffer(begin, length)?;
    for element in (begin..begin.saturating_add(length)).step_by(SIZE_UOFFSET) {
        let pair = follow(verifier, element)?;
        let mut pair = verifier.visit_table(pair)?;
        labels.set(string(&mut pair, KEY, bytes)?, string(&mut pair, VALUE, bytes)?);
        pair.finish();
    }
    Ok(labels)
}
