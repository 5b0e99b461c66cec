//! Numbers that stand for nodes in the keys of cached identities. What a node says about itself is the same for all of its entries,
//! and longer than the rest of a key.
//!
//! A number is never reused. So the table can be cleared at any time: a node that begins a stream later gets a new number, and its
//! identities are looked up once more.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// The bound of the table in bytes: some ten thousand nodes that only the directory knows.
pub const MAX_TABLE_BYTES: usize = 2 << 20;
/// Bytes that a node takes besides its key.
const NODE_OVERHEAD_BYTES: usize = 64;

/// The numbers of the nodes that are known.
#[derive(Debug, Default)]
pub(super) struct NodeNumberTable {
    numbers: HashMap<Box<[u8]>, u64, RandomState>,
    bytes: usize,
    last: u64,
}

impl NodeNumberTable {
    pub(super) fn number(&mut self, key: &[u8]) -> u64 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        self.last += 1;
        let bytes = NODE_OVERHEAD_BYTES + key.len();
        if self.bytes + bytes > MAX_TABLE_BYTES {
            self.numbers.clear();
            self.bytes = 0;
        }
        // A node whose key does not fit in the table at all gets a number for each of its streams.
        if self.bytes + bytes <= MAX_TABLE_BYTES {
            self.bytes += bytes;
            self.numbers.insert(key.into(), self.last);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_another_nodes_and_the_table_stays_within_its_bound() {
        let mut nodes = NodeNumberTable::default();
        let first = nodes.number(b"first");
        assert_eq!(nodes.number(b"first"), first);
        let mut last = first;
        for node in 0_u32..200_000 {
            let number = nodes.number(&node.to_le_bytes());
            assert!(number > last);
            last = number;
            assert!(nodes.bytes <= MAX_TABLE_BYTES);
        }
        assert!(nodes.number(b"first") > last, "it was forgotten");
        assert_eq!(nodes.number(&199_999_u32.to_le_bytes()), last);
        let large = vec![0; MAX_TABLE_BYTES];
        assert_ne!(nodes.number(&large), nodes.number(&large));
    }
}
