//! What the shards are told to do.

use crate::chain::{Analyzer, Chain};
use crate::identify::CallerAddress;
use crate::role::Role;

/// What the shards are told to do; the same for all of them.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisSettings {
    /// The analyzers of HTTP entries; without any they are skipped.
    pub http: Chain,
    /// The analyzers of TCP entries; without any they are skipped.
    pub tcp: Chain,
    /// Which address is the caller's of a gateway; of any other proxy it is [`CallerAddress::Direct`].
    pub gateway_caller: CallerAddress,
    /// Entries of one message that are read.
    pub entries_per_message: usize,
    /// Bytes of a string that the rules read.
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
    /// Which address is the caller's, in an entry of a proxy of this role.
    pub(super) fn caller(&self, role: Role) -> CallerAddress {
        match role {
            Role::Gateway => self.gateway_caller,
            Role::Sidecar | Role::Waypoint => CallerAddress::Direct,
        }
    }
}
