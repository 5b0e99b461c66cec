//! The analyzer `k8s-mesh`: addresses to parties through the directory, by the role of the reporting proxy.
//!
//! The rules are SkyWalking's (`K8sALSServiceMeshHTTPAnalysis`), with these differences: ports count where pods share an
//! address, the entry's own start time decides who held an address, and a call without an upstream is observed with an unknown
//! destination instead of being dropped.

use std::net::IpAddr;

use super::Ended;
use super::addresses::Endpoint;
use super::role::Role;
use super::service::DestinationService;
use super::tls::Security;
use super::upstream_cluster::UpstreamCluster;
use crate::accounting::{Rejected, Skipped, Unattributed};
use crate::directory::tenure::Validity;
use crate::directory::{Directory, Owner};
use crate::moment::Moment;
use crate::party::Reporter;
use crate::stream::Stream;

/// The parts of an entry that say who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The caller: `downstream_direct_remote_address` where it is usable, else `downstream_remote_address`. Behind a gateway
    /// the latter is the gateway's own client.
    pub remote: Option<Endpoint<'a>>,
    /// `downstream_local_address`.
    pub local: Option<Endpoint<'a>>,
    /// `upstream_remote_address`.
    pub upstream: Option<Endpoint<'a>>,
    /// `upstream_cluster`.
    pub cluster: &'a [u8],
    /// The request's authority; empty where the cluster names the host, and for TCP.
    pub authority: &'a [u8],
    /// The downstream connection's TLS.
    pub security: Security<'a>,
}

/// One observation's parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg<'a> {
    /// Who reports it.
    pub reporter: Reporter,
    /// The caller.
    pub source: Owner,
    /// The called party.
    pub destination: Owner,
    /// The called service.
    pub service: DestinationService<'a>,
    /// The TLS between the two.
    pub security: Security<'a>,
}

/// The directory with what the rules need beside it, for the length of one entry.
#[derive(Debug)]
pub struct Lookup<'a> {
    directory: &'a Directory,
    stream: &'a Stream,
    start: Moment,
    validity: Validity,
}

impl<'a> Lookup<'a> {
    /// A lookup for a call that started at `start`.
    pub fn new(directory: &'a Directory, stream: &'a Stream, start: Moment) -> Self {
        Lookup {
            directory,
            stream,
            start,
            validity: Validity::ALWAYS,
        }
    }

    /// The start times for which all answers so far hold.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Who has a listening side's address.
    fn listener(&mut self, endpoint: Endpoint<'_>) -> Result<Owner, Ended> {
        self.owner(endpoint.ip, Some(endpoint.port))
    }

    /// Who has a caller's address: its port is ephemeral and says nothing. A loopback address that the directory does not know
    /// is the proxy's own pod.
    fn caller(&mut self, endpoint: Endpoint<'_>) -> Result<Owner, Ended> {
        let owner = self.owner(endpoint.ip, None)?;
        match (&owner, self.stream.own_address) {
            (Owner::Unknown(Unattributed::NotFound), Some(own)) if ip(endpoint.ip)?.is_loopback() => {
                Ok(self.owner_of(own, None))
            }
            _ => Ok(owner),
        }
    }

    /// The upstream's owner; without an address there was no upstream.
    fn upstream(&mut self, endpoint: Option<Endpoint<'_>>) -> Result<Owner, Ended> {
        endpoint.map_or(Ok(Owner::Unknown(Unattributed::NoAddress)), |endpoint| {
            self.listener(endpoint)
        })
    }

    fn owner(&mut self, text: &[u8], port: Option<u16>) -> Result<Owner, Ended> {
        Ok(self.owner_of(ip(text)?, port))
    }

    fn owner_of(&mut self, address: IpAddr, port: Option<u16>) -> Owner {
        let found = self.directory.owner(address, port, self.start);
        self.validity = self.validity.and(found.validity);
        found.owner
    }
}

