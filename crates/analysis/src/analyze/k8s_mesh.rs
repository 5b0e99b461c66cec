//! The analyzer `k8s-mesh`, which looks addresses up in the directory, by the role of the reporting proxy.
//!
//! The rules are SkyWalking's (`K8sALSServiceMeshHTTPAnalysis`), with these differences. Ports count where pods share an address.
//! The start time of the entry decides who had an address. A call without an upstream is observed with an unknown destination and
//! not dropped. An end without an address is unknown.
//!
//! The reporting proxy's own end is the caller at an outbound sidecar, and the called side at an inbound sidecar and at a gateway.
//! It is
//!
//! 1. the pod that has the address in the entry as its own: what certainly belongs to one pod is nobody else's, whatever a proxy
//!    says;
//! 2. the pod that the node id names, as of the start of the call, whatever address is in the entry;
//! 3. the owner of the address otherwise, by its port or a `WorkloadEntry`;
//! 4. the pod that has another address of the proxy (in its node id or its `INSTANCE_IPS`).
//!
//! A stranger may put any pod into its node id, as it may put any address into its entries; nothing proves either. But it can only
//! claim its own calls for that pod. It can't take calls from a pod that owns their address.

use std::net::IpAddr;
use std::time::Duration;

use super::NotObserved;
use super::attribution::Attribution;
use super::direction::Direction;
use super::identity::{CallEnd, Identity};
use super::party_address::{PartyAddress, ip};
use super::upstream_cluster::UpstreamCluster;
use crate::directory::changes::Dependencies;
use crate::directory::name_history::NameHistory;
use crate::directory::query::DirectoryQuery;
use crate::directory::scope::Scope;
use crate::directory::validity::Validity;
use crate::directory::{Directory, FoundOwner, Owner};
use crate::interner::Text;
use crate::moment::Moment;
use crate::node::Node;
use crate::rule::Rule;

/// A lookup in the directory on behalf of one entry.
#[derive(Debug)]
pub struct Lookup<'a> {
    query: DirectoryQuery<'a>,
    node: &'a Node,
    start: Moment,
    validity: Validity,
}

impl<'a> Lookup<'a> {
    /// A lookup for a call that started at `start`.
    pub fn new(directory: &'a Directory, node: &'a Node, start: Moment) -> Self {
        Lookup {
            query: directory
                .query()
                .in_network(&node.network)
                .of_proxy(&node.namespace, node.role),
            node,
            start,
            validity: Validity::ALWAYS,
        }
    }

    /// The start times for which all answers so far hold.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// What the answers so far depend on, and the version that gave them.
    pub fn dependencies(&self) -> (Dependencies, u64) {
        (self.query.dependencies(), self.query.version())
    }

