//! The one total table, and the immutable snapshot that every reader gets.

use std::sync::Arc;

use super::evidence::EvidenceTable;
use super::labels::SeriesLabels;
use super::registry::SeriesId;
use super::series::{Counts, HttpCounts, TcpCounts};
use super::window::{EdgeSeries, Window};
use crate::accounting::Accounting;
use crate::moment::Moment;
use crate::shard::Shard;

/// One family of series: labels and counters by series id.
#[derive(Clone, Debug)]
pub struct Family<C> {
    labels: Vec<Arc<SeriesLabels>>,
    edges: Vec<EdgeSeries>,
    counts: Vec<C>,
}

impl<C> Default for Family<C> {
    fn default() -> Self {
        Family {
            labels: Vec::new(),
            edges: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl<C: Clone + Default> Family<C> {
    /// Every series by ascending id, with the place of its id.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<SeriesLabels>, &C)> {
        self.labels
            .iter()
            .zip(&self.counts)
            .enumerate()
            .map(|(id, (labels, counts))| (id, labels, counts))
    }

    /// The counters of every series, by its id.
    pub fn counts(&self) -> &[C] {
        &self.counts
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn learn(&mut self, new: Vec<SeriesLabels>, window: &mut Window) {
        for labels in new {
            self.edges.push(EdgeSeries {
                edge: window.edge(&labels.edge),
                verdict: labels.verdict,
            });
            self.labels.push(Arc::new(labels));
            self.counts.push(C::default());
        }
    }
}

/// What all workers counted since the start, as of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Since when it counts.
    pub started: Moment,
    /// When it was taken.
    pub taken: Moment,
    /// What became of every entry.
    pub accounting: Accounting,
    /// When the last entry was taken from a shard, to the second.
    pub last_entry: Option<Moment>,
    /// HTTP and gRPC series.
    pub http: Family<HttpCounts>,
    /// TCP series.
    pub tcp: Family<TcpCounts>,
    /// The last hour by edge.
    pub window: Window,
    /// What the edges rest on.
    pub evidence: EvidenceTable,
}

/// Gathers what the shards counted. Only the control task has it.
#[derive(Debug)]
pub struct Totals {
    snapshot: Snapshot,
}

impl Totals {
    /// Nothing counted yet.
    pub fn new(started: Moment) -> Self {
        let snapshot = Snapshot {
            started,
            taken: started,
            accounting: Accounting::default(),
            last_entry: None,
            http: Family::default(),
            tcp: Family::default(),
            window: Window::new(started),
            evidence: EvidenceTable::default(),
        };
        Totals { snapshot }
    }

    /// Takes what at most `limit` series of each family and pieces of evidence counted in a shard, and its accounting. Answers whether more is left:
    /// then release the shard for a moment and call again.
    pub fn drain(&mut self, shard: &mut Shard, limit: usize, now: Moment) -> bool {
        let Snapshot {
            accounting,
            last_entry,
            http,
            tcp,
            window,
            evidence,
            ..
        } = &mut self.snapshot;
        let taken = shard.take_accounting();
        if taken.received > 0 {
            *last_entry = Some(now);
        }
        accounting.add(&taken);
        let registry = shard.registry().clone();
        let more_http = shard.http.drain(limit, |id, counts| {
            if let Some((series, total)) = place(http, id, window, |known| registry.http_labels(known)) {
                total.merge(counts);
                window.add_http(series, counts, now);
            }
        });
        let more_tcp = shard.tcp.drain(limit, |id, counts| {
            if let Some((series, total)) = place(tcp, id, window, |known| registry.tcp_labels(known)) {
                total.merge(counts);
                window.add_tcp(series, counts, now);
            }
        });
        let more_evidence = shard
            .evidence
            .drain(limit, |id, delta| evidence.add(id, delta, &registry));
        more_http || more_tcp || more_evidence
    }

    /// A snapshot as of `now`.
    pub fn publish(&mut self, now: Moment) -> Snapshot {
        self.snapshot.taken = now;
        self.snapshot.window.forget(now);
        self.snapshot.clone()
    }
}

/// The edge and counters of a series; labels of new series are fetched from the registry first.
fn place<'f, C: Clone + Default>(
    family: &'f mut Family<C>,
    id: SeriesId,
    window: &mut Window,
    labels: impl FnOnce(usize) -> Vec<SeriesLabels>,
) -> Option<(EdgeSeries, &'f mut C)> {
    if family.len() <= id.index() {
        let new = labels(family.len());
        family.learn(new, window);
    }
    Some((*family.edges.get(id.index())?, family.counts.get_mut(id.index())?))
}