fn ip(text: &[u8]) -> Result<IpAddr, Ended> {
    let text = std::str::from_utf8(text).ok();
    let address: Option<IpAddr> = text.and_then(|text| text.parse().ok());
    address
        .map(|address| address.to_canonical())
        .ok_or(Ended::Rejected(Rejected::BadAddress))
}

/// The observations of one entry: one of a side-car or waypoint, two of a gateway.
pub fn legs<'a>(
    identity: &Identity<'a>,
    lookup: &mut Lookup<'a>,
) -> Result<(Leg<'a>, Option<Leg<'a>>), Ended> {
    let cluster = UpstreamCluster::parse(identity.cluster);
    let remote = identity.remote.ok_or(Skipped::NoAddress)?;
    match lookup.stream.role {
        Role::Sidecar if is_inbound(identity, cluster, lookup.stream)? => {
            served(identity, cluster, remote, lookup).map(|leg| (leg, None))
        }
        Role::Sidecar => {
            let source = lookup.caller(remote)?;
            Ok((
                called(Reporter::Source, identity, (cluster, source), lookup)?,
                None,
            ))
        }
        Role::Gateway => {
            let downstream = served(identity, UpstreamCluster::Unset, remote, lookup)?;
            let upstream = called(
                Reporter::Source,
                identity,
                (cluster, downstream.destination.clone()),
                lookup,
            )?;
            Ok((downstream, Some(upstream)))
        }
        Role::Waypoint => {
            let source = lookup.caller(remote)?;
            Ok((
                called(Reporter::Waypoint, identity, (cluster, source), lookup)?,
                None,
            ))
        }
    }
}

/// Whether a side-car's entry is the server side. Without a cluster the local address decides: inbound it is the pod's own,
/// outbound it is where the application wanted to go.
fn is_inbound(identity: &Identity<'_>, cluster: UpstreamCluster<'_>, stream: &Stream) -> Result<bool, Ended> {
    match cluster {
        UpstreamCluster::Inbound { .. } | UpstreamCluster::InboundPassthrough => Ok(true),
        UpstreamCluster::Outbound { .. } | UpstreamCluster::Outside { .. } => Ok(false),
        UpstreamCluster::Unset => {
            let local = identity.local.ok_or(Skipped::NoAddress)?;
            Ok(stream.own_address == Some(ip(local.ip)?))
        }
        UpstreamCluster::InboundVip { .. } | UpstreamCluster::Other => Err(Skipped::NotACall.into()),
    }
}

/// The downstream side: the caller reached the owner of the local address.
fn served<'a>(
    identity: &Identity<'a>,
    cluster: UpstreamCluster<'a>,
    remote: Endpoint<'a>,
    lookup: &mut Lookup<'a>,
) -> Result<Leg<'a>, Ended> {
    let local = identity.local.ok_or(Skipped::NoAddress)?;
    let source = lookup.caller(remote)?;
    let destination = lookup.listener(local)?;
    let (port, authority) = match cluster {
        UpstreamCluster::Inbound { port } => (port, identity.authority),
        UpstreamCluster::InboundPassthrough => (local.port, identity.authority),
        _ => (local.port, &b""[..]),
    };
    let context = (lookup.directory, &*lookup.stream.domain);
    let service = DestinationService::served(&destination, port, authority, context).into_owned();
    Ok(Leg {
        reporter: Reporter::Destination,
        source,
        destination,
        service,
        security: identity.security,
    })
}

/// The upstream side: `source` reached the upstream's owner. The downstream connection's TLS says nothing about it.
fn called<'a>(
    reporter: Reporter,
    identity: &Identity<'a>,
    (cluster, source): (UpstreamCluster<'a>, Owner),
    lookup: &mut Lookup<'a>,
) -> Result<Leg<'a>, Ended> {
    let destination = lookup.upstream(identity.upstream)?;
    let service = DestinationService::called(cluster, identity.authority, lookup.directory);
    Ok(Leg {
        reporter,
        source,
        destination,
        service,
        security: Security::UNKNOWN,
    })
}
