//! The parts of an entry that say who called whom.

use super::party_address::PartyAddress;
use super::tls::Security;
use crate::peer::Peers;

/// The parts of an entry that say who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The caller: `downstream_direct_remote_address` where it is usable, else `downstream_remote_address`. Behind a gateway the
    /// latter is the gateway's own client. At a gateway that trusts forwarding hops the latter counts first.
    pub remote: Option<PartyAddress<'a>>,
    /// `downstream_local_address`.
    pub local: Option<PartyAddress<'a>>,
    /// Whether `downstream_local_address` is a pipe.
    pub listens_on_pipe: bool,
    /// `upstream_remote_address`.
    pub upstream: Option<PartyAddress<'a>>,
    /// `upstream_cluster`, or the cluster that Istio's route stands for if there is no cluster.
    pub cluster: &'a [u8],
    /// The request's authority, or the server name of a sidecar's TLS connection; empty where the cluster names the host.
    pub authority: &'a [u8],
    /// The TLS of the downstream connection.
    pub security: Security<'a>,
    /// The peers in the filter state; none when no analyzer asks for them.
    pub peers: &'a Peers<'a>,
}

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The caller: who reached the proxy, or the sidecar's own pod when that calls.
    Caller,
    /// The called side of the proxy itself: a sidecar's own pod, or a gateway.
    Listener,
    /// The party that the proxy reached.
    Upstream,
}
