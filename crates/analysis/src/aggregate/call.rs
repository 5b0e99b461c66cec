//! Calls and their parties, in the symbols by which series are keyed.

use std::hash::{Hash, Hasher};

use super::graph_node::GraphNodeKind;
use crate::analyze::tls::SecurityPolicy;
use crate::interner::Symbol;
use crate::reporter::Reporter;

/// One side of a call, as Istio's standard metrics label it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartyLabels {
    /// The workload: the Deployment, `StatefulSet`, … that owns the pod.
    pub workload: Symbol,
    /// The namespace of the workload.
    pub namespace: Symbol,
    /// The SPIFFE identity of the certificate.
    pub principal: Symbol,
    /// Label `app.kubernetes.io/name`, else `app`.
    pub app: Symbol,
    /// Label `app.kubernetes.io/version`, else `version`.
    pub version: Symbol,
    /// Istio's label `canonical_service`.
    pub canonical_service: Symbol,
    /// Istio's label `canonical_revision`.
    pub canonical_revision: Symbol,
    /// The cluster's id as the reporting proxy knows it.
    pub cluster: Symbol,
}

/// Four numbers are hashed faster than eight.
impl Hash for PartyLabels {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(pair(self.workload, self.namespace));
        hasher.write_u64(pair(self.principal, self.app));
        hasher.write_u64(pair(self.version, self.canonical_service));
        hasher.write_u64(pair(self.canonical_revision, self.cluster));
    }
}

#[inline]
fn pair(one: Symbol, other: Symbol) -> u64 {
    u64::from(other.number()) << 32 | u64::from(one.number())
}

impl PartyLabels {
    /// A party that could not be found.
    pub const UNKNOWN: PartyLabels = PartyLabels::all(Symbol::UNKNOWN);

    /// The same value in each label.
    pub const fn all(symbol: Symbol) -> Self {
        PartyLabels {
            workload: symbol,
            namespace: symbol,
            principal: symbol,
            app: symbol,
            version: symbol,
            canonical_service: symbol,
            canonical_revision: symbol,
            cluster: symbol,
        }
    }

    /// Every symbol, in the order of Istio's standard labels.
    pub fn symbols(&self) -> [Symbol; 8] {
        [
            self.workload,
            self.namespace,
            self.principal,
            self.app,
            self.version,
            self.canonical_service,
            self.canonical_revision,
            self.cluster,
        ]
    }
}

/// The kinds of nodes that the ends of a call are. Calls with equal labels are one series, so the kinds do not take part in
/// comparing calls.
#[derive(Clone, Copy, Debug)]
pub struct EndKinds {
    pub(super) source: GraphNodeKind,
    pub(super) destination: GraphNodeKind,
    pub(super) service: GraphNodeKind,
}

impl PartialEq for EndKinds {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for EndKinds {}

impl Hash for EndKinds {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl EndKinds {
    /// The kinds of [`Call::OVERFLOW`].
    pub const OVERFLOW: EndKinds = EndKinds {
        source: GraphNodeKind::Workload,
        destination: GraphNodeKind::Workload,
        service: GraphNodeKind::Unknown,
    };
}

/// Who called whom, as one reporter saw it: the part of a series' labels that does not change with the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The proxy that reports the call.
    pub reporter: Reporter,
    /// The labels of the caller.
    pub source: PartyLabels,
    /// The labels of the called workload.
    pub destination: PartyLabels,
    /// Istio's `destination_service`: the called host.
    pub service: Symbol,
    /// Istio's `destination_service_name`: the host's short name.
    pub service_name: Symbol,
    /// Istio's `destination_service_namespace`: that of the service.
    pub service_namespace: Symbol,
    /// How the connection was secured.
    pub security: SecurityPolicy,
    /// The kinds of both ends and of the service, which no label has.
    pub kinds: EndKinds,
}

/// Ten numbers are hashed faster than twenty.
impl Hash for Call {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.source.hash(hasher);
        self.destination.hash(hasher);
        hasher.write_u64(pair(self.service, self.service_name));
        let small = (self.reporter as u64) << 8 | self.security as u64;
        hasher.write_u64(small << 32 | u64::from(self.service_namespace.number()));
    }
}

impl Call {
    /// Every symbol of the call.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> + use<> {
        let parties = self
            .source
            .symbols()
            .into_iter()
            .chain(self.destination.symbols());
        parties.chain([self.service, self.service_name, self.service_namespace])
    }

    /// The call as which calls are counted that no longer fit in the table of calls.
    pub const OVERFLOW: Call = Call {
        reporter: Reporter::Source,
        source: PartyLabels::all(Symbol::OVERFLOW),
        destination: PartyLabels::all(Symbol::OVERFLOW),
        service: Symbol::OVERFLOW,
        service_name: Symbol::OVERFLOW,
        service_namespace: Symbol::OVERFLOW,
        security: SecurityPolicy::Unknown,
        kinds: EndKinds::OVERFLOW,
    };
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    // proves: node/no-label
    #[test]
    fn calls_whose_labels_are_equal_are_one_whatever_their_ends_are() {
        let kinds = EndKinds {
            destination: GraphNodeKind::Outside,
            ..EndKinds::OVERFLOW
        };
        let other = Call {
            kinds,
            ..Call::OVERFLOW
        };
        let calls: HashSet<Call> = [Call::OVERFLOW, other].into();
        assert_eq!(calls.len(), 1);
    }
}
