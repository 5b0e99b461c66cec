//! The one table of calls and series that all workers share. It is asked only for what a worker has not met before, so its lock
//! is off the hot path.

mod outside_hosts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::evidence::{Evidence, EvidenceId, EvidenceKey, Finding, MOST_EVIDENCE};
use super::labels::{SeriesLabels, label_bytes, series_labels};
use super::series::{Counts, HttpCounts, SeriesKey, TcpCounts};
use crate::analyze::protocol::Protocol;
use crate::interner::{Interner, Symbol, Text};
use crate::party::Call;
use als_proto::ResponseFlags;
use outside_hosts::OutsideHosts;

/// The id of a [`Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(u32);

impl CallId {
    /// [`Call::OVERFLOW`].
    pub const OVERFLOW: CallId = CallId(0);

    /// The id as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The id of a series within its family (HTTP or TCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// The series that takes what no longer fits.
    pub const OVERFLOW: SeriesId = SeriesId(0);

    /// The place in a dense vector.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How much the registry holds before the rest goes into the overflow series.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of interned strings, with what each takes besides its text.
    pub string_bytes: usize,
    /// Calls.
    pub calls: usize,
    /// Samples of the exposition.
    pub samples: usize,
    /// Bytes of the values of all series' labels as text: a long string is in one series after the other.
    pub label_bytes: usize,
    /// Edges with the rules that found their parties.
    pub evidence: usize,
    /// Hosts outside the mesh that only their callers name.
    pub outside_hosts: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            string_bytes: 64 << 20,
            calls: 200_000,
            samples: 500_000,
            label_bytes: 64 << 20,
            evidence: MOST_EVIDENCE,
            outside_hosts: 200,
        }
    }
}

/// A call has twenty parts: with the standard library's hash they were a seventh of what a new identity costs.
type Ids<K, V> = HashMap<K, V, RandomState>;

#[derive(Debug)]
struct Tables {
    interner: Interner,
    calls: Vec<Call>,
    call_ids: Ids<Call, CallId>,
    http: Family,
    tcp: Family,
    /// Samples of all series.
    samples: usize,
    /// Bytes of the values of their labels.
    label_bytes: usize,
    evidence: Vec<EvidenceKey>,
    evidence_ids: Ids<EvidenceKey, EvidenceId>,
    outside_hosts: OutsideHosts,
}

#[derive(Debug, Default)]
struct Family {
    keys: Vec<SeriesKey>,
    ids: Ids<SeriesKey, SeriesId>,
}

/// Ids for calls and series, the same for all workers.
#[derive(Debug)]
pub struct Registry {
    bounds: Bounds,
    /// The interner's number.
    interner: u32,
    tables: Mutex<Tables>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new(Bounds::default())
    }
}

impl Registry {
    /// An empty registry that holds as much as `bounds` say.
    pub fn new(bounds: Bounds) -> Self {
        let mut tables = Tables {
            interner: Interner::new(bounds.string_bytes),
            calls: vec![Call::OVERFLOW],
            call_ids: Ids::from_iter([(Call::OVERFLOW, CallId::OVERFLOW)]),
            http: Family::default(),
            tcp: Family::default(),
            samples: 0,
            label_bytes: 0,
            evidence: Vec::new(),
            evidence_ids: Ids::default(),
            outside_hosts: OutsideHosts::default(),
        };
        let overflow = |protocol| SeriesKey {
            call: CallId::OVERFLOW,
            outcome: super::series::Outcome {
                protocol,
                code: 0,
                flags: ResponseFlags::default(),
            },
        };
        tables.http.keys.push(overflow(Protocol::Http));
        tables.tcp.keys.push(overflow(Protocol::Tcp));
        Registry {
            bounds,
            interner: tables.interner.number(),
            tables: Mutex::new(tables),
        }
    }

    /// No code that runs under the lock can leave a table half changed, so a poisoned one is as good as any.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The symbol of a string.
    pub fn intern(&self, text: &str) -> Symbol {
        self.tables().interner.intern(text)
    }

    /// The symbol of a text that lives long: it is looked for only once.
    pub fn intern_text(&self, text: &Text) -> Symbol {
        // Without the lock, where it is known.
        text.symbol_of(self.interner)
            .unwrap_or_else(|| self.tables().interner.intern_text(text))
    }

