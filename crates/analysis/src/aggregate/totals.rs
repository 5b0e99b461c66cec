//! The table of totals, and the immutable snapshot that readers get.

mod series_family;

use super::drain_moments::DrainMoments;
use super::evidence::EvidenceTable;
use super::registry::Registry;
use super::series::{Counts, HttpCounts, TcpCounts};
use super::window::Window;
use super::worker_counts::WorkerCounts;
use crate::accounting::Accounting;
use crate::moment::Moment;
pub use series_family::{Series, SeriesFamily};

/// Counts of series that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredSeries {
    /// How many series have expired.
    pub series: u64,
    /// How many observations they had counted.
    pub observations: u64,
}

/// What all workers counted since the start and has not expired, as of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When counting began.
    pub started: Moment,
    /// When the snapshot was taken.
    pub taken: Moment,
    /// What became of every entry.
    pub accounting: Accounting,
    /// When a drain last brought an entry.
    pub last_entry: Option<Moment>,
    /// The HTTP and gRPC series with their counts.
    pub http: SeriesFamily<HttpCounts>,
    /// The TCP series with their counts.
    pub tcp: SeriesFamily<TcpCounts>,
    /// Counts of expired series. All observations are those of all series and these.
    pub expired: ExpiredSeries,
    /// The last hour by edge.
    pub window: Window,
    /// The evidence of the edges.
    pub evidence: EvidenceTable,
}

/// Gathers the counts of the shards. Only the control task has it.
#[derive(Debug)]
pub struct Totals {
    snapshot: Snapshot,
    /// When the drains of the last published snapshot began.
    previous_drain: Moment,
    /// When the drains since then began, if they have.
    current_drain: Option<Moment>,
}

impl Totals {
    /// Totals that have counted nothing yet.
    pub fn new(started: Moment) -> Self {
        let snapshot = Snapshot {
            started,
            taken: started,
            accounting: Accounting::default(),
            last_entry: None,
            http: SeriesFamily::default(),
            tcp: SeriesFamily::default(),
            expired: ExpiredSeries::default(),
            window: Window::new(started),
            evidence: EvidenceTable::default(),
        };
        Totals {
            snapshot,
            previous_drain: started,
            current_drain: None,
        }
    }

    /// Takes the counts of a worker: its accounting, and of the current drain at most `limit` series of each family and pieces of
    /// evidence. Returns whether more are left. Then release the worker for a moment and call again.
    pub fn drain(
        &mut self,
        counts: &mut WorkerCounts,
        registry: &Registry,
        limit: usize,
        now: Moment,
    ) -> bool {
        self.current_drain.get_or_insert(now);
        let moments = DrainMoments {
            before: self.previous_drain,
            now,
        };
        let Snapshot {
            accounting,
            last_entry,
            http,
            tcp,
            window,
            evidence,
            ..
        } = &mut self.snapshot;
        let counted = std::mem::take(&mut counts.accounting);
        if counted.received > 0 {
            *last_entry = Some(now);
        }
        accounting.add(&counted);
        let more_http = counts.http.drain(limit, |id, counts| {
            if let Some((series, total)) =
                http.get_or_create(id, moments, window, |id| registry.http_labels(id))
            {
                total.merge(counts);
                window.add_http(series, counts, now);
            }
        });
        let more_tcp = counts.tcp.drain(limit, |id, counts| {
            if let Some((series, total)) =
                tcp.get_or_create(id, moments, window, |id| registry.tcp_labels(id))
            {
                total.merge(counts);
                window.add_tcp(series, counts, now);
            }
        });
        let more_evidence = counts.evidence.drain(limit, |id, delta| {
            evidence.add(id, delta, moments, |id| registry.evidence(id));
        });
        more_http || more_tcp || more_evidence
    }

    /// Drops the series, edges and evidence that have not changed since `oldest`, then the calls and strings that nobody needs. All
    /// shards must have been drained since the registry's epoch began; see [`super::expiry`].
    pub(super) fn expire(&mut self, registry: &Registry, oldest: Moment) {
        let Snapshot {
            http,
            tcp,
            expired,
            window,
            evidence,
            ..
        } = &mut self.snapshot;
        for counts in http.expire(oldest, |ids| registry.free_http(ids)) {
            expired.series += 1;
            expired.observations += counts.requests;
        }
        for counts in tcp.expire(oldest, |ids| registry.free_tcp(ids)) {
            expired.series += 1;
            expired.observations += counts.connections;
        }
        evidence.expire(oldest, |ids| registry.free_evidence(ids));
        window.expire(http.edges().chain(tcp.edges()));
        http.assign_edges(window);
        tcp.assign_edges(window);
        registry.free_unused();
    }

    /// A snapshot as of `now`.
    pub fn publish(&mut self, now: Moment) -> Snapshot {
        self.previous_drain = self.current_drain.take().unwrap_or(now);
        self.snapshot.taken = now;
        self.snapshot.window.forget(now);
        self.snapshot.clone()
    }
}
