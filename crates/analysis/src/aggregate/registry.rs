//! The registry of calls and series, which all workers share. A worker asks it only for what it has not met in this epoch
//! ([`super::expiry`]), so its lock is off the hot path.

mod bounds;
mod id_table;
pub mod node_numbers;
mod outside_hosts;
mod tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

pub use bounds::RegistryBounds;
use id_table::IdTable;
use node_numbers::NodeNumberTable;
use outside_hosts::OTHER_HOST;
use tables::{HTTP_SERIES, TCP_SERIES, Tables};

use super::call::Call;
use super::evidence::{Evidence, EvidenceKey, Finding};
use super::ids::{CallId, EvidenceId, SeriesId};
use super::labels::SeriesLabels;
use super::series::SeriesKey;
use crate::interner::{Interner, Symbol, Text};

/// How many slots are examined before the lock is released for a moment.
const SLOTS_PER_LOCK: usize = 4096;

/// Ids of calls, series and evidence, the same for all workers.
#[derive(Debug)]
pub struct Registry {
    bounds: RegistryBounds,
    /// The epoch of the interner, readable without the lock.
    epoch: AtomicU32,
    tables: Mutex<Tables>,
    nodes: Mutex<NodeNumberTable>,
}

/// The size of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// How many values there are.
    pub live: usize,
    /// How many slots there are: the most values that there were at one time.
    pub slots: usize,
}

/// The sizes of a registry's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegistrySizes {
    /// The interned strings.
    pub strings: TableSize,
    /// Bytes of the strings, each with its overhead.
    pub string_bytes: usize,
    /// The calls.
    pub calls: TableSize,
    /// The HTTP and gRPC series.
    pub http: TableSize,
    /// The TCP series.
    pub tcp: TableSize,
    /// The evidence: edges with the rules that found their parties.
    pub evidence: TableSize,
    /// How many samples the series are in the exposition.
    pub samples: usize,
    /// Bytes of the label values of all series.
    pub label_bytes: usize,
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new(RegistryBounds::default())
    }
}

impl Registry {
    /// An empty registry with these bounds.
    pub fn new(bounds: RegistryBounds) -> Self {
        let tables = Tables::new(bounds.string_bytes);
        Registry {
            bounds,
            epoch: AtomicU32::new(tables.epoch()),
            tables: Mutex::new(tables),
            nodes: Mutex::default(),
        }
    }

    /// The symbol of a string.
    pub fn intern(&self, text: &str) -> Symbol {
        self.tables.lock().interner.intern(text)
    }

    /// The symbol of a string, and its text. Whoever holds the text may keep the symbol over epochs.
    pub fn intern_held(&self, text: &str) -> (Symbol, Arc<str>) {
        let interner = &mut self.tables.lock().interner;
        let symbol = interner.intern(text);
        (symbol, interner.text(symbol))
    }

    /// The symbol of a long-lived text, which is looked up only once an epoch.
    pub fn intern_text(&self, text: &Text) -> Symbol {
        // A known symbol needs no lock.
        text.symbol_of(self.epoch())
            .unwrap_or_else(|| self.tables.lock().interner.intern_text(text))
    }

    /// The number of the current epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Begins an epoch. What a shard knows stays valid until its next drain; see [`super::expiry`].
    pub fn begin_epoch(&self) {
        let mut tables = self.tables.lock();
        tables.interner.begin_epoch();
        self.epoch.store(tables.interner.epoch(), Ordering::Release);
    }

    /// The number of the node with these key. A number is never given to other key.
    pub fn node_number(&self, key: &[u8]) -> u64 {
        let mut nodes = self.nodes.lock();
        nodes.number(key)
    }

