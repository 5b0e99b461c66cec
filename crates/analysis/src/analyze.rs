//! The rules that read an entry: one rule table to a file, each row with its source.

pub mod attribution;
pub mod authority;
pub mod direction;
pub mod final_entry;
pub mod grpc_messages;
pub mod identity;
pub mod k8s_mesh;
pub mod latency;
pub mod long_lived;
pub mod measure;
pub mod mx_mesh;
pub mod observations;
pub mod outcome;
pub mod party_address;
pub mod protocol;
pub mod response_flags;
pub mod service;
pub mod tls;
pub mod upstream_cluster;
pub mod virtual_host;

use als_proto::Malformed;

use crate::accounting::{Rejected, Skipped};

/// Why an entry ends without an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotObserved {
    /// It could not be read.
    Rejected(Rejected),
    /// It is not a finished call, or no analyzer is configured for it.
    Skipped(Skipped),
}

impl From<Malformed> for NotObserved {
    fn from(_: Malformed) -> Self {
        NotObserved::Rejected(Rejected::MalformedEntry)
    }
}

impl From<Rejected> for NotObserved {
    fn from(reason: Rejected) -> Self {
        NotObserved::Rejected(reason)
    }
}

impl From<Skipped> for NotObserved {
    fn from(reason: Skipped) -> Self {
        NotObserved::Skipped(reason)
    }
}
