//! How much the registry holds.

use crate::aggregate::evidence::MAX_EVIDENCE;

/// How much the registry holds before the rest goes into the overflow series.
#[derive(Clone, Copy, Debug)]
pub struct RegistryBounds {
    /// Bytes of interned strings, with what each takes besides its text.
    pub string_bytes: usize,
    /// Calls.
    pub calls: usize,
    /// Samples of the exposition.
    pub samples: usize,
    /// Bytes of the values of all series' labels as text: a long string is in one series after the other.
    pub label_bytes: usize,
    /// Edges with the rules that found their parties.
    pub evidence: usize,
    /// Hosts outside the mesh that only their callers name.
    pub outside_hosts: usize,
}

impl Default for RegistryBounds {
    fn default() -> Self {
        RegistryBounds {
            string_bytes: 64 << 20,
            calls: 200_000,
            samples: 500_000,
            label_bytes: 64 << 20,
            evidence: MAX_EVIDENCE,
            outside_hosts: 200,
        }
    }
}
