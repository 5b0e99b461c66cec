//! The parts of an entry that say who called whom, in the entry's own bytes.

use als_proto::{CommonProperties, Malformed};

use crate::analyze::identity::Identity;
use crate::analyze::party_address::{PartyAddress, endpoint, is_pipe};
use crate::analyze::tls;
use crate::peer::Peers;
use crate::role::Role;

/// The address that counts as the caller's (envoy `data/accesslog/v3` `AccessLogCommon`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerAddress {
    /// `downstream_direct_remote_address`: the address that the connection came from.
    #[default]
    Direct,
    /// `downstream_remote_address`: the address that the request was forwarded for, as Envoy reads it from X-Forwarded-For or the
    /// PROXY protocol by the number of trusted hops.
    Forwarded,
}

/// The identity of an entry before it is decoded.
#[derive(Clone, Copy, Debug)]
pub struct RawIdentity<'a> {
    /// The common properties of the entry.
    pub common: &'a CommonProperties<'a>,
    caller: CallerAddress,
    /// See [`Identity::cluster`].
    pub cluster: &'a [u8],
    /// See [`Identity::authority`].
    pub authority: &'a [u8],
    /// See [`Identity::peers`].
    pub peers: &'a Peers<'a>,
}

/// The caller by an entry's addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    /// See [`Identity::remote`].
    pub(super) remote: Option<PartyAddress<'a>>,
    /// Whether the connection came from somebody else than the caller; then the certificate is not the caller's.
    pub(super) is_forwarded: bool,
}

impl<'a> RawIdentity<'a> {
    /// The identity of an entry. `authority` is left out if the cluster names the host, so that the many host names at a gateway do
    /// not crowd the cache. For TCP it is the server name of the TLS connection.
    #[inline]
    pub fn new(
        common: &'a CommonProperties<'a>,
        caller: CallerAddress,
        authority: &'a [u8],
        peers: &'a Peers<'a>,
    ) -> Self {
        let cluster = cluster(common);
        RawIdentity {
            common,
            caller,
            cluster,
            authority: if is_named(cluster) { b"" } else { authority },
            peers,
        }
    }

    /// Decodes all parts of the identity.
    pub fn decode(&self) -> Result<Identity<'a>, Malformed> {
        let common = self.common;
        let mut security = tls::security(common.tls_properties()?);
        let Caller { remote, is_forwarded } = self.caller()?;
        if is_forwarded {
            security.peer_principal = b"";
        }
        let local = common.downstream_local_address()?;
        Ok(Identity {
            remote,
            local: endpoint(local),
            listens_on_pipe: is_pipe(local),
            upstream: endpoint(common.upstream_remote_address()?),
            cluster: self.cluster,
            authority: self.authority,
            security,
            peers: self.peers,
        })
    }

    /// Decodes the addresses of the caller.
    #[inline]
    pub(super) fn caller(&self) -> Result<Caller<'a>, Malformed> {
        let common = self.common;
        let direct = endpoint(common.downstream_direct_remote_address()?);
        if let (Some(_), CallerAddress::Direct) = (direct, self.caller) {
            return Ok(Caller {
                remote: direct,
                is_forwarded: false,
            });
        }
        let remote = endpoint(common.downstream_remote_address()?).or(direct);
        let ip = |endpoint: Option<PartyAddress<'a>>| endpoint.map(|endpoint| endpoint.ip);
        Ok(Caller {
            remote,
            is_forwarded: self.caller == CallerAddress::Forwarded && ip(remote) != ip(direct),
        })
    }
}

/// Whether the cluster names the host.
#[inline]
fn is_named(cluster: &[u8]) -> bool {
    match cluster {
        [b'o', ..] => cluster.starts_with(b"outbound|") || cluster.starts_with(b"outbound_."),
        [b'i', ..] => cluster.starts_with(b"inbound-vip|"),
        _ => false,
    }
}

/// The authority of a request, if the rules read it. They don't for a gateway's call without a cluster: it went nowhere, whatever
/// the client wrote.
#[inline]
pub fn relevant_authority<'a>(role: Role, common: &CommonProperties<'a>, authority: &'a [u8]) -> &'a [u8] {
    if role == Role::Gateway && common.upstream_cluster.is_empty() {
        return b"";
    }
    authority
}

/// The server name of a TLS connection (SNI), which takes the place of an authority at sidecars: for traffic to no service of the
/// mesh, and for inbound traffic, where Istio's mutual TLS sends the name of the called cluster.
#[inline]
pub fn server_name<'a>(role: Role, common: &CommonProperties<'a>) -> Result<&'a [u8], Malformed> {
    if role != Role::Sidecar || is_named(common.upstream_cluster) {
        return Ok(b"");
    }
    common.server_name()
}

/// The upstream cluster. A route of Istio that refuses traffic or passes it to no service stands for the cluster of that traffic.
#[inline]
fn cluster<'a>(common: &CommonProperties<'a>) -> &'a [u8] {
    if common.upstream_cluster.is_empty() {
        return of_route(common.route_name);
    }
    common.upstream_cluster
}

#[inline(never)]
fn of_route(route_name: &[u8]) -> &'static [u8] {
    match route_name {
        b"block_all" => b"BlackHoleCluster",
        b"allow_any" => b"PassthroughCluster",
        b"allow_any_dynamic_dns" => b"AllowAnyDynamicDNSCluster",
        _ => b"",
    }
}
