//! What selectors ask of a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What selectors ask of a workload; the pods of one workload share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectable {
    /// Its labels.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Where it listens for the ports of these names.
    pub named_ports: BTreeMap<String, u16>,
}
