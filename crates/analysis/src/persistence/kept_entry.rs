//! Observed entries, borrowed from their message, and what is looked up for those that are kept.

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

/// An observed entry, borrowed from its message.
#[derive(Clone, Copy, Debug)]
pub struct ObservedEntry<'e, 'a> {
    /// The node of the proxy that sent it.
    pub node: &'e Node,
    /// When the entry was received.
    pub received: Moment,
    /// The common properties of the entry.
    pub common: &'e CommonProperties<'a>,
    /// Its observations: one, or two of a gateway.
    pub observations: (IdentifiedObservation, Option<IdentifiedObservation>),
    /// The call and its measures.
    pub subject: MeasuredCall<'e, 'a>,
}

/// The call that an entry is about, with its measures.
#[derive(Clone, Copy, Debug)]
pub enum MeasuredCall<'e, 'a> {
    /// An HTTP or gRPC request.
    Request {
        /// The whole HTTP entry.
        entry: &'e HttpEntry<'a>,
        /// The request of the entry.
        request: &'e HttpRequest<'a>,
        /// The measures of the call.
        measure: &'e HttpMeasure,
    },
    /// A TCP connection, whatever it carried.
    Connection {
        /// The measures of the call.
        measure: &'e TcpMeasure,
    },
}

impl MeasuredCall<'_, '_> {
    /// Whether it is a gRPC call.
    #[inline]
    pub fn is_grpc(&self) -> bool {
        match self {
            MeasuredCall::Request { measure, .. } => measure.protocol.is_grpc(),
            MeasuredCall::Connection { .. } => false,
        }
    }

    /// The values of the entry that were out of range.
    #[inline]
    pub fn clamped(&self) -> ClampedFields {
        match self {
            MeasuredCall::Request { measure, .. } => measure.clamped,
            MeasuredCall::Connection { measure } => measure.clamped,
        }
    }
}

impl ObservedEntry<'_, '_> {
    /// The outcome of the call, as its series has it.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        match self.subject {
            MeasuredCall::Request { measure, .. } => HttpCounts::outcome(measure),
            MeasuredCall::Connection { measure } => TcpCounts::outcome(measure),
        }
    }

    /// The verdict on the call.
    #[inline]
    pub fn verdict(&self) -> Verdict {
        match self.subject {
            MeasuredCall::Request { measure, .. } => Verdict::of_request(measure),
            MeasuredCall::Connection { .. } => Verdict::of(self.outcome()),
        }
    }

    /// When the call started; if the entry does not say it, when the entry was received.
    pub fn start(&self) -> Moment {
        let start = self.common.start_time().ok().flatten();
        start.map_or(self.received, Moment::from)
    }

    /// The observation of the called party: a gateway's second one.
    fn last_observation(&self) -> IdentifiedObservation {
        self.observations.1.unwrap_or(self.observations.0)
    }

    /// The name of the reporting proxy's service. A waypoint has none; there it is the called service.
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

/// The parties of a call as text; a text that is not known is `unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTexts {
    /// The proxy that reports the call.
    pub reporter: Reporter,
    /// The party that called.
    pub source: PartyTexts,
    /// The gateway between the two, if one reports.
    pub gateway: Option<PartyTexts>,
    /// The party that was called.
    pub destination: PartyTexts,
    /// Istio's `destination_service`: the called host.
    pub service: Arc<str>,
    /// How the connection to the reporting proxy was secured.
    pub security: SecurityPolicy,
}

/// A party of a call as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyTexts {
    /// SkyWalking's name of the service.
    pub name: Arc<str>,
    /// The name of the workload.
    pub workload: Arc<str>,
    /// The namespace of the workload.
    pub namespace: Arc<str>,
    /// The SPIFFE identity of the certificate.
    pub principal: Arc<str>,
    /// The id of the cluster.
    pub cluster: Arc<str>,
    /// Why the party is unknown; `None` if it is known.
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

/// A kept entry, as an encoder gets it.
#[derive(Clone, Copy, Debug)]
pub struct KeptEntry<'k, 'a> {
    /// The reason why it is kept.
    pub reason: KeepReason,
    /// The entry with its measures.
    pub observed: &'k ObservedEntry<'k, 'a>,
    /// The parties of the call.
    pub parties: &'k CallTexts,
    /// The endpoint's name; `None` for a TCP connection.
    pub endpoint: Option<&'k str>,
    /// Decides what of the request may be shown.
    pub redaction: &'k Redaction,
}
