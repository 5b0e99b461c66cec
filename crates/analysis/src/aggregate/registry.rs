//! The one table of calls and series that all workers share. It is asked only for what a worker has not met in this epoch
//! ([`super::expiry`]), so its lock is off the hot path.

pub mod node_numbers;
mod outside_hosts;
mod places;
mod tables;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node_numbers::NodeNumbers;
use places::Places;
use tables::{HTTP, TCP, Tables};

use super::evidence::{Evidence, EvidenceId, EvidenceKey, Finding, MOST_EVIDENCE};
use super::labels::SeriesLabels;
use super::series::{Counts, HttpCounts, SeriesKey, TcpCounts};
use crate::aggregate::call::Call;
use crate::interner::{Interner, Symbol, Text};

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

    /// The id of the series at a place; that of the overflow where there can be no place.
    pub fn at(place: usize) -> Self {
        SeriesId(u32::try_from(place).unwrap_or(0))
    }

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

/// Places that are looked through before the lock is given back for a moment.
const TURN: usize = 4096;

/// Ids for calls and series, the same for all workers.
#[derive(Debug)]
pub struct Registry {
    bounds: Bounds,
    /// The interner's, also without the lock.
    epoch: AtomicU32,
    tables: Mutex<Tables>,
    nodes: Mutex<NodeNumbers>,
}

/// How much of something there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many are known.
    pub live: usize,
    /// For how many there is a place: as many as there were at one time.
    pub places: usize,
}

/// How much a registry holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Strings.
    pub strings: Size,
    /// Bytes of them, with what each takes besides its text.
    pub string_bytes: usize,
    /// Calls.
    pub calls: Size,
    /// HTTP series.
    pub http: Size,
    /// TCP series.
    pub tcp: Size,
    /// Edges with the rules that found their parties.
    pub evidence: Size,
    /// Samples of the exposition.
    pub samples: usize,
    /// Bytes of the values of all series' labels.
    pub label_bytes: usize,
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new(Bounds::default())
    }
}

impl Registry {
    /// An empty registry that holds as much as `bounds` say.
    pub fn new(bounds: Bounds) -> Self {
        let tables = Tables::new(bounds.string_bytes);
        Registry {
            bounds,
            epoch: AtomicU32::new(tables.epoch()),
            tables: Mutex::new(tables),
            nodes: Mutex::default(),
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

    /// The symbol of a string, with its text: whoever has that may keep the symbol over epochs.
    pub fn intern_held(&self, text: &str) -> (Symbol, Arc<str>) {
        let interner = &mut self.tables().interner;
        let symbol = interner.intern(text);
        (symbol, interner.text(symbol))
    }

    /// The symbol of a text that lives long: it is looked for only once an epoch.
    pub fn intern_text(&self, text: &Text) -> Symbol {
        // Without the lock, where it is known.
        text.symbol_of(self.epoch())
            .unwrap_or_else(|| self.tables().interner.intern_text(text))
    }

    /// The number of the epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Begins an epoch. What a shard knows counts until its next drain; see [`super::expiry`].
    pub fn begin_epoch(&self) {
        let mut tables = self.tables();
        tables.interner.begin_epoch();
        self.epoch.store(tables.interner.number(), Ordering::Release);
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
        let id = tables.call_id(&call, self.bounds.calls);
        let key = EvidenceKey::new(tables.call_of(id), found);
        (id, tables.evidence_id(key, self.bounds.evidence))
    }

    /// What the evidence of an id is of.
    pub fn evidence(&self, id: EvidenceId) -> Option<Evidence> {
        let tables = self.tables();
        let key = tables.evidence.get(u32::try_from(id.place()?).ok()?)?;
        Some(key.evidence(&tables.interner))
    }

    /// What `read` reads of a call, with the interner of its symbols.
    pub fn read_call<T>(&self, id: CallId, read: impl FnOnce(&Call, &Interner) -> T) -> T {
        let tables = self.tables();
        read(tables.call_of(id), &tables.interner)
    }

    /// The id of an HTTP series.
    pub fn http_series(&self, key: SeriesKey) -> SeriesId {
        self.tables()
            .series((HTTP, HttpCounts::SAMPLES), key, &self.bounds)
    }

    /// The id of a TCP series.
    pub fn tcp_series(&self, key: SeriesKey) -> SeriesId {
        self.tables().series((TCP, TcpCounts::SAMPLES), key, &self.bounds)
    }

    /// The labels of an HTTP series.
    pub fn http_labels(&self, id: SeriesId) -> Option<SeriesLabels> {
        self.tables().labels(HTTP, id)
    }

    /// The labels of a TCP series.
    pub fn tcp_labels(&self, id: SeriesId) -> Option<SeriesLabels> {
        self.tables().labels(TCP, id)
    }

    /// Frees those of these HTTP series that nobody asked for in this epoch. Answers which; their ids may be others' at once.
    pub fn free_http(&self, ids: &[SeriesId]) -> Vec<SeriesId> {
        self.free(ids, |tables, id| {
            tables.free_series((HTTP, HttpCounts::SAMPLES), *id)
        })
    }

    /// The same of TCP series.
    pub fn free_tcp(&self, ids: &[SeriesId]) -> Vec<SeriesId> {
        self.free(ids, |tables, id| {
            tables.free_series((TCP, TcpCounts::SAMPLES), *id)
        })
    }

    /// The same of evidence.
    pub fn free_evidence(&self, ids: &[EvidenceId]) -> Vec<EvidenceId> {
        self.free(ids, |tables, id| tables.free_evidence(*id))
    }

    fn free<Id: Copy>(&self, ids: &[Id], mut free: impl FnMut(&mut Tables, &Id) -> bool) -> Vec<Id> {
        let turns = ids.chunks(TURN);
        turns
            .flat_map(|turn| {
                let mut tables = self.tables();
                let freed = turn.iter().filter(|id| free(&mut tables, id));
                freed.copied().collect::<Vec<Id>>()
            })
            .collect()
    }

    /// Frees the calls that have no series and that nobody asked for in this epoch, then the strings that are of no use.
    pub fn free_unused(&self) {
        let calls = self.tables().calls.places();
        for turn in (0..calls).step_by(TURN) {
            let mut tables = self.tables();
            (turn..calls.min(turn + TURN)).for_each(|place| tables.free_call(place));
        }
        let strings = self.tables().interner.places();
        for turn in (0..strings).step_by(TURN) {
            self.tables().interner.free_unused(turn..turn + TURN);
        }
    }

    /// How much there is.
    pub fn sizes(&self) -> Sizes {
        fn size<K: Copy + Eq + std::hash::Hash>(places: &Places<K>) -> Size {
            Size {
                live: places.len(),
                places: places.places(),
            }
        }
        let tables = self.tables();
        Sizes {
            strings: Size {
                live: tables.interner.len(),
                places: tables.interner.places(),
            },
            string_bytes: tables.interner.bytes(),
            calls: size(&tables.calls),
            http: size(&tables.http),
            tcp: size(&tables.tcp),
            evidence: size(&tables.evidence),
            samples: tables.samples,
            label_bytes: tables.label_bytes,
        }
    }
}