    /// The string of a symbol.
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        self.tables().interner.text(symbol)
    }

    /// The ids of the call that `make` makes with the interner, and of the evidence for it: how its source and its destination
    /// were found.
    pub fn call(
        &self,
        found: [Finding; 2],
        make: impl FnOnce(&mut Interner) -> Call,
    ) -> (CallId, EvidenceId) {
        let tables = &mut *self.tables();
        let call = make(&mut tables.interner);
        let (id, call) = tables.call_id(call, self.bounds.calls);
        (
            id,
            tables.evidence_id(EvidenceKey::new(&call, found), self.bounds.evidence),
        )
    }

    /// The evidence from the place `known` on.
    pub fn evidence(&self, known: usize) -> Vec<Evidence> {
        let tables = self.tables();
        let new = tables.evidence.get(known..).unwrap_or_default().iter();
        new.map(|key| key.evidence(&tables.interner)).collect()
    }

    /// What `read` reads of a call, with the interner of its symbols.
    pub fn read_call<T>(&self, id: CallId, read: impl FnOnce(&Call, &Interner) -> T) -> T {
        let tables = self.tables();
        read(&tables.call_of(id), &tables.interner)
    }

    /// The id of an HTTP series.
    pub fn http_series(&self, key: SeriesKey) -> SeriesId {
        self.tables()
            .series(|tables| &mut tables.http, key, HttpCounts::SAMPLES, &self.bounds)
    }

    /// The id of a TCP series.
    pub fn tcp_series(&self, key: SeriesKey) -> SeriesId {
        self.tables()
            .series(|tables| &mut tables.tcp, key, TcpCounts::SAMPLES, &self.bounds)
    }

    /// The labels of the HTTP series from the id `known` on.
    pub fn http_labels(&self, known: usize) -> Vec<SeriesLabels> {
        let tables = self.tables();
        tables.labels(&tables.http, known)
    }

    /// The labels of the TCP series from the id `known` on.
    pub fn tcp_labels(&self, known: usize) -> Vec<SeriesLabels> {
        let tables = self.tables();
        tables.labels(&tables.tcp, known)
    }
}

impl Tables {
    /// The id of a call, and as what it is counted.
    fn call_id(&mut self, call: Call, most: usize) -> (CallId, Call) {
        if let Some(id) = self.call_ids.get(&call) {
            return (*id, self.call_of(*id));
        }
        let id = match u32::try_from(self.calls.len()) {
            Ok(next) if self.calls.len() < most => CallId(next),
            _ => return (CallId::OVERFLOW, Call::OVERFLOW),
        };
        self.calls.push(call);
        self.call_ids.insert(call, id);
        (id, call)
    }

    fn evidence_id(&mut self, key: EvidenceKey, most: usize) -> EvidenceId {
        if let Some(id) = self.evidence_ids.get(&key) {
            return *id;
        }
        if self.evidence.len() >= most {
            return EvidenceId::OVERFLOW;
        }
        let id = EvidenceId::at(self.evidence.len());
        self.evidence.push(key);
        self.evidence_ids.insert(key, id);
        id
    }

    fn call_of(&self, id: CallId) -> Call {
        self.calls.get(id.0 as usize).copied().unwrap_or(Call::OVERFLOW)
    }

    /// The id of a series. Only a new one is asked for what it takes of the bounds.
    fn series(
        &mut self,
        family: fn(&mut Tables) -> &mut Family,
        key: SeriesKey,
        samples: usize,
        bounds: &Bounds,
    ) -> SeriesId {
        if let Some(id) = family(self).ids.get(&key) {
            return *id;
        }
        let samples = self.samples + samples;
        if key.call == CallId::OVERFLOW || samples > bounds.samples {
            return SeriesId::OVERFLOW;
        }
        let label_bytes = self.label_bytes + label_bytes(&self.call_of(key.call), &self.interner);
        if label_bytes > bounds.label_bytes {
            return SeriesId::OVERFLOW;
        }
        let family = family(self);
        let Ok(next) = u32::try_from(family.keys.len()) else {
            return SeriesId::OVERFLOW;
        };
        let id = SeriesId(next);
        family.keys.push(key);
        family.ids.insert(key, id);
        self.samples = samples;
        self.label_bytes = label_bytes;
        id
    }

    fn labels(&self, family: &Family, known: usize) -> Vec<SeriesLabels> {
        let new = family.keys.get(known..).unwrap_or_default();
        new.iter()
            .map(|key| series_labels(&self.call_of(key.call), key.outcome, &self.interner))
            .collect()
    }
}
