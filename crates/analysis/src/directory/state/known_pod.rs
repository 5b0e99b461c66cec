//! What the working copy keeps of a pod.

use std::net::IpAddr;
use std::sync::Arc;

use crate::directory::parties::Pod;
use crate::directory::records::PodRecord;

/// What is kept of a pod. The directory has the rest, and a large mesh has many pods.
#[derive(Debug)]
pub(super) struct KnownPod {
    pub(super) addresses: Box<[IpAddr]>,
    /// Where it listens at addresses that are not its own alone; most pods do not.
    pub(super) listens: Option<Box<ListeningPlaces>>,
    /// The party that it is.
    pub(super) party: Arc<Pod>,
    /// All of it, where a Service may give the pod another name.
    pub(super) record: Option<Arc<PodRecord>>,
}

#[derive(Debug, Default)]
pub(super) struct ListeningPlaces {
    /// The ports that it declares, if it is in its node's network.
    pub(super) declared: Box<[u16]>,
    pub(super) places: Box<[(IpAddr, u16)]>,
}
