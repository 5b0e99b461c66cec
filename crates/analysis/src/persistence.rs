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

use std::sync::Arc;
use std::time::Duration;

use crate::accounting::{Accounting, KeepReason};
use crate::aggregate::registry::Registry;
use crate::names::endpoint::Endpoints;
use crate::names::redact::Redaction;
use endpoint_names::{EndpointNames, WorkerNames};
use kept_entry::{KeptEntry, ObservedEntry};
use rate::{EntryRate, RateKey, WorkerRate};
use reason::SamplingRules;

/// A function that appends an entry to the bytes of a batch. It must not write secrets, and uses [`KeptEntry::redaction`] for that.
pub type Encode = fn(&KeptEntry<'_, '_>, &mut Vec<u8>);

/// The configuration of the analyzer, and the state that its workers share.
#[derive(Debug)]
pub struct Persistence {
    rules: SamplingRules,
    rate: EntryRate,
    endpoints: EndpointNames,
    redaction: Redaction,
    encode: Encode,
}

impl Persistence {
    /// Keeps entries by `rules`, at most `entries_per_minute` of a kind in a minute. `endpoints` names their endpoints.
    pub fn new(
        rules: SamplingRules,
        entries_per_minute: usize,
        endpoints: Endpoints,
        encode: Encode,
    ) -> Self {
        Persistence {
            rules,
            rate: EntryRate::new(entries_per_minute),
            endpoints: EndpointNames::new(endpoints, Duration::from_hours(1)),
            redaction: Redaction::default(),
            encode,
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

/// A batch of kept entries, as an encoder wrote them one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The bytes of the encoded entries.
    pub bytes: Vec<u8>,
    /// How many entries there are.
    pub entries: u64,
}

/// One worker's part of the analyzer.
#[derive(Debug)]
pub struct EntrySampler {
    persistence: Arc<Persistence>,
    rate: WorkerRate,
    names: WorkerNames,
    batch: Batch,
}

impl EntrySampler {
    /// A sampler with an empty batch.
    pub fn new(persistence: Arc<Persistence>) -> Self {
        EntrySampler {
            persistence,
            rate: WorkerRate::default(),
            names: WorkerNames::default(),
            batch: Batch::default(),
        }
    }

    /// Keeps an observed entry, if a rule says so.
    #[inline]
    pub fn observe(
        &mut self,
        observed: &ObservedEntry<'_, '_>,
        registry: &Registry,
        accounting: &mut Accounting,
    ) {
        if let Some(reason) = reason::reason(&self.persistence.rules, observed) {
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
        let entry = KeptEntry {
            reason,
            observed,
            parties: &parties,
            endpoint,
            redaction: &self.persistence.redaction,
        };
        (self.persistence.encode)(&entry, &mut self.batch.bytes);
        self.batch.entries += 1;
    }

    /// Forgets the registry's symbols, when a new epoch begins.
    pub fn forget(&mut self) {
        self.rate.forget();
    }

    /// Takes the entries that were kept since the last call, once they have at least `bytes`.
    pub fn take(&mut self, bytes: usize) -> Option<Batch> {
        let is_due = self.batch.entries > 0 && self.batch.bytes.len() >= bytes;
        is_due.then(|| std::mem::take(&mut self.batch))
    }
}
