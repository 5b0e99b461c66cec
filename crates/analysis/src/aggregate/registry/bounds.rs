//! The bounds of the registry.

use crate::aggregate::evidence::MAX_EVIDENCE;

/// How much the registry holds; the rest is counted in the overflow series.
#[derive(Clone, Copy, Debug)]
pub struct RegistryBounds {
    /// Bytes of interned strings, each with its overhead.
    pub string_bytes: usize,
    /// How many calls have ids.
    pub calls: usize,
    /// How many samples the series are in the exposition.
    pub samples: usize,
    /// Bytes of the label values of all series as text. A string counts once for each series that has it.
    pub label_bytes: usize,
    /// How many pieces of evidence are counted separately.
    pub evidence: usize,
    /// How many hosts outside the mesh are counted separately that only their callers name.
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
