//! The context in which an entry is read, and its observations.

use als_proto::{CommonProperties, HttpEntry, HttpRequest};

use crate::aggregate::example::ExampleSource;
use crate::analyze::measure::ConnectionBytes;
use crate::directory::Directory;
use crate::identify::IdentifiedObservation;
use crate::moment::Moment;
use crate::node::Node;
use crate::peer::Peers;
use crate::persistence::kept_entry::{MeasuredCall, ObservedEntry};

/// The observations of an entry, one or two.
#[derive(Clone, Copy)]
pub(super) struct EntryObservations {
    pub(super) first: IdentifiedObservation,
    pub(super) second: Option<IdentifiedObservation>,
    /// Whether they had to be looked up.
    pub(super) are_new: bool,
    /// Whether they are calls to an outside host that is counted as `other`.
    pub(super) are_overflowed: bool,
}

/// The call that an entry is about.
#[derive(Clone, Copy)]
pub(super) enum LoggedCall<'e, 'm> {
    /// An HTTP or gRPC request.
    Request {
        entry: &'e HttpEntry<'m>,
        request: &'e HttpRequest<'m>,
    },
    /// A TCP connection.
    Connection(&'e ConnectionBytes),
}

/// The proxy that sent an entry, and the directory in which it is looked up.
pub(super) struct EntryContext<'a> {
    pub(super) directory: &'a Directory,
    pub(super) node: &'a Node,
    pub(super) received: Moment,
}

impl EntryContext<'_> {
    /// The observed entry, for the sampler.
    pub(super) fn observed<'e, 'm>(
        &'e self,
        common: &'e CommonProperties<'m>,
        observations: (IdentifiedObservation, Option<IdentifiedObservation>),
        subject: MeasuredCall<'e, 'm>,
    ) -> ObservedEntry<'e, 'm> {
        ObservedEntry {
            node: self.node,
            received: self.received,
            common,
            observations,
            subject,
        }
    }

    /// The parts of the entry from which an example is made.
    pub(super) fn shown<'e>(
        &'e self,
        common: &'e CommonProperties<'e>,
        peers: &'e Peers<'e>,
        logged: LoggedCall<'e, 'e>,
    ) -> ExampleSource<'e> {
        ExampleSource {
            proxy: &self.node.node_id,
            received: self.received,
            common,
            peers,
            http: match logged {
                LoggedCall::Request { entry, request } => Some((entry, request)),
                LoggedCall::Connection(_) => None,
            },
        }
    }
}
