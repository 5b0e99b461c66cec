//! The counts of one worker between two drains.

use super::evidence::EvidenceDeltas;
use super::series::{HttpCounts, TcpCounts};
use super::series_deltas::SeriesDeltas;
use crate::accounting::Accounting;

/// What one worker counted since it was last drained.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    /// The HTTP and gRPC series that it counted.
    pub http: SeriesDeltas<HttpCounts>,
    /// The TCP series that it counted.
    pub tcp: SeriesDeltas<TcpCounts>,
    /// The evidence that it counted.
    pub evidence: EvidenceDeltas,
    /// The counters of what became of every entry.
    pub accounting: Accounting,
}

impl WorkerCounts {
    /// Whether nothing is left of the drain that began last.
    pub fn is_drained(&self) -> bool {
        self.http.is_drained() && self.tcp.is_drained() && self.evidence.is_drained()
    }

    /// Begins a drain of what was counted until now, after the previous one has ended.
    pub fn begin_drain(&mut self) {
        self.http.begin_drain();
        self.tcp.begin_drain();
        self.evidence.begin_drain();
    }

    /// Forgets the ids of all series, so that the registry is asked again. The counts stay.
    pub fn forget_ids(&mut self) {
        self.http.forget_ids();
        self.tcp.forget_ids();
    }
}
