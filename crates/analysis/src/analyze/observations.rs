//! Makes the observations of an entry: which ends of the call they have, and who is found at each end.

use super::NotObserved;
use super::attribution::{Attribution, Party};
use super::direction::{Direction, direction};
use super::identity::{CallEnd, Identity};
use super::k8s_mesh::Lookup;
use super::mx_mesh;
use super::service::{DestinationService, RequestedHost, ServiceLabel, UNKNOWN};
use super::tls::{self, Security};
use super::upstream_cluster::UpstreamCluster;
use crate::accounting::Skipped;
use crate::chain::{Analyzer, Chain};
use crate::reporter::Reporter;
use crate::role::Role;

/// An observation: what one reporter says about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The proxy that reports it.
    pub reporter: Reporter,
    /// The party that called.
    pub source: Attribution<'a>,
    /// The party that was called.
    pub destination: Attribution<'a>,
    /// The service that was called.
    pub service: DestinationService<'a>,
    /// Whether the proxy passed the call on without knowing a service for it.
    pub is_passed_on: bool,
    /// The TLS of the connection between caller and called party.
    pub security: Security<'a>,
}

/// The observations of an entry: one of a sidecar or waypoint, two of a gateway. The chain is asked about each end separately, so
/// no end stays unknown that one of its analyzers knows, whatever their order.
pub fn observations<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    lookup: &mut Lookup<'a>,
) -> Result<(Observation<'a>, Option<Observation<'a>>), NotObserved> {
    let cluster = UpstreamCluster::parse(identity.cluster);
    let direction = direction(identity, cluster, lookup.node())?;
    // A call to a pod's own address needs no upstream address.
    let reached = identity.local.filter(|_| direction == Direction::Direct);
    let identity = &Identity {
        upstream: identity.upstream.or(reached),
        ..*identity
    };
    let mut party = |end| party(chain, identity, direction, end, lookup);
    let source = party(CallEnd::Caller)?;
    let destination = party(match direction {
        Direction::Inbound | Direction::Gateway => CallEnd::Listener,
        Direction::Outbound | Direction::Waypoint | Direction::Direct => CallEnd::Upstream,
    })?;
    let (observation, second, other_end) = match direction {
        Direction::Inbound => {
            let parties = Parties { source, destination };
            let observation = server_side(identity, cluster, parties, lookup);
            (observation, None, identity.local)
        }
        Direction::Outbound | Direction::Waypoint => {
            let parties = Parties { source, destination };
            let observation = client_side(direction, identity, cluster, parties, lookup);
            (observation, None, identity.upstream)
        }
        Direction::Direct => {
            let parties = Parties { source, destination };
            let observation = Observation {
                reporter: Reporter::Waypoint,
                security: Security::UNKNOWN,
                ..server_side(identity, cluster, parties, lookup)
            };
            (observation, None, identity.upstream)
        }
        Direction::Gateway => {
            let upstream = party(CallEnd::Upstream)?;
            let gateway = Attribution {
                role: Role::Gateway,
                ..destination
            };
            // The authority is what the client asked the gateway for, and not the gateway itself.
            let of_gateway = Identity {
                authority: b"",
                ..*identity
            };
            let destination = gateway.clone();
            let parties = Parties { source, destination };
            let first = server_side(&of_gateway, UpstreamCluster::Unset, parties, lookup);
            let (source, destination) = (gateway, upstream);
            let parties = Parties { source, destination };
            let second = client_side(direction, identity, cluster, parties, lookup);
            (first, Some(second), identity.local.or(identity.upstream))
        }
    };
    // Without any address, it is a call only if something else names an end or the service.
    let has_address = identity.remote.is_some() || other_end.is_some();
    if has_address || is_known(&observation) || second.as_ref().is_some_and(is_known) {
        Ok((observation, second))
    } else {
        Err(Skipped::NoAddress.into())
    }
}

/// Whether an end or the called service is known.
fn is_known(observation: &Observation<'_>) -> bool {
    let mut ends = [&observation.source, &observation.destination].into_iter();
    ends.any(|end| end.rule.unattributed().is_none()) || *observation.service.host != *UNKNOWN
}

