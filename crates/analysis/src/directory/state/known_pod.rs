//! What the working copy keeps about a pod.

use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::parties::Pod;
use crate::directory::records::PodRecord;

/// What the working copy keeps about a pod. It is little, because a large mesh has many pods; the directory has the rest.
#[derive(Debug)]
pub(super) struct KnownPod {
    pub(super) addresses: Box<[IpAddr]>,
    /// Where it listens on addresses that it shares; most pods do not.
    pub(super) listens: Option<Box<ListeningPlaces>>,
    /// The pod as a party.
    pub(super) party: Arc<Pod>,
    /// The whole record, kept only where a Service may change the pod's name.
    pub(super) record: Option<Arc<PodRecord>>,
}

#[derive(Debug, Default)]
pub(super) struct ListeningPlaces {
    /// The ports that it declares, if it is in the network of its node.
    pub(super) declared: Box<[u16]>,
    pub(super) places: Box<[(IpAddr, u16)]>,
}
