//! The tables of the registry, which its lock guards.

use als_proto::ResponseFlags;

use super::bounds::RegistryBounds;
use super::id_table::IdTable;
use super::outside_hosts::OutsideHosts;
use crate::aggregate::call::Call;
use crate::aggregate::evidence::EvidenceKey;
use crate::aggregate::ids::{CallId, EvidenceId, SeriesId};
use crate::aggregate::labels::{SeriesLabels, label_bytes, series_labels};
use crate::aggregate::series::{Counts as _, HttpCounts, SeriesKey, TcpCounts};
use crate::analyze::outcome::Outcome;
use crate::analyze::protocol::Protocol;
use crate::interner::Interner;

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) interner: Interner,
    pub(super) calls: IdTable<Call>,
    /// How many series each call has.
    pub(super) series_of: Vec<u32>,
    pub(super) http: IdTable<SeriesKey>,
    pub(super) tcp: IdTable<SeriesKey>,
    /// How many samples all series are in the exposition.
    pub(super) samples: usize,
    /// Bytes of the label values of all series.
    pub(super) label_bytes: usize,
    pub(super) evidence: IdTable<EvidenceKey>,
    pub(super) outside_hosts: OutsideHosts,
}

/// The series of one family, HTTP or TCP.
#[derive(Clone, Copy)]
pub(super) struct SeriesTable {
    /// The table of their keys.
    keys: fn(&mut Tables) -> &mut IdTable<SeriesKey>,
    /// Samples of the exposition that one of them takes.
    samples: usize,
}

pub(super) const HTTP_SERIES: SeriesTable = SeriesTable {
    keys: |tables| &mut tables.http,
    samples: HttpCounts::SAMPLES_PER_SERIES,
};
pub(super) const TCP_SERIES: SeriesTable = SeriesTable {
    keys: |tables| &mut tables.tcp,
    samples: TcpCounts::SAMPLES_PER_SERIES,
};

impl Tables {
    /// Tables with the overflow call and the overflow series, for at most `string_bytes` bytes of strings.
    pub(super) fn new(string_bytes: usize) -> Self {
        let mut tables = Tables {
            interner: Interner::new(string_bytes),
            calls: IdTable::default(),
            series_of: vec![0],
            http: IdTable::default(),
            tcp: IdTable::default(),
            samples: 0,
            label_bytes: 0,
            evidence: IdTable::default(),
            outside_hosts: OutsideHosts::default(),
        };
        let epoch = tables.interner.epoch();
        let overflow = |protocol| SeriesKey {
            call: CallId::OVERFLOW,
            outcome: Outcome {
                protocol,
                code: 0,
                flags: ResponseFlags::default(),
            },
        };
        tables.calls.add(Call::OVERFLOW, epoch);
        tables.http.add(overflow(Protocol::Http), epoch);
        tables.tcp.add(overflow(Protocol::Tcp), epoch);
        tables
    }

    /// The number of the current epoch.
    pub(super) fn epoch(&self) -> u32 {
        self.interner.epoch()
    }

    /// The id of a call; the overflow's if it is new and there are `most` calls.
    pub(super) fn call_id(&mut self, call: &Call, most: usize) -> CallId {
        let epoch = self.epoch();
        if let Some(id) = self.calls.find(call, epoch) {
            return CallId(id);
        }
        if self.calls.len() >= most {
            return CallId::OVERFLOW;
        }
        let Some(id) = self.calls.add(*call, epoch) else {
            return CallId::OVERFLOW;
        };
        if self.series_of.len() <= id as usize {
            self.series_of.push(0);
        }
        call.symbols().for_each(|symbol| self.interner.hold(symbol));
        CallId(id)
    }

    pub(super) fn free_call(&mut self, slot: usize) {
        let has_series = self.series_of.get(slot).is_some_and(|series| *series > 0);
        let (Ok(id @ 1..), false) = (u32::try_from(slot), has_series) else {
            return;
        };
        if self.calls.is_unasked(id, self.epoch())
            && let Some(call) = self.calls.remove(id)
        {
            call.symbols().for_each(|symbol| self.interner.release(symbol));
            self.outside_hosts.release(CallId(id));
        }
    }

    pub(super) fn evidence_id(&mut self, key: EvidenceKey, most: usize) -> EvidenceId {
        let epoch = self.epoch();
        if let Some(slot) = self.evidence.find(&key, epoch) {
            return EvidenceId::at(slot as usize);
        }
        if self.evidence.len() >= most {
            return EvidenceId::OVERFLOW;
        }
        let Some(slot) = self.evidence.add(key, epoch) else {
            return EvidenceId::OVERFLOW;
        };
        key.symbols().for_each(|symbol| self.interner.hold(symbol));
        EvidenceId::at(slot as usize)
    }

    pub(super) fn free_evidence(&mut self, id: EvidenceId) -> bool {
        let Some(Ok(slot)) = id.slot().map(u32::try_from) else {
            return false;
        };
        let is_unasked = self.evidence.is_unasked(slot, self.epoch());
        let Some(key) = is_unasked.then(|| self.evidence.remove(slot)).flatten() else {
            return false;
        };
        key.symbols().for_each(|symbol| self.interner.release(symbol));
        true
    }

    /// The call of an id.
    pub(super) fn call_of(&self, id: CallId) -> &Call {
        self.calls.get(id.0).unwrap_or(&Call::OVERFLOW)
    }

    /// The id of a series; the overflow's if it is new and does not fit within the bounds.
    pub(super) fn series(&mut self, table: SeriesTable, key: SeriesKey, bounds: &RegistryBounds) -> SeriesId {
        let epoch = self.epoch();
        if let Some(id) = (table.keys)(self).find(&key, epoch) {
            return SeriesId(id);
        }
        let samples = self.samples + table.samples;
        if key.call == CallId::OVERFLOW || samples > bounds.samples {
            return SeriesId::OVERFLOW;
        }
        let label_bytes = self.label_bytes + self.label_bytes_of(key);
        if label_bytes > bounds.label_bytes {
            return SeriesId::OVERFLOW;
        }
        let Some(id) = (table.keys)(self).add(key, epoch) else {
            return SeriesId::OVERFLOW;
        };
        if let Some(series) = self.series_of.get_mut(key.call.0 as usize) {
            *series += 1;
        }
        self.samples = samples;
        self.label_bytes = label_bytes;
        SeriesId(id)
    }

    /// Frees a series that nobody asked for in this epoch, except the overflow series. Returns whether it did.
    pub(super) fn free_series(&mut self, table: SeriesTable, id: SeriesId) -> bool {
        let epoch = self.epoch();
        if id == SeriesId::OVERFLOW || !(table.keys)(self).is_unasked(id.0, epoch) {
            return false;
        }
        let Some(key) = (table.keys)(self).remove(id.0) else {
            return false;
        };
        if let Some(series) = self.series_of.get_mut(key.call.0 as usize) {
            *series -= 1;
        }
        self.samples -= table.samples;
        self.label_bytes -= self.label_bytes_of(key);
        true
    }

    fn label_bytes_of(&self, key: SeriesKey) -> usize {
        label_bytes(self.call_of(key.call), &self.interner)
    }

    pub(super) fn labels(&mut self, table: SeriesTable, id: SeriesId) -> Option<SeriesLabels> {
        let key = *(table.keys)(self).get(id.0)?;
        Some(series_labels(self.call_of(key.call), key.outcome, &self.interner))
    }
}