    /// The name that a party had when the call started.
    pub fn name<'b>(&mut self, names: &'b NameHistory) -> &'b Text {
        let (name, validity) = names.at(self.start);
        self.validity = self.validity.and(validity);
        name
    }

    /// The query to the directory that this lookup makes.
    pub fn query(&mut self) -> &mut DirectoryQuery<'a> {
        &mut self.query
    }

    /// The node of the reporting proxy.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// What the reporting proxy sees of hosts outside the mesh, for a call to this port.
    pub fn scope(&self, port: u16) -> Scope<'a> {
        Scope {
            namespace: &self.node.namespace,
            role: self.node.role,
            port,
        }
    }

    /// Limits the validity: the answer holds only for calls that start at most `time` after this one.
    pub fn limit_validity(&mut self, time: Duration) {
        self.validity.until = self.validity.until.min(self.start.plus(time));
    }

    /// The party at an end of a call. An end without an address is unknown, except the proxy's own. A call without an upstream
    /// address reached nobody.
    pub fn party(
        &mut self,
        identity: &Identity<'_>,
        direction: Direction,
        end: CallEnd,
    ) -> Result<Attribution<'a>, NotObserved> {
        let found = match (direction, end, identity.remote, identity.upstream) {
            (Direction::Outbound, CallEnd::Caller, remote, _) => self.own(remote, None)?,
            (_, CallEnd::Listener, ..) => self.own(identity.local, identity.local.map(|local| local.port))?,
            (_, CallEnd::Caller, Some(remote), _) => self.caller(remote)?,
            (_, CallEnd::Caller, None, _) => return Ok(Attribution::unknown(Rule::NoAddress)),
            (_, CallEnd::Upstream, _, Some(upstream)) => self.upstream(upstream, identity.cluster)?,
            (_, CallEnd::Upstream, _, None) => return Ok(Attribution::unknown(Rule::NoUpstream)),
        };
        Ok(found.into())
    }

    /// The reporting proxy's own end, for which the entry shows this address.
    fn own(
        &mut self,
        shown: Option<PartyAddress<'_>>,
        port: Option<u16>,
    ) -> Result<FoundOwner<'a>, NotObserved> {
        let shown = match shown {
            Some(endpoint) => self.owner(endpoint, port)?,
            None => FoundOwner::without_address(),
        };
        let is_pod = matches!(shown.owner, Owner::Pod(_));
        if is_pod && !matches!(shown.rule, Rule::HostNetwork | Rule::WorkloadEntry) {
            return Ok(shown);
        }
        let named = self.named();
        if matches!(named.owner, Owner::Pod(_)) {
            return Ok(named);
        }
        if is_pod {
            return Ok(shown);
        }
        for address in &self.node.own_addresses {
            let found = self.owner_of(*address, None);
            if matches!(found.owner, Owner::Pod(_)) {
                return Ok(found.with_rule(Rule::OwnAddress));
            }
        }
        Ok(shown)
    }

    /// The pod in which the reporting proxy claims to run.
    fn named(&mut self) -> FoundOwner<'a> {
        let own = self.node.own_pod.as_deref().and_then(|own| own.split_once('/'));
        let Some((namespace, name)) = own else {
            return FoundOwner::without_address();
        };
        let found = self.query.pod_named(namespace, name, self.start);
        self.validity = self.validity.and(found.validity);
        found
    }

    /// The owner of a listening side's address.
    fn listener(&mut self, endpoint: PartyAddress<'_>) -> Result<FoundOwner<'a>, NotObserved> {
        self.owner(endpoint, Some(endpoint.port))
    }

    /// The owner of a caller's address; its port is ephemeral and says nothing. A loopback address that the directory does not know
    /// belongs to the proxy's own pod. If that pod is in its node's network, any process of the node may have it.
    fn caller(&mut self, endpoint: PartyAddress<'_>) -> Result<FoundOwner<'a>, NotObserved> {
        let found = self.owner(endpoint, None)?;
        if found.rule != Rule::NotFound || !ip(endpoint.ip)?.is_loopback() {
            return Ok(found);
        }
        let own = self.own(None, None)?;
        Ok(match own.owner {
            Owner::Pod(pod) if pod.is_host_network => FoundOwner::node_address(own.validity),
            Owner::Pod(_) => own.with_rule(Rule::LoopbackCaller),
            Owner::Service(_) | Owner::External(_) | Owner::Unknown(_) => found,
        })
    }

    /// The party that the proxy reached. If the directory does not know the address, it is the outside host that the cluster names:
    /// a `ServiceEntry` that asks DNS has its addresses from there.
    fn upstream(
        &mut self,
        endpoint: PartyAddress<'_>,
        cluster: &[u8],
    ) -> Result<FoundOwner<'a>, NotObserved> {
        let found = self.listener(endpoint)?;
        let is_outside = matches!(found.owner, Owner::External(_))
            || matches!(found.rule, Rule::NotFound | Rule::NodeAddress);
        if !is_outside {
            return Ok(found);
        }
        match UpstreamCluster::parse(cluster) {
            UpstreamCluster::Outbound { port, host } | UpstreamCluster::InboundVip { port, host } => {
                let scope = self.scope(port);
                Ok(match self.query.external_host(host, &scope) {
                    Some(named) => FoundOwner {
                        owner: Owner::External(named),
                        rule: Rule::ServiceEntryHost,
                        ..found
                    },
                    None => found,
                })
            }
            _ => Ok(found),
        }
    }

    fn owner(
        &mut self,
        endpoint: PartyAddress<'_>,
        port: Option<u16>,
    ) -> Result<FoundOwner<'a>, NotObserved> {
        let found = self.owner_of(ip(endpoint.ip)?, port);
        Ok(match found.rule {
            Rule::PodAddress | Rule::WorkloadEntry if endpoint.is_endpoint_id => {
                found.with_rule(Rule::EndpointId)
            }
            _ => found,
        })
    }

    /// The owner of an address. `port` is the port of a listening side.
    pub(super) fn owner_of(&mut self, address: IpAddr, port: Option<u16>) -> FoundOwner<'a> {
        let found = self.query.owner(address, port, self.start);
        self.validity = self.validity.and(found.validity);
        found
    }
}
