//! The settings of the analysis.

use crate::chain::{Analyzer, Chain};
use crate::identify::CallerAddress;
use crate::role::Role;

/// The settings of the analysis, the same for all shards.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisSettings {
    /// The analyzers of HTTP entries. Without any, the entries are skipped.
    pub http: Chain,
    /// The analyzers of TCP entries. Without any, the entries are skipped.
    pub tcp: Chain,
    /// The address that counts as the caller's at a gateway. At any other proxy it is [`CallerAddress::Direct`].
    pub gateway_caller: CallerAddress,
    /// How many entries of one message are read.
    pub entries_per_message: usize,
    /// How many bytes a string may have that the rules read.
    pub string_bytes: usize,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        AnalysisSettings {
            http: Chain::new([Analyzer::K8sMesh]),
            tcp: Chain::new([Analyzer::K8sMesh]),
            gateway_caller: CallerAddress::Direct,
            entries_per_message: 65_536,
            string_bytes: 4096,
        }
    }
}

impl AnalysisSettings {
    /// The address that counts as the caller's, in an entry of a proxy of this role.
    pub(super) fn caller(&self, role: Role) -> CallerAddress {
        match role {
            Role::Gateway => self.gateway_caller,
            Role::Sidecar | Role::Waypoint => CallerAddress::Direct,
        }
    }
}
