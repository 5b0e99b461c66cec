//! An observed entry, borrowed from its message, and what is looked up of it when it is kept.

use std::sync::Arc;

use als_proto::{CommonProperties, HttpEntry, HttpRequest};

use crate::accounting::{Kept, Unattributed};
use crate::aggregate::call::{Call, PartyLabels};
use crate::aggregate::registry::Registry;
use crate::aggregate::series::{Counts as _, HttpCounts, TcpCounts};
use crate::analyze::measure::{ClampedFields, HttpMeasure, TcpMeasure};
use crate::analyze::outcome::{Outcome, Verdict};
use crate::analyze::tls::SecurityPolicy;
use crate::identify::IdentifiedObservation;
use crate::interner::{Interner, Symbol};
use crate::moment::Moment;
use crate::names::redact::Redaction;
use crate::node::Node;
use crate::reporter::Reporter;

/// An observed entry.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'e, 'a> {
    /// The proxy that sent it.
    pub node: &'e Node,
    /// When it was received.
    pub received: Moment,
    /// Its common properties.
    pub common: &'e CommonProperties<'a>,
    /// Its observations: one, two of a gateway.
    pub observations: (IdentifiedObservation, Option<IdentifiedObservation>),
    /// What it tells of.
    pub subject: Subject<'e, 'a>,
}

/// What an entry tells of.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'e, 'a> {
    /// An HTTP or gRPC request.
    Request {
        /// The whole entry.
        entry: &'e HttpEntry<'a>,
        /// Its request.
        request: &'e HttpRequest<'a>,
        /// Its numbers.
        measure: &'e HttpMeasure,
    },
    /// A TCP connection.
    Connection {
        /// Its numbers.
        measure: &'e TcpMeasure,
    },
}

impl Subject<'_, '_> {
    /// Which of its values were beyond sense.
    #[inline]
    pub fn clamped(&self) -> ClampedFields {
        match self {
            Subject::Request { measure, .. } => measure.clamped,
            Subject::Connection { measure } => measure.clamped,
        }
    }
}

impl Observed<'_, '_> {
    /// What came of the call.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        match self.subject {
            Subject::Request { measure, .. } => HttpCounts::outcome(measure),
            Subject::Connection { measure } => TcpCounts::outcome(measure),
        }
    }

    /// What the call came to.
    #[inline]
    pub fn verdict(&self) -> Verdict {
        match self.subject {
            Subject::Request { measure, .. } => Verdict::of_request(measure),
            Subject::Connection { .. } => Verdict::of(self.outcome()),
        }
    }

    /// When the call began; when its entry was received, if the entry does not say.
    pub fn start(&self) -> Moment {
        let start = self.common.start_time().ok().flatten();
        start.map_or(self.received, Moment::from)
    }

    /// The observation to what was called.
    fn last_observation(&self) -> IdentifiedObservation {
        self.observations.1.unwrap_or(self.observations.0)
    }

    /// The service of the proxy that reports; of a waypoint, which is nobody's, the called one.
    #[inline]
    pub fn reporting_service(&self) -> Symbol {
        let observation = self.last_observation();
        match observation.reporter {
            Reporter::Source => observation.source_name,
            Reporter::Destination | Reporter::Waypoint => observation.destination_name,
        }
    }

    /// The texts of the entry's parties. A gateway stands between the caller of its first observation and the called one of its second.
    pub fn parties(&self, registry: &Registry) -> Parties {
        let (first, last) = (self.observations.0, self.last_observation());
        let source = (first.source_name, first.source_rule.unattributed());
        let (source, security) = registry.read_call(first.call, |call, interner| {
            (Party::new(&call.source, source, interner), call.security)
        });
        registry.read_call(last.call, |call: &Call, interner| Parties {
            reporter: last.reporter,
            source,
            gateway: self.observations.1.map(|observation| {
                Party::new(
                    &call.source,
                    (observation.source_name, observation.source_rule.unattributed()),
                    interner,
                )
            }),
            destination: Party::new(
                &call.destination,
                (last.destination_name, last.destination_rule.unattributed()),
                interner,
            ),
            service: interner.text(call.service),
            security,
        })
    }
}

/// Who called whom, as text; what is not known is `unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// Who reports it.
    pub reporter: Reporter,
    /// The caller.
    pub source: Party,
    /// The gateway between the two, if one reports.
    pub gateway: Option<Party>,
    /// The called party.
    pub destination: Party,
    /// Istio's `destination_service`: the called host.
    pub service: Arc<str>,
    /// How the connection to the reporting proxy was secured.
    pub security: SecurityPolicy,
}

/// One end of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The service's name.
    pub name: Arc<str>,
    /// The workload.
    pub workload: Arc<str>,
    /// The workload's namespace.
    pub namespace: Arc<str>,
    /// The SPIFFE identity.
    pub principal: Arc<str>,
    /// The cluster's id.
    pub cluster: Arc<str>,
    /// Why it is unknown.
    pub missing: Option<Unattributed>,
}

impl Party {
    fn new(
        labels: &PartyLabels,
        (name, missing): (Symbol, Option<Unattributed>),
        interner: &Interner,
    ) -> Self {
        Party {
            name: interner.text(name),
            workload: interner.text(labels.workload),
            namespace: interner.text(labels.namespace),
            principal: interner.text(labels.principal),
            cluster: interner.text(labels.cluster),
            missing,
        }
    }
}

/// What an encoder gets.
#[derive(Clone, Copy, Debug)]
pub struct KeptEntry<'k, 'a> {
    /// Why it is kept.
    pub reason: Kept,
    /// The entry.
    pub observed: &'k Observed<'k, 'a>,
    /// Who called whom.
    pub parties: &'k Parties,
    /// The endpoint's name; `None` for a TCP connection.
    pub endpoint: Option<&'k str>,
    /// What of the request may be shown.
    pub redaction: &'k Redaction,
}
