//! What is known of an entry besides its bytes, and what it comes to.

use als_proto::{CommonProperties, HttpEntry, HttpRequest};

use crate::aggregate::example::Shown;
use crate::directory::Directory;
use crate::identify::IdentifiedLeg;
use crate::moment::Moment;
use crate::peer::Peers;
use crate::persistence::kept_entry::{Observed, Subject};
use crate::stream::Stream;

/// The observations of an entry.
#[derive(Clone, Copy)]
pub(super) struct Legs {
    pub(super) first: IdentifiedLeg,
    pub(super) second: Option<IdentifiedLeg>,
    /// Whether they had to be looked up.
    pub(super) are_new: bool,
    /// Whether they are to a host outside that is not told apart.
    pub(super) have_no_place: bool,
}

/// Whose an entry is, and what it is looked up in.
pub(super) struct Context<'a> {
    pub(super) directory: &'a Directory,
    pub(super) stream: &'a Stream,
    pub(super) received: Moment,
}

impl Context<'_> {
    /// An entry as it is observed.
    pub(super) fn observed<'e, 'm>(
        &'e self,
        common: &'e CommonProperties<'m>,
        legs: (IdentifiedLeg, Option<IdentifiedLeg>),
        subject: Subject<'e, 'm>,
    ) -> Observed<'e, 'm> {
        Observed {
            stream: self.stream,
            received: self.received,
            common,
            legs,
            subject,
        }
    }

    /// What of an entry an example shows.
    pub(super) fn shown<'e>(
        &'e self,
        common: &'e CommonProperties<'e>,
        peers: &'e Peers<'e>,
        http: Option<(&'e HttpEntry<'e>, &'e HttpRequest<'e>)>,
    ) -> Shown<'e> {
        Shown {
            proxy: &self.stream.node_id,
            received: self.received,
            common,
            peers,
            http,
        }
    }
}
