//! The analyzer `k8s-mesh`: addresses to parties through the directory, by the role of the reporting proxy.
//!
//! The rules are SkyWalking's (`K8sALSServiceMeshHTTPAnalysis`), with these differences: ports count where pods share an
//! address, the entry's own start time decides who held an address, and a call without an upstream is observed with an unknown
//! destination instead of being dropped.

use std::net::IpAddr;

use super::Ended;
use super::addresses::{Endpoint, ip};
use super::legs::{End, Identity, Party};
use super::upstream_cluster::UpstreamCluster;
use crate::accounting::{Skipped, Unattributed};
use crate::directory::tenure::Validity;
use crate::directory::{Directory, Owner};
use crate::moment::Moment;
use crate::stream::Stream;

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

    /// The directory.
    pub fn directory(&self) -> &'a Directory {
        self.directory
    }

    /// The reporting proxy.
    pub fn stream(&self) -> &'a Stream {
        self.stream
    }

    /// Who stands at one end of a call. An entry without the address of its caller or of the proxied side ends; one without an
    /// upstream address is a call that reached nobody.
    pub fn party<'b>(&mut self, identity: &Identity<'_>, end: End) -> Result<Party<'b>, Ended> {
        let owner = match end {
            End::Caller => self.caller(identity.remote.ok_or(Skipped::NoAddress)?)?,
            End::Listener => self.listener(identity.local.ok_or(Skipped::NoAddress)?)?,
            End::Upstream => match identity.upstream {
                Some(upstream) => self.upstream(upstream, identity.cluster)?,
                None => Owner::Unknown(Unattributed::NoAddress),
            },
        };
        Ok(owner.into())
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

    /// Whom the proxy reached. What has no address in the directory is the outside host that the cluster names: a `ServiceEntry`
    /// that asks DNS has its addresses from there.
    fn upstream(&mut self, endpoint: Endpoint<'_>, cluster: &[u8]) -> Result<Owner, Ended> {
        let owner = self.listener(endpoint)?;
        let is_outside = matches!(
            owner,
            Owner::External(_) | Owner::Unknown(Unattributed::NotFound | Unattributed::NodeAddress)
        );
        if !is_outside {
            return Ok(owner);
        }
        match UpstreamCluster::parse(cluster) {
            UpstreamCluster::Outbound { host, .. } | UpstreamCluster::InboundVip { host, .. } => {
                let named = self.directory.external(host);
                Ok(named.map_or(owner, |named| Owner::External(named.clone())))
            }
            _ => Ok(owner),
        }
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
