//! Hosts outside the mesh that only their callers name. A client may name any, so only so many are told apart; the rest is `other`.
//!
//! A host has its place for as long as there is a call to it, so the bound recovers as calls are forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CallId, Registry};
use crate::aggregate::call::Call;
use crate::aggregate::evidence::{EvidenceId, EvidenceKey, Finding};
use crate::interner::Interner;

/// The host of calls to all the others.
const OTHER: &str = "other";

/// The hosts that have a place.
#[derive(Debug, Default)]
pub(super) struct OutsideHosts {
    /// How many calls go to each.
    calls: HashMap<Arc<str>, usize>,
    /// Where each call goes.
    hosts: HashMap<CallId, Arc<str>>,
}

impl OutsideHosts {
    /// Whether `host` has a place, or gets one with its next call.
    fn has_place(&self, host: &str, most: usize) -> bool {
        self.calls.len() < most || self.calls.contains_key(host)
    }

    /// Keeps the place of `host` for a call.
    fn hold(&mut self, host: &str, call: CallId) {
        if self.hosts.contains_key(&call) {
            return;
        }
        let known = self.calls.get_key_value(host).map(|(known, _)| known.clone());
        let host = known.unwrap_or_else(|| host.into());
        *self.calls.entry(host.clone()).or_default() += 1;
        self.hosts.insert(call, host);
    }

    /// Gives up the place that a call kept, now that it is forgotten.
    pub(super) fn release(&mut self, call: CallId) {
        let Some(host) = self.hosts.remove(&call) else {
            return;
        };
        if let Some(calls) = self.calls.get_mut(&host) {
            *calls -= 1;
            if *calls == 0 {
                self.calls.remove(&host);
            }
        }
    }
}

impl Registry {
    /// The same as [`Registry::call`] of a call to a host outside that only its caller names: to that host, or to `other` where it has
    /// no place. Answers also whether it is not counted as `other`.
    pub fn call_outside(
        &self,
        found: [Finding; 2],
        host: &str,
        make: impl FnOnce(&mut Interner) -> Call,
    ) -> (CallId, EvidenceId, bool) {
        let tables = &mut *self.tables();
        let has_place = tables.outside_hosts.has_place(host, self.bounds.outside_hosts);
        let call = Call {
            service: tables.interner.intern(if has_place { host } else { OTHER }),
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
}

#[cfg(test)]
mod tests {
    use super::super::Bounds;
    use super::*;
    use crate::interner::Symbol;
    use crate::role::Role;
    use crate::rule::Rule;

    const NOT_FOUND: Finding = Finding {
        rule: Rule::NotFound,
        role: Role::Sidecar,
    };

    // proves: labels/outside-hosts-bound
    #[test]
    fn a_host_that_had_no_place_gets_one_when_a_call_is_forgotten() {
        let registry = Registry::new(Bounds {
            outside_hosts: 1,
            ..Bounds::default()
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

    // proves: labels/outside-hosts-bound
    #[test]
    fn a_host_has_a_place_while_there_is_a_call_to_it() {
        let mut hosts = OutsideHosts::default();
        let has_place = |hosts: &OutsideHosts| ["a", "b", "c"].map(|host| hosts.has_place(host, 2));
        hosts.hold("a", CallId(1));
        hosts.hold("a", CallId(2));
        hosts.hold("a", CallId(2));
        assert_eq!(has_place(&hosts), [true, true, true]);
        hosts.hold("b", CallId(3));
        assert_eq!(has_place(&hosts), [true, true, false]);
        hosts.release(CallId(2));
        hosts.release(CallId(2));
        hosts.release(CallId(4));
        assert_eq!(has_place(&hosts), [true, true, false]);
        hosts.release(CallId(1));
        assert_eq!(has_place(&hosts), [true, true, true]);
        hosts.hold("c", CallId(1));
        assert_eq!(has_place(&hosts), [false, true, true]);
    }
}
