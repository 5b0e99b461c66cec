//! Evidence of edges: which rules found the parties of an edge's calls, how often, and an example of each.
//!
//! A worker counts by small ids. The texts are made once, in the table of totals.

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

/// How many pieces of evidence are counted separately. With their examples they take at most 20 MiB.
pub const MAX_EVIDENCE: usize = 10_000;
/// How old an example is before a worker replaces it by a newer one.
const EXAMPLE_REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// How a party of a call was found, and the role of its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found the party, or that left it unknown.
    pub rule: Rule,
    /// The role: gateway or waypoint; any other party counts as a sidecar's.
    pub role: Role,
}

/// The key of a piece of evidence: an edge and how its parties were found, in symbols.
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
    /// The key for a call whose source and destination were found so.
    pub fn new(call: &Call, found: [Finding; 2]) -> Self {
        let ends = call.kinds.ends(call);
        EvidenceKey {
            reporter: call.reporter,
            nodes: [ends.source, ends.destination],
            found,
        }
    }

    /// Every symbol of the key.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> + use<> {
        self.nodes
            .into_iter()
            .flat_map(|node| [node.namespace, node.name])
    }

    /// The evidence in text.
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
    /// The proxy that reports the calls.
    pub reporter: Reporter,
    /// The node that called.
    pub source: GraphNode,
    /// The node that was called.
    pub destination: GraphNode,
    /// The rule that found the caller.
    pub source_rule: Rule,
    /// The rule that found the called party.
    pub destination_rule: Rule,
    /// The role of the caller's proxy.
    pub source_role: Role,
    /// The role of the called party's proxy.
    pub destination_role: Role,
}

/// A piece of evidence with its count and an example.
#[derive(Clone, Debug)]
pub struct CountedEvidence {
    /// The edge and the rules.
    pub evidence: Arc<Evidence>,
    /// Observations since it was first counted.
    pub observations: u64,
    /// A recent one of those that had to be looked up.
    pub example: Option<Arc<Example>>,
    /// Since when it counts: by then it had counted nothing.
    pub created: Moment,
    /// When a drain last brought an observation.
    changed: Moment,
}

/// All evidence that has not expired.
#[derive(Clone, Debug, Default)]
pub struct EvidenceTable {
    /// The evidence by the slots of its ids.
    rows: Vec<Option<CountedEvidence>>,
    /// Observations whose evidence is not counted separately, because there was too much.
    pub overflowed: u64,
    /// Observations of evidence that has expired.
    pub expired: u64,
}

impl EvidenceTable {
    /// The evidence that is counted separately.
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
        let Some(slot) = id.slot() else {
            self.overflowed += delta.observations;
            return;
        };
        if self.rows.len() <= slot {
            self.rows.resize(slot + 1, None);
        }
        let Some(row) = self.rows.get_mut(slot) else {
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

    /// Drops the evidence that has not changed since `oldest` and that `free` frees; see [`super::expiry`].
    pub(super) fn expire(&mut self, oldest: Moment, free: impl FnOnce(&[EvidenceId]) -> Vec<EvidenceId>) {
        let is_idle = |row: &Option<CountedEvidence>| row.as_ref().is_some_and(|row| row.changed < oldest);
        let rows = self.rows.iter().enumerate();
        let idle: Vec<EvidenceId> = rows
            .filter(|(_, row)| is_idle(row))
            .map(|(slot, _)| EvidenceId::at(slot))
            .collect();
        for id in free(&idle) {
            let row = id.slot().and_then(|slot| self.rows.get_mut(slot)?.take());
            self.expired += row.map_or(0, |row| row.observations);
        }
    }
}

/// What a worker counted of a piece of evidence since it was last drained.
#[derive(Clone, Debug)]
pub struct EvidenceDelta {
    observations: u64,
    example: Option<Arc<Example>>,
}

/// The example that a worker last gave of a piece of evidence.
#[derive(Clone, Debug, Default)]
struct LastExample {
    given_at: Option<Moment>,
    /// The example until it is drained.
    example: Option<Arc<Example>>,
}

/// What one worker counted since it was last drained, by evidence.
#[derive(Debug, Default)]
pub struct EvidenceDeltas {
    /// The counts. They lie apart from the examples, so that an observation touches little memory.
    observations: Vec<u64>,
    last_examples: Vec<LastExample>,
    touched: Vec<EvidenceId>,
    /// What the current drain still has to bring.
    draining: Vec<EvidenceId>,
}

impl EvidenceDeltas {
    /// Counts an observation of this evidence.
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

    /// Replaces the examples of `ids` that are too old at `now`. `make` is called only if there is one.
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

    /// Hands at most `limit` pieces of evidence to `take` and resets them. Returns whether more are left.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(EvidenceId, EvidenceDelta)) -> bool {
        for _ in 0..limit {
            let Some(id) = self.draining.pop() else {
                return false;
            };
            let slot = id.0 as usize;
            if let (Some(observations), Some(given)) =
                (self.observations.get_mut(slot), self.last_examples.get_mut(slot))
            {
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
