//! All that one worker counted since it was last drained.

use super::evidence::EvidenceDeltas;
use super::series::{HttpCounts, TcpCounts};
use super::series_deltas::SeriesDeltas;
use crate::accounting::Accounting;

/// What one worker counted since it was last drained.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    /// HTTP and gRPC series.
    pub http: SeriesDeltas<HttpCounts>,
    /// TCP series.
    pub tcp: SeriesDeltas<TcpCounts>,
    /// The rules that found the parties of the calls.
    pub evidence: EvidenceDeltas,
    /// What became of every entry.
    pub accounting: Accounting,
}

impl WorkerCounts {
    /// Whether nothing is left of the drain that began last.
    pub fn is_drained(&self) -> bool {
        self.http.is_drained() && self.tcp.is_drained() && self.evidence.is_drained()
    }

    /// Begins a drain of what is counted by now, once the one before has ended.
    pub fn begin_drain(&mut self) {
        self.http.begin_drain();
        self.tcp.begin_drain();
        self.evidence.begin_drain();
    }

    /// Forgets which series has which id, to ask the registry again. What was counted stays.
    pub fn forget_ids(&mut self) {
        self.http.forget_ids();
        self.tcp.forget_ids();
    }
}