    /// The string of a symbol.
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        self.tables.lock().interner.text(symbol)
    }

    /// The id of the call that `make` makes with the interner, and the id of its evidence: how its source and its destination were
    /// found.
    pub fn call(
        &self,
        found: [Finding; 2],
        make: impl FnOnce(&mut Interner) -> Call,
    ) -> (CallId, EvidenceId) {
        let tables = &mut *self.tables.lock();
        let call = make(&mut tables.interner);
        let id = tables.call_id(&call, self.bounds.calls);
        let key = EvidenceKey::new(tables.call_of(id), found);
        (id, tables.evidence_id(key, self.bounds.evidence))
    }

    /// The ids of a call to a host outside that only its caller names: to that host, or to `other` if there is no room for the
    /// host. Also returns whether it is not counted as `other`.
    pub fn call_outside(
        &self,
        found: [Finding; 2],
        host: &str,
        make: impl FnOnce(&mut Interner) -> Call,
    ) -> (CallId, EvidenceId, bool) {
        let tables = &mut *self.tables.lock();
        let has_place = tables.outside_hosts.has_place(host, self.bounds.outside_hosts);
        let call = Call {
            service: tables.interner.intern(if has_place { host } else { OTHER_HOST }),
            ..make(&mut tables.interner)
        };
        let id = tables.call_id(&call, self.bounds.calls);
        if has_place && id != CallId::OVERFLOW {
            tables.outside_hosts.hold(host, id);
        }
        let key = EvidenceKey::new(tables.call_of(id), found);
        let evidence = tables.evidence_id(key, self.bounds.evidence);
        (id, evidence, has_place || id == CallId::OVERFLOW)
    }

    /// The evidence of an id; `None` for the overflow.
    pub fn evidence(&self, id: EvidenceId) -> Option<Evidence> {
        let tables = self.tables.lock();
        let key = tables.evidence.get(u32::try_from(id.slot()?).ok()?)?;
        Some(key.evidence(&tables.interner))
    }

    /// Calls `read` with a call and the interner of its symbols.
    pub fn read_call<T>(&self, id: CallId, read: impl FnOnce(&Call, &Interner) -> T) -> T {
        let tables = self.tables.lock();
        read(tables.call_of(id), &tables.interner)
    }

    /// The id of an HTTP series.
    pub fn http_series(&self, key: SeriesKey) -> SeriesId {
        self.tables.lock().series(HTTP_SERIES, key, &self.bounds)
    }

    /// The id of a TCP series.
    pub fn tcp_series(&self, key: SeriesKey) -> SeriesId {
        self.tables.lock().series(TCP_SERIES, key, &self.bounds)
    }

    /// The labels of an HTTP series.
    pub fn http_labels(&self, id: SeriesId) -> Option<SeriesLabels> {
        self.tables.lock().labels(HTTP_SERIES, id)
    }

    /// The labels of a TCP series.
    pub fn tcp_labels(&self, id: SeriesId) -> Option<SeriesLabels> {
        self.tables.lock().labels(TCP_SERIES, id)
    }

    /// Frees those of these HTTP series that nobody asked for in this epoch, and returns them. Their ids may be given to others at
    /// once.
    pub fn free_http(&self, ids: &[SeriesId]) -> Vec<SeriesId> {
        self.free(ids, |tables, id| tables.free_series(HTTP_SERIES, *id))
    }

    /// Frees TCP series likewise.
    pub fn free_tcp(&self, ids: &[SeriesId]) -> Vec<SeriesId> {
        self.free(ids, |tables, id| tables.free_series(TCP_SERIES, *id))
    }

    /// Frees evidence likewise.
    pub fn free_evidence(&self, ids: &[EvidenceId]) -> Vec<EvidenceId> {
        self.free(ids, |tables, id| tables.free_evidence(*id))
    }

    fn free<Id: Copy>(&self, ids: &[Id], mut free: impl FnMut(&mut Tables, &Id) -> bool) -> Vec<Id> {
        let turns = ids.chunks(SLOTS_PER_LOCK);
        turns
            .flat_map(|turn| {
                let mut tables = self.tables.lock();
                let freed = turn.iter().filter(|id| free(&mut tables, id));
                freed.copied().collect::<Vec<Id>>()
            })
            .collect()
    }

    /// Frees the calls without series that nobody asked for in this epoch, then the strings that nobody needs.
    pub fn free_unused(&self) {
        let calls = self.tables.lock().calls.slots();
        for turn in (0..calls).step_by(SLOTS_PER_LOCK) {
            let mut tables = self.tables.lock();
            (turn..calls.min(turn + SLOTS_PER_LOCK)).for_each(|place| tables.free_call(place));
        }
        let strings = self.tables.lock().interner.slots();
        for turn in (0..strings).step_by(SLOTS_PER_LOCK) {
            self.tables
                .lock()
                .interner
                .free_unused(turn..turn + SLOTS_PER_LOCK);
        }
    }

    /// The current sizes of all tables.
    pub fn sizes(&self) -> RegistrySizes {
        fn size<K: Copy + Eq + std::hash::Hash>(table: &IdTable<K>) -> TableSize {
            TableSize {
                live: table.len(),
                slots: table.slots(),
            }
        }
        let tables = self.tables.lock();
        RegistrySizes {
            strings: TableSize {
                live: tables.interner.len(),
                slots: tables.interner.slots(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use crate::rule::Rule;

    const NOT_FOUND: Finding = Finding {
        rule: Rule::NotFound,
        role: Role::Sidecar,
    };

    // proves: labels/outside-hosts-bound
    #[test]
    fn a_host_that_had_no_place_gets_one_when_a_call_is_forgotten() {
        let registry = Registry::new(RegistryBounds {
            outside_hosts: 1,
            ..RegistryBounds::default()
        });
        let call = |host: &str| {
            let make = |_: &mut Interner| Call {
                service_name: Symbol::EMPTY,
                ..Call::OVERFLOW
            };
            let (id, _, has_place) = registry.call_outside([NOT_FOUND; 2], host, make);
            let service = registry.read_call(id, |call, interner| interner.text(call.service));
            (service.to_string(), has_place)
        };
        assert_eq!(call("a"), ("a".to_owned(), true));
        assert_eq!(call("b"), ("other".to_owned(), false));
        registry.begin_epoch();
        assert_eq!(call("a"), ("a".to_owned(), true));
        registry.free_unused();
        assert_eq!(call("b"), ("other".to_owned(), false));
        registry.begin_epoch();
        registry.free_unused();
        assert_eq!(call("b"), ("b".to_owned(), true));
    }
}
