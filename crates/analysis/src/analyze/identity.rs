//! What an entry says about who called whom.

use super::party_address::PartyAddress;
use super::tls::Security;
use crate::peer::Peers;

/// The parts of an entry that say who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The caller: `downstream_direct_remote_address` where it is usable, else `downstream_remote_address`. Behind a gateway
    /// the latter is the gateway's own client. At a gateway whose trusted hops count it is the latter first.
    pub remote: Option<PartyAddress<'a>>,
    /// `downstream_local_address`.
    pub local: Option<PartyAddress<'a>>,
    /// Whether `downstream_local_address` is a pipe.
    pub listens_on_pipe: bool,
    /// `upstream_remote_address`.
    pub upstream: Option<PartyAddress<'a>>,
    /// `upstream_cluster`; the name that Istio gives it where only the route tells.
    pub cluster: &'a [u8],
    /// The request's authority, or the server name of a sidecar's TLS connection; empty where the cluster names the host.
    pub authority: &'a [u8],
    /// The downstream connection's TLS.
    pub security: Security<'a>,
    /// The peers in the filter state; none when no analyzer asks for them.
    pub peers: &'a Peers<'a>,
}

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// Who reached the proxy, or whose sidecar it is when that calls.
    Caller,
    /// Who the proxy stands for when it is called: a sidecar's own pod, a gateway.
    Listener,
    /// Whom the proxy reached.
    Upstream,
}
