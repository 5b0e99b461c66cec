//! The observations of one entry: which ends of the call they have, and who is asked about each end.

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

/// One observation's parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// Who reports it.
    pub reporter: Reporter,
    /// The caller.
    pub source: Attribution<'a>,
    /// The called party.
    pub destination: Attribution<'a>,
    /// The called service.
    pub service: DestinationService<'a>,
    /// Whether the proxy passed the call on to no service that it knows.
    pub is_passed_on: bool,
    /// The TLS between the two.
    pub security: Security<'a>,
}

/// The observations of one entry: one of a sidecar or waypoint, two of a gateway. The chain is asked about each end by itself, so
/// whatever its order, no end stays unknown that one of its analyzers knows.
pub fn observations<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    lookup: &mut Lookup<'a>,
) -> Result<(Observation<'a>, Option<Observation<'a>>), NotObserved> {
    let cluster = UpstreamCluster::parse(identity.cluster);
    let direction = direction(identity, cluster, lookup.node())?;
    // What was sent to a pod's own address needs no other.
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
            // What the client asked for is not the gateway itself.
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
    // Without an address for any end, only what is known otherwise tells of a call.
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

/// The answer of the chain that says the most, of several the first.
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

/// How much an analyzer's answer says about an end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// It needs what the entry lacks.
    Nothing,
    /// The end is there and unknown.
    Unknown,
    /// A Service's address or an outside host: one of its workloads.
    Service,
    /// The workload.
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

/// Who called, and who was called.
struct Parties<'a> {
    source: Attribution<'a>,
    destination: Attribution<'a>,
}

/// The downstream side: the caller reached the listener.
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

/// The upstream side: the source reached the upstream. The downstream connection's TLS says nothing about it.
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
        // The proxy is the caller's.
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

/// The namespace of a caller, by itself or else by its certificate.
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
