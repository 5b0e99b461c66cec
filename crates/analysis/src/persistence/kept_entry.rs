//! An observed entry, borrowed from its message, and what is looked up of it when it is kept.

use std::sync::Arc;

use als_proto::{CommonProperties, HttpEntry, HttpRequest};

use crate::accounting::{KeepReason, Unattributed};
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
pub struct ObservedEntry<'e, 'a> {
    /// The proxy that sent it.
    pub node: &'e Node,
    /// When it was received.
    pub received: Moment,
    /// Its common properties.
    pub common: &'e CommonProperties<'a>,
    /// Its observations: one, two of a gateway.
    pub observations: (IdentifiedObservation, Option<IdentifiedObservation>),
    /// What it tells of.
    pub subject: MeasuredCall<'e, 'a>,
}

/// What an entry tells of.
#[derive(Clone, Copy, Debug)]
pub enum MeasuredCall<'e, 'a> {
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

impl MeasuredCall<'_, '_> {
    /// Which of its values were beyond sense.
    #[inline]
    pub fn clamped(&self) -> ClampedFields {
        match self {
            MeasuredCall::Request { measure, .. } => measure.clamped,
            MeasuredCall::Connection { measure } => measure.clamped,
        }
    }
}

impl ObservedEntry<'_, '_> {
    /// What came of the call.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        match self.subject {
            MeasuredCall::Request { measure, .. } => HttpCounts::outcome(measure),
            MeasuredCall::Connection { measure } => TcpCounts::outcome(measure),
        }
    }

    /// What the call came to.
    #[inline]
    pub fn verdict(&self) -> Verdict {
        match self.subject {
            MeasuredCall::Request { measure, .. } => Verdict::of_request(measure),
            MeasuredCall::Connection { .. } => Verdict::of(self.outcome()),
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
    pub fn parties(&self, registry: &Registry) -> CallTexts {
        let (first, last) = (self.observations.0, self.last_observation());
        let (source, security) = registry.read_call(first.call, |call, interner| {
            (
                PartyTexts::new(
                    &call.source,
                    first.source_name,
                    first.source_rule.unattributed(),
                    interner,
                ),
                call.security,
            )
        });
        registry.read_call(last.call, |call: &Call, interner| CallTexts {
            reporter: last.reporter,
            source,
            gateway: self.observations.1.map(|observation| {
                PartyTexts::new(
                    &call.source,
                    observation.source_name,
                    observation.source_rule.unattributed(),
                    interner,
                )
            }),
            destination: PartyTexts::new(
                &call.destination,
                last.destination_name,
                last.destination_rule.unattributed(),
                interner,
            ),
            service: interner.text(call.service),
            security,
        })
    }
}

/// Who called whom, as text; what is not known is `unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTexts {
    /// Who reports it.
    pub reporter: Reporter,
    /// The caller.
    pub source: PartyTexts,
    /// The gateway between the two, if one reports.
    pub gateway: Option<PartyTexts>,
    /// The called party.
    pub destination: PartyTexts,
    /// Istio's `destination_service`: the called host.
    pub service: Arc<str>,
    /// How the connection to the reporting proxy was secured.
    pub security: SecurityPolicy,
}

/// One end of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyTexts {
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

impl PartyTexts {
    fn new(labels: &PartyLabels, name: Symbol, missing: Option<Unattributed>, interner: &Interner) -> Self {
        PartyTexts {
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
    pub reason: KeepReason,
    /// The entry.
    pub observed: &'k ObservedEntry<'k, 'a>,
    /// Who called whom.
    pub parties: &'k CallTexts,
    /// The endpoint's name; `None` for a TCP connection.
    pub endpoint: Option<&'k str>,
    /// What of the request may be shown.
    pub redaction: &'k Redaction,
}
