//! The calls of the last hour by edge, in steps of ten seconds for five minutes and in steps of a minute for an hour.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::graph_node::{GraphNode, GraphNodeKind};
use super::histogram::EDGE_BUCKET_COUNT;
use super::labels::Edge;
use super::series::{HttpCounts, TcpCounts};
use crate::analyze::outcome::Verdict;
use crate::moment::Moment;
use crate::reporter::Reporter;

/// How many edges are counted separately; the rest is one edge `other`.
pub const MAX_EDGES: usize = 2000;

/// The id of an edge within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EdgeId(u32);

impl EdgeId {
    /// The id of all edges that are not counted separately.
    pub const OTHER: EdgeId = EdgeId(MAX_EDGES as u32);
}

/// The edge of a series, and the verdict on its calls.
#[derive(Clone, Copy, Debug)]
pub struct SeriesEdge {
    /// The edge that the series is part of.
    pub edge: EdgeId,
    /// The verdict on its calls.
    pub verdict: Verdict,
}

/// What happened on an edge within a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeCounts {
    /// Requests, or TCP connections that ended.
    pub calls: u64,
    /// How many calls failed.
    pub failed: u64,
    /// How many calls were client errors.
    pub client_errors: u64,
    /// How many calls have no known outcome.
    pub unknown: u64,
    /// The durations by bucket, without those of long-lived requests.
    pub durations: [u32; EDGE_BUCKET_COUNT],
}

impl EdgeCounts {
    /// Counts `calls`, of which `judged` have the verdict of their series; the others are a success.
    fn of(series: SeriesEdge, calls: u64, judged: u64) -> Self {
        let came_to = |verdict| if series.verdict == verdict { judged } else { 0 };
        EdgeCounts {
            calls,
            failed: came_to(Verdict::Failed),
            client_errors: came_to(Verdict::ClientError),
            unknown: came_to(Verdict::Unknown),
            durations: [0; EDGE_BUCKET_COUNT],
        }
    }

    /// Adds the counts of another span.
    pub fn merge(&mut self, other: &EdgeCounts) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.client_errors += other.client_errors;
        self.unknown += other.unknown;
        for (count, more) in self.durations.iter_mut().zip(other.durations) {
            *count = count.saturating_add(more);
        }
    }
}

#[derive(Clone, Debug)]
struct WindowStep {
    number: i64,
    edges: HashMap<EdgeId, EdgeCounts>,
}

/// Steps of one length. A clone shares all steps but the newest.
#[derive(Clone, Debug)]
struct StepRing {
    length: Duration,
    max_steps: usize,
    steps: VecDeque<Arc<WindowStep>>,
}

impl StepRing {
    fn new(length: Duration, max_steps: usize) -> Self {
        StepRing {
            length,
            max_steps,
            steps: VecDeque::new(),
        }
    }

    fn number(&self, moment: Moment) -> i64 {
        moment.0.div_euclid(self.length.as_nanos() as i64)
    }

    fn begin(&self, number: i64) -> Moment {
        Moment(number.saturating_mul(self.length.as_nanos() as i64))
    }

    fn add(&mut self, edge: EdgeId, counts: &EdgeCounts, now: Moment) {
        let number = self.number(now);
        if self.steps.back().is_none_or(|step| step.number < number) {
            self.steps.push_back(Arc::new(WindowStep {
                number,
                edges: HashMap::new(),
            }));
        }
        if let Some(step) = self.steps.back_mut() {
            Arc::make_mut(step).edges.entry(edge).or_default().merge(counts);
        }
    }

    fn forget(&mut self, now: Moment) {
        let oldest = self.number(now) - i64::try_from(self.max_steps).unwrap_or(i64::MAX);
        while self.steps.front().is_some_and(|step| step.number <= oldest) {
            self.steps.pop_front();
        }
    }
}

/// The last hour by edge.
#[derive(Clone, Debug)]
pub struct Window {
    /// When old steps were last dropped.
    pruned: Moment,
    /// When traffic began: rates do not count the time before the first call.
    since: Option<Moment>,
    /// The edges by id, including forgotten ones until their ids are reused.
    edges: Arc<Vec<Edge>>,
    ids: Arc<HashMap<Edge, EdgeId>>,
    /// The ids of forgotten edges.
    free: Vec<EdgeId>,
    tens: StepRing,
    minutes: StepRing,
}

/// What happened within a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpan {
    /// The length of the span: whole steps, and no longer than there is traffic.
    pub length: Duration,
    /// Every edge with traffic, sorted.
    pub edges: Vec<(Edge, EdgeCounts)>,
}

impl Window {
    /// An empty window of a collector that starts now.
    pub fn new(started: Moment) -> Self {
        Window {
            pruned: started,
            since: None,
            edges: Arc::default(),
            ids: Arc::default(),
            free: Vec::new(),
            tens: StepRing::new(Duration::from_secs(10), 30),
            minutes: StepRing::new(Duration::from_mins(1), 60),
        }
    }

