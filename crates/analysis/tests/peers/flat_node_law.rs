//! What holds for any bytes as a `FlatNode`. The fuzz target includes this file too.

use alscope_analysis::peer::flat_node;

use super::stands_in::stands_in;

/// A `FlatNode` in any bytes is read or refused, and whatever is read of it stands in the bytes.
pub(crate) fn check(bytes: &[u8]) {
    if let Some(peer) = flat_node::read(bytes) {
        stands_in(bytes, &peer);
    }
}
