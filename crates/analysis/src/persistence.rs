//! The analyzer `persistence`, which keeps single entries.
//!
//! The [`EntrySampler`] of a worker gets every observed entry, still borrowed from its message. [`reason`] decides whether and why
//! it is kept, and [`rate`] limits how many of a kind are. Only then are the texts of its parties and the name of its endpoint
//! looked up, and an encoder appends it to the worker's [`Batch`]. An entry is kept once, even if it is two observations of a
//! gateway.
//!
//! An entry that is not kept takes no lock and no allocation.

pub mod endpoint_names;
pub mod kept_entry;
pub mod rate;
pub mod reason;
pub mod sample;
pub mod sink;

use std::sync::Arc;
use std::time::Duration;

use crate::accounting::{Accounting, KeepReason};
use crate::aggregate::registry::Registry;
use crate::names::endpoint::Endpoints;
use crate::names::redact::Redaction;
use endpoint_names::{EndpointNames, WorkerNames};
use kept_entry::{KeptEntry, ObservedEntry};
use rate::{EntryRate, RateKey, WorkerRate};
use sink::{Batch, EntrySink};

/// The configuration of the analyzer, and the state that its workers share.
#[derive(Debug)]
pub struct Persistence {
    sinks: Vec<EntrySink>,
    rate: EntryRate,
    endpoints: EndpointNames,
    redaction: Redaction,
}

impl Persistence {
    /// Keeps the entries that one of the `sinks` selects, at most `entries_per_minute` of a kind in a minute. `endpoints` names their
    /// endpoints.
    pub fn new(sinks: Vec<EntrySink>, entries_per_minute: usize, endpoints: Endpoints) -> Self {
        Persistence {
            sinks,
            rate: EntryRate::new(entries_per_minute),
            endpoints: EndpointNames::new(endpoints, Duration::from_hours(1)),
            redaction: Redaction::default(),
        }
    }

    /// Forgets the endpoints of services that are idle for `idle`, in place of an hour.
    #[must_use]
    pub fn with_idle(self, idle: Duration) -> Self {
        Persistence {
            endpoints: self.endpoints.with_idle(idle),
            ..self
        }
    }

    /// Uses another redaction than the default.
    #[must_use]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        Persistence { redaction, ..self }
    }
}

/// One worker's part of the analyzer.
#[derive(Debug)]
pub struct EntrySampler {
    persistence: Arc<Persistence>,
    rate: WorkerRate,
    names: WorkerNames,
    /// The batch of each sink.
    batches: Vec<Batch>,
}

impl EntrySampler {
    /// A sampler with an empty batch for each sink.
    pub fn new(persistence: Arc<Persistence>) -> Self {
        EntrySampler {
            batches: vec![Batch::default(); persistence.sinks.len()],
            persistence,
            rate: WorkerRate::default(),
            names: WorkerNames::default(),
        }
    }

    /// Keeps an observed entry, if a sink selects it. It is counted for the first of them.
    #[inline]
    pub fn observe(
        &mut self,
        observed: &ObservedEntry<'_, '_>,
        registry: &Registry,
        accounting: &mut Accounting,
    ) {
        let mut sinks = self.persistence.sinks.iter();
        if let Some(reason) = sinks.find_map(|sink| sink.selects(observed)) {
            self.keep(reason, observed, registry, accounting);
        }
    }

    /// Keeps an entry, if the rate of its kind allows it.
    #[inline(never)]
    fn keep(
        &mut self,
        reason: KeepReason,
        observed: &ObservedEntry<'_, '_>,
        registry: &Registry,
        accounting: &mut Accounting,
    ) {
        let kind = RateKey::new(observed.reporting_service(), reason, observed.outcome());
        let shared = &self.persistence.rate;
        if !self.rate.admits(shared, kind, observed.received) {
            accounting.over_rate += 1;
            return;
        }
        accounting.count_kept(reason);
        let parties = observed.parties(registry);
        let endpoint = self
            .names
            .endpoint(&self.persistence.endpoints, &parties.service, observed);
        for (sink, batch) in self.persistence.sinks.iter().zip(&mut self.batches) {
            let Some(reason) = sink.selects(observed) else {
                continue;
            };
            let entry = KeptEntry {
                reason,
                observed,
                parties: &parties,
                endpoint,
                redaction: &self.persistence.redaction,
            };
            (sink.encode)(&entry, &mut batch.bytes);
            batch.entries += 1;
        }
    }

    /// Forgets the registry's symbols, when a new epoch begins.
    pub fn forget(&mut self) {
        self.rate.forget();
    }

    /// Takes the batches that have at least `bytes`, each with the number of its sink.
    pub fn take(&mut self, bytes: usize) -> Vec<(usize, Batch)> {
        let is_due = |batch: &Batch| batch.entries > 0 && batch.bytes.len() >= bytes;
        let batches = self.batches.iter_mut().enumerate();
        let due = batches.filter(|(_, batch)| is_due(batch));
        due.map(|(sink, batch)| (sink, std::mem::take(batch))).collect()
    }
}
