//! What the calls of an edge rest on: which rules found its parties, how often, each with an example.
//!
//! A worker counts by a small number; the texts are made once, where the totals are.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::drain_moments::DrainMoments;
use super::example::Example;
use super::graph_node::GraphNode;
use super::ids::EvidenceId;
use crate::interner::{Interner, Symbol};
use crate::moment::Moment;
use crate::reporter::Reporter;
use crate::role::Role;
use crate::rule::Rule;

/// Evidence that is kept apart; with its examples at most 20 MiB.
pub const MAX_EVIDENCE: usize = 10_000;
/// How old an example gets before a worker gives a newer one, if it has one.
const EXAMPLE_REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// How one party of a call was found, and what its proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that says who it is, or that nobody certain is.
    pub rule: Rule,
    /// Whether it is a gateway or a waypoint; any other party counts as behind a sidecar.
    pub role: Role,
}

/// An edge and how its parties were found, in symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceKey {
    reporter: Reporter,
    nodes: [GraphNode<Symbol>; 2],
    found: [Finding; 2],
}

/// Three numbers are hashed faster than eleven parts.
impl Hash for EvidenceKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut small = self.reporter as u64;
        for (node, found) in self.nodes.iter().zip(self.found) {
            let [namespace, name] = [node.namespace, node.name].map(|symbol| u64::from(symbol.number()));
            hasher.write_u64(name << 32 | namespace);
            small = small << 8 | node.kind as u64;
            small = small << 8 | found.role as u64;
            small = small << 8 | found.rule as u64;
        }
        hasher.write_u64(small);
    }
}

impl EvidenceKey {
    /// The evidence of a call whose source and destination were found so.
    pub fn new(call: &Call, found: [Finding; 2]) -> Self {
        let ends = call.kinds.ends(call);
        EvidenceKey {
            reporter: call.reporter,
            nodes: [ends.source, ends.destination],
            found,
        }
    }

    /// Every symbol in it.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> + use<> {
        self.nodes
            .into_iter()
            .flat_map(|node| [node.namespace, node.name])
    }

    /// The same in text.
    pub fn evidence(&self, interner: &Interner) -> Evidence {
        let [source, destination] = self.nodes.map(|node| node.text(interner));
        let [of_source, of_destination] = self.found;
        Evidence {
            reporter: self.reporter,
            source,
            destination,
            source_rule: of_source.rule,
            destination_rule: of_destination.rule,
            source_role: of_source.role,
            destination_role: of_destination.role,
        }
    }
}

/// An edge and the rules that found its parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who reports the calls.
    pub reporter: Reporter,
    /// The caller.
    pub source: GraphNode,
    /// The called party.
    pub destination: GraphNode,
    /// What says who the caller is.
    pub source_rule: Rule,
    /// What says who the called party is.
    pub destination_rule: Rule,
    /// Whether the caller is a gateway or a waypoint.
    pub source_role: Role,
    /// Whether the called party is one.
    pub destination_role: Role,
}

/// Evidence and what it is of.
#[derive(Clone, Debug)]
pub struct CountedEvidence {
    /// The edge and the rules.
    pub evidence: Arc<Evidence>,
    /// Observations since it was first counted.
    pub observations: u64,
    /// One of them, a recent one of those that had to be looked up.
    pub example: Option<Arc<Example>>,
    /// Since when it counts: a moment at which it had counted nothing.
    pub created: Moment,
    /// When a drain last brought any.
    changed: Moment,
}

/// All evidence but what expired.
#[derive(Clone, Debug, Default)]
pub struct EvidenceTable {
    /// What is kept apart, by place.
    rows: Vec<Option<CountedEvidence>>,
    /// Observations whose evidence is not, because there was too much of it.
    pub overflowed: u64,
    /// Observations whose evidence expired.
    pub expired: u64,
}

impl EvidenceTable {
    /// What is kept apart.
    pub fn rows(&self) -> Vec<&CountedEvidence> {
        self.rows.iter().flatten().collect()
    }

    /// Adds what a worker counted, as a drain brings it. `evidence` says what an id that is new stands for.
    pub fn add(
        &mut self,
        id: EvidenceId,
        delta: EvidenceDelta,
        drain: DrainMoments,
        evidence: impl FnOnce(EvidenceId) -> Option<Evidence>,
    ) {
        let Some(place) = id.place() else {
            self.overflowed += delta.observations;
            return;
        };
        if self.rows.len() <= place {
            self.rows.resize(place + 1, None);
        }
        let Some(row) = self.rows.get_mut(place) else {
            return;
        };
        if row.is_none() {
            *row = evidence(id).map(|evidence| CountedEvidence {
                evidence: Arc::new(evidence),
                observations: 0,
                example: None,
                created: drain.before,
                changed: drain.now,
            });
        }
        if let Some(row) = row {
            row.observations += delta.observations;
            row.example = delta.example.or(row.example.take());
            row.changed = drain.now;
        }
    }

