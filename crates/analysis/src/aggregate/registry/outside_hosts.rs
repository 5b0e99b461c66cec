//! Bounds the hosts outside the mesh that only their callers name. A client may name any host, so only a limited number is counted
//! separately; the rest is `other`.
//!
//! A host keeps its place while there is a call to it, so the bound recovers as calls are forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use crate::aggregate::ids::CallId;

/// The host as which all others are counted.
pub(super) const OTHER_HOST: &str = "other";

/// The hosts that are counted separately.
#[derive(Debug, Default)]
pub(super) struct OutsideHosts {
    /// How many calls go to each host.
    calls: HashMap<Arc<str>, usize>,
    /// The host of each call.
    hosts: HashMap<CallId, Arc<str>>,
}

impl OutsideHosts {
    /// Whether `host` has a place, or would get one.
    pub(super) fn has_place(&self, host: &str, most: usize) -> bool {
        self.calls.len() < most || self.calls.contains_key(host)
    }

    /// Holds the place of `host` for a call.
    pub(super) fn hold(&mut self, host: &str, call: CallId) {
        if self.hosts.contains_key(&call) {
            return;
        }
        let known = self.calls.get_key_value(host).map(|(known, _)| known.clone());
        let host = known.unwrap_or_else(|| host.into());
        *self.calls.entry(host.clone()).or_default() += 1;
        self.hosts.insert(call, host);
    }

    /// Releases the place that a call holds, when the call is forgotten.
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

#[cfg(test)]
mod tests {
    use super::*;

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