/// The most certain answer of the chain; of equal ones the first.
fn party<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    direction: Direction,
    end: CallEnd,
    lookup: &mut Lookup<'a>,
) -> Result<Attribution<'a>, NotObserved> {
    let mut best = Err(Skipped::NoAnalyzer.into());
    for (place, analyzer) in chain.iter().enumerate() {
        let answer = match analyzer {
            Analyzer::K8sMesh => lookup.party(identity, direction, end),
            Analyzer::MxMesh => Ok(mx_mesh::party(identity, lookup.node(), direction, end)),
        };
        if place == 0 || certainty(&answer) > certainty(&best) {
            best = answer;
        }
    }
    best
}

/// How certain an analyzer's answer about an end of a call is, from low to high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// The entry lacks what the analyzer needs.
    Nothing,
    /// The end exists, but it is unknown.
    Unknown,
    /// A Service or an outside host is known, but not the workload.
    Service,
    /// The workload is known.
    Workload,
}

fn certainty(answer: &Result<Attribution<'_>, NotObserved>) -> Certainty {
    match answer.as_ref().map(|attribution| &attribution.party) {
        Ok(Party::Pod(_) | Party::Peer(_)) => Certainty::Workload,
        Ok(Party::Service(_) | Party::External(_)) => Certainty::Service,
        Ok(Party::Unknown) => Certainty::Unknown,
        Err(_) => Certainty::Nothing,
    }
}

/// The parties at both ends of a call.
struct Parties<'a> {
    source: Attribution<'a>,
    destination: Attribution<'a>,
}

/// The observation of the server side: the source reached the proxy's listener.
fn server_side<'a>(
    identity: &Identity<'a>,
    cluster: UpstreamCluster<'a>,
    parties: Parties<'a>,
    lookup: &mut Lookup<'a>,
) -> Observation<'a> {
    let Parties { source, destination } = parties;
    let port = match cluster {
        UpstreamCluster::Inbound { port } => port,
        _ => identity.local.map_or(0, |local| local.port),
    };
    let requested = RequestedHost {
        authority: identity.authority,
        namespace: namespace(&source, identity.security.peer_principal),
        address: None,
    };
    let mut service = DestinationService::of_server_side(&destination.party, port, requested, lookup);
    if let UpstreamCluster::InboundPassthrough { name } = cluster {
        service.name = ServiceLabel::borrowed(name);
    }
    Observation {
        reporter: Reporter::Destination,
        source,
        destination,
        service,
        is_passed_on: false,
        security: identity.security,
    }
}

/// The observation of the client side: the source reached the upstream. The entry's TLS is that of the downstream connection and
/// says nothing about it.
fn client_side<'a>(
    direction: Direction,
    identity: &Identity<'a>,
    cluster: UpstreamCluster<'a>,
    parties: Parties<'a>,
    lookup: &mut Lookup<'a>,
) -> Observation<'a> {
    let Parties { source, destination } = parties;
    let proxy = Some(&*lookup.node().namespace).filter(|namespace| !namespace.is_empty());
    let namespace = match direction {
        // The proxy belongs to the caller, so its namespace is the caller's.
        Direction::Outbound | Direction::Gateway => proxy.or_else(|| namespace(&source, b"")),
        Direction::Inbound | Direction::Waypoint | Direction::Direct => {
            namespace(&source, identity.security.peer_principal)
        }
    };
    let address = identity.local.filter(|_| direction == Direction::Outbound);
    let requested = RequestedHost {
        authority: identity.authority,
        namespace,
        address: address.filter(|_| identity.authority.is_empty()),
    };
    Observation {
        reporter: if direction == Direction::Waypoint {
            Reporter::Waypoint
        } else {
            Reporter::Source
        },
        source,
        destination,
        service: DestinationService::of_client_side(cluster, direction, requested, lookup),
        is_passed_on: matches!(cluster, UpstreamCluster::Outside { .. }),
        security: Security::UNKNOWN,
    }
}

/// The namespace of a caller, by its party or else by its certificate.
fn namespace<'a>(caller: &Attribution<'a>, principal: &'a [u8]) -> Option<&'a str> {
    let namespace = match &caller.party {
        Party::Pod(pod) => &pod.namespace,
        Party::Service(service) => &service.namespace,
        Party::External(external) => &external.namespace,
        Party::Peer(peer) => std::str::from_utf8(peer.namespace).ok()?,
        Party::Unknown => std::str::from_utf8(tls::namespace(principal)?).ok()?,
    };
    (!namespace.is_empty()).then_some(namespace)
}