    /// Lets go what has not changed since `oldest`, of that what `free` frees; see [`super::expiry`].
    pub(super) fn expire(&mut self, oldest: Moment, free: impl FnOnce(&[EvidenceId]) -> Vec<EvidenceId>) {
        let is_idle = |row: &Option<CountedEvidence>| row.as_ref().is_some_and(|row| row.changed < oldest);
        let rows = self.rows.iter().enumerate();
        let idle: Vec<EvidenceId> = rows
            .filter(|(_, row)| is_idle(row))
            .map(|(place, _)| EvidenceId::at(place))
            .collect();
        for id in free(&idle) {
            let row = id.place().and_then(|place| self.rows.get_mut(place)?.take());
            self.expired += row.map_or(0, |row| row.observations);
        }
    }
}

/// What a worker counted of one piece of evidence since it was last drained.
#[derive(Clone, Debug)]
pub struct EvidenceDelta {
    observations: u64,
    example: Option<Arc<Example>>,
}

/// The example that a worker last gave of one piece of evidence.
#[derive(Clone, Debug, Default)]
struct LastExample {
    given_at: Option<Moment>,
    /// Until it is drained.
    example: Option<Arc<Example>>,
}

/// What one worker counted since it was last drained, by evidence.
#[derive(Debug, Default)]
pub struct EvidenceDeltas {
    /// Apart from the examples, so that what every observation touches is small.
    observations: Vec<u64>,
    last_examples: Vec<LastExample>,
    touched: Vec<EvidenceId>,
    /// What was touched when the drain began, and has not been drained yet.
    draining: Vec<EvidenceId>,
}

impl EvidenceDeltas {
    /// Counts an observation.
    #[inline]
    pub fn add(&mut self, id: EvidenceId) {
        match self.observations.get_mut(id.0 as usize) {
            Some(observations) => {
                if *observations == 0 {
                    self.touched.push(id);
                }
                *observations += 1;
            }
            None => self.grow(id),
        }
    }

    #[cold]
    fn grow(&mut self, id: EvidenceId) {
        self.observations.resize(id.0 as usize + 1, 0);
        self.last_examples
            .resize_with(id.0 as usize + 1, LastExample::default);
        self.add(id);
    }

    /// Gives an example for each of `ids` whose last one is too old at `now`; it is made only if there is one.
    pub fn offer_example(
        &mut self,
        ids: impl IntoIterator<Item = EvidenceId>,
        now: Moment,
        make: impl FnOnce() -> Option<Example>,
    ) {
        let (mut make, mut example) = (Some(make), None);
        for id in ids {
            let Some(given) = self.last_examples.get_mut(id.0 as usize) else {
                continue;
            };
            if given
                .given_at
                .is_some_and(|at| now.since(at) < EXAMPLE_REFRESH_INTERVAL)
            {
                continue;
            }
            if let Some(make) = make.take() {
                example = make().map(Arc::new);
            }
            *given = LastExample {
                given_at: Some(now),
                example: example.clone(),
            };
        }
    }

    /// Whether nothing is left of the drain that began last.
    pub fn is_drained(&self) -> bool {
        self.draining.is_empty()
    }

    /// Begins a drain of what is counted by now, once the one before has ended.
    pub fn begin_drain(&mut self) {
        std::mem::swap(&mut self.touched, &mut self.draining);
        self.touched.reserve(self.draining.len());
    }

    /// Hands over at most `limit` pieces of evidence of the drain and starts them anew. Answers whether more is left of it.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(EvidenceId, EvidenceDelta)) -> bool {
        for _ in 0..limit {
            let Some(id) = self.draining.pop() else {
                return false;
            };
            let place = id.0 as usize;
            if let (Some(observations), Some(given)) = (
                self.observations.get_mut(place),
                self.last_examples.get_mut(place),
            ) {
                let delta = EvidenceDelta {
                    observations: std::mem::take(observations),
                    example: given.example.take(),
                };
                take(id, delta);
            }
        }
        !self.is_drained()
    }
}
