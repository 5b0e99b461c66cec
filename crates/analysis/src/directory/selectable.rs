//! What selectors read of a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What selectors read of a workload. The pods of one workload share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectable {
    /// The labels of the workload, by key.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// The ports on which it listens, by name.
    pub named_ports: BTreeMap<String, u16>,
}