    /// The id of an edge; past [`MAX_EDGES`] that of `other`.
    pub fn edge(&mut self, edge: &Edge) -> EdgeId {
        if let Some(id) = self.ids.get(edge) {
            return *id;
        }
        let id = match self.free.pop() {
            Some(id) => id,
            None if self.edges.len() == MAX_EDGES => return EdgeId::OTHER,
            None => EdgeId(self.edges.len() as u32),
        };
        let edges = Arc::make_mut(&mut self.edges);
        match edges.get_mut(id.0 as usize) {
            Some(forgotten) => *forgotten = edge.clone(),
            None => edges.push(edge.clone()),
        }
        Arc::make_mut(&mut self.ids).insert(edge.clone(), id);
        id
    }

    /// How many slots for edges there are: the most edges that there were at one time.
    pub fn slots(&self) -> usize {
        self.edges.len()
    }

    /// Forgets the edges that no series has and that had no traffic within the last hour.
    pub(super) fn expire(&mut self, of_series: impl Iterator<Item = EdgeId>) {
        let steps = self.tens.steps.iter().chain(&self.minutes.steps);
        let in_steps = steps.flat_map(|step| step.edges.keys().copied());
        let needed: HashSet<EdgeId> = of_series.chain(in_steps).collect();
        let unneeded = self.ids.values().filter(|id| !needed.contains(*id));
        let unneeded: Vec<EdgeId> = unneeded.copied().collect();
        if !unneeded.is_empty() {
            Arc::make_mut(&mut self.ids).retain(|_, id| needed.contains(id));
            self.free.extend(unneeded);
        }
    }

    /// Adds the counts of an HTTP series. A long-lived request is a success, whatever ended it.
    pub fn add_http(&mut self, series: SeriesEdge, counts: &HttpCounts, now: Moment) {
        let long_lived: u64 = counts.long_lived.iter().map(|count| u64::from(*count)).sum();
        let judged = counts.requests.saturating_sub(long_lived);
        let counts = EdgeCounts {
            durations: durations_by_bucket(counts),
            ..EdgeCounts::of(series, counts.requests, judged)
        };
        self.add(series.edge, &counts, now);
    }

    /// Adds the counts of a TCP series.
    pub fn add_tcp(&mut self, series: SeriesEdge, counts: &TcpCounts, now: Moment) {
        let counts = EdgeCounts::of(series, counts.connections, counts.connections);
        self.add(series.edge, &counts, now);
    }

    fn add(&mut self, edge: EdgeId, counts: &EdgeCounts, now: Moment) {
        self.since = self.since.or(Some(self.pruned));
        self.tens.add(edge, counts, now);
        self.minutes.add(edge, counts, now);
    }

    /// Drops steps that are too old.
    pub fn forget(&mut self, now: Moment) {
        self.pruned = now;
        self.tens.forget(now);
        self.minutes.forget(now);
    }

    /// The calls of the last `length`, in whole steps: up to one step more than asked for.
    pub fn last(&self, length: Duration, now: Moment) -> WindowSpan {
        let ring = if length <= self.tens.length * 30 {
            &self.tens
        } else {
            &self.minutes
        };
        let oldest = ring.number(now.minus(length));
        let begin = ring.begin(oldest).max(self.since.unwrap_or(now));
        let mut counts: HashMap<EdgeId, EdgeCounts> = HashMap::new();
        for step in ring.steps.iter().filter(|step| step.number >= oldest) {
            for (edge, of_step) in &step.edges {
                counts.entry(*edge).or_default().merge(of_step);
            }
        }
        let named = |(id, counts): (EdgeId, EdgeCounts)| match id {
            EdgeId::OTHER => Some((other(), counts)),
            EdgeId(place) => Some((self.edges.get(place as usize)?.clone(), counts)),
        };
        let mut edges: Vec<_> = counts.into_iter().filter_map(named).collect();
        edges.sort_by(|a, b| a.0.cmp(&b.0));
        WindowSpan {
            length: now.since(begin),
            edges,
        }
    }
}

/// The durations by bucket, without those of long-lived requests.
fn durations_by_bucket(counts: &HttpCounts) -> [u32; EDGE_BUCKET_COUNT] {
    let mut sketch = [0_u32; EDGE_BUCKET_COUNT];
    for (bucket, count) in counts.duration.buckets.iter().enumerate() {
        if let Some(place) = sketch.get_mut(bucket.min(EDGE_BUCKET_COUNT - 1)) {
            *place = place.saturating_add(u32::try_from(*count).unwrap_or(u32::MAX));
        }
    }
    for (place, long_lived) in sketch.iter_mut().zip(counts.long_lived) {
        *place = place.saturating_sub(long_lived);
    }
    sketch
}

fn other() -> Edge {
    let node = |kind, name: &str| GraphNode {
        kind,
        namespace: name.into(),
        name: name.into(),
    };
    Edge {
        source: node(GraphNodeKind::Workload, "other"),
        destination: node(GraphNodeKind::Workload, "other"),
        service: node(GraphNodeKind::Unknown, "unknown"),
        is_answered: true,
        protocol: "other",
        reporter: Reporter::Source,
    }
}
