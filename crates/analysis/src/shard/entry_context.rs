//! What is known of an entry besides its bytes, and what it comes to.

use als_proto::{CommonProperties, HttpEntry, HttpRequest, TcpEntry};

use crate::aggregate::example::ExampleSource;
use crate::directory::Directory;
use crate::identify::IdentifiedObservation;
use crate::moment::Moment;
use crate::node::Node;
use crate::peer::Peers;
use crate::persistence::kept_entry::{MeasuredCall, ObservedEntry};

/// The observations of an entry.
#[derive(Clone, Copy)]
pub(super) struct EntryObservations {
    pub(super) first: IdentifiedObservation,
    pub(super) second: Option<IdentifiedObservation>,
    /// Whether they had to be looked up.
    pub(super) are_new: bool,
    /// Whether they are to a host outside that is not told apart.
    pub(super) have_no_place: bool,
}

/// What an entry tells of.
#[derive(Clone, Copy)]
pub(super) enum LoggedCall<'e, 'm> {
    /// An HTTP or gRPC request.
    Request {
        entry: &'e HttpEntry<'m>,
        request: &'e HttpRequest<'m>,
    },
    /// A TCP connection; without an entry of its own one that a TCP proxy logged as HTTP.
    Connection(Option<&'e TcpEntry<'m>>),
}

/// Whose an entry is, and what it is looked up in.
pub(super) struct EntryContext<'a> {
    pub(super) directory: &'a Directory,
    pub(super) node: &'a Node,
    pub(super) received: Moment,
}

impl EntryContext<'_> {
    /// An entry as it is observed.
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

    /// What of an entry an example shows.
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
