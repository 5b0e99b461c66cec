//! The observations of one entry: which ends of the call they have, and who is asked about each end.

use super::Ended;
use super::addresses::Endpoint;
use super::chain::{Analyzer, Chain};
use super::direction::{Direction, direction};
use super::k8s_mesh::Lookup;
use super::mx_mesh;
use super::role::Role;
use super::rule::Rule;
use super::service::{Asked, DestinationService, Label, UNKNOWN};
use super::tls::{self, Security};
use super::upstream_cluster::UpstreamCluster;
use crate::accounting::Skipped;
use crate::directory::{External, Found, Owner, Pod, Service};
use crate::party::Reporter;
use crate::peer::{Peer, Peers};

/// The parts of an entry that say who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The caller: `downstream_direct_remote_address` where it is usable, else `downstream_remote_address`. Behind a gateway
    /// the latter is the gateway's own client. At a gateway whose trusted hops count it is the latter first.
    pub remote: Option<Endpoint<'a>>,
    /// `downstream_local_address`.
    pub local: Option<Endpoint<'a>>,
    /// Whether `downstream_local_address` is a pipe.
    pub listens_on_pipe: bool,
    /// `upstream_remote_address`.
    pub upstream: Option<Endpoint<'a>>,
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
pub enum End {
    /// Who reached the proxy, or whose sidecar it is when that calls.
    Caller,
    /// Who the proxy stands for when it is called: a sidecar's own pod, a gateway.
    Listener,
    /// Whom the proxy reached.
    Upstream,
}

/// Who stands at one end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    /// A pod of the directory.
    Pod(&'a Pod),
    /// A Service's own (cluster or load-balancer) address.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a External),
    /// A workload that described itself.
    Peer(Box<Peer<&'a [u8]>>),
    /// Nobody certain.
    Unknown,
}

/// Who stands at one end of a call, by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution<'a> {
    /// Who.
    pub party: Party<'a>,
    /// The rule that found the party, or that says why it is unknown.
    pub rule: Rule,
    /// Whether it is known for a gateway or a waypoint.
    pub role: Role,
}

impl Attribution<'_> {
    /// Nobody certain.
    pub fn unknown(rule: Rule) -> Self {
        Attribution {
            party: Party::Unknown,
            rule,
            role: Role::Sidecar,
        }
    }
}

impl<'a> From<Found<'a>> for Attribution<'a> {
    fn from(found: Found<'a>) -> Self {
        let (party, role) = match found.owner {
            Owner::Pod(pod) => (Party::Pod(pod), pod.role),
            Owner::Service(service) => (Party::Service(service), Role::Sidecar),
            Owner::External(external) => (Party::External(external), Role::Sidecar),
            Owner::Unknown(_) => (Party::Unknown, Role::Sidecar),
        };
        Attribution {
            party,
            rule: found.rule,
            role,
        }
    }
}

/// One observation's parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg<'a> {
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
pub fn legs<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    lookup: &mut Lookup<'a>,
) -> Result<(Leg<'a>, Option<Leg<'a>>), Ended> {
    let cluster = UpstreamCluster::parse(identity.cluster);
    let direction = direction(identity, cluster, lookup.stream())?;
    // What was sent to a pod's own address needs no other.
    let reached = identity.local.filter(|_| direction == Direction::Direct);
    let identity = &Identity {
        upstream: identity.upstream.or(reached),
        ..*identity
    };
    let mut party = |end| party(chain, identity, (direction, end), lookup);
    let caller = party(End::Caller)?;
    let (leg, second, other_end) = match direction {
        Direction::Inbound => {
            let parties = (caller, party(End::Listener)?);
            (served(identity, cluster, parties, lookup), None, identity.local)
        }
        Direction::Outbound | Direction::Waypoint => {
            let reporter = if direction == Direction::Waypoint {
                Reporter::Waypoint
            } else {
                Reporter::Source
            };
            let parties = (caller, party(End::Upstream)?);
            let leg = called((reporter, direction), identity, cluster, parties, lookup);
            (leg, None, identity.upstream)
        }
        Direction::Direct => {
            let parties = (caller, party(End::Upstream)?);
            let leg = Leg {
                reporter: Reporter::Waypoint,
                security: Security::UNKNOWN,
                ..served(identity, cluster, parties, lookup)
            };
            (leg, None, identity.upstream)
        }
        Direction::Gateway => {
            let gateway = Attribution {
                role: Role::Gateway,
                ..party(End::Listener)?
            };
            let upstream = party(End::Upstream)?;
            let parties = (caller, gateway.clone());
            // What the client asked for is not the gateway itself.
            let of_gateway = Identity {
                authority: b"",
                ..*identity
            };
            let first = served(&of_gateway, UpstreamCluster::Unset, parties, lookup);
            let parties = (gateway, upstream);
            let reporter = (Reporter::Source, direction);
            let second = called(reporter, identity, cluster, parties, lookup);
            (first, Some(second), identity.local.or(identity.upstream))
        }
    };
    // Without an address for any end, only what is known otherwise tells of a call.
    let has_address = identity.remote.is_some() || other_end.is_some();
    if has_address || is_known(&leg) || second.as_ref().is_some_and(is_known) {
        Ok((leg, second))
    } else {
        Err(Skipped::NoAddress.into())
    }
}

/// Whether an end or the called service is known.
fn is_known(leg: &Leg<'_>) -> bool {
    let mut ends = [&leg.source, &leg.destination].into_iter();
    ends.any(|end| end.rule.unattributed().is_none()) || *leg.service.host != *UNKNOWN
}

/// The answer of the chain that says the most, of several the first.
fn party<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    (direction, end): (Direction, End),
    lookup: &mut Lookup<'a>,
) -> Result<Attribution<'a>, Ended> {
    let mut best = Err(Skipped::NoAnalyzer.into());
    for (place, analyzer) in chain.iter().enumerate() {
        let answer = match analyzer {
            Analyzer::K8sMesh => lookup.party(identity, direction, end),
            Analyzer::MxMesh => Ok(mx_mesh::party(identity, lookup.stream(), direction, end)),
        };
        if place == 0 || says(&answer) > says(&best) {
            best = answer;
        }
    }
    best
}

/// How much an analyzer's answer says about an end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// It needs what the entry lacks.
    Nothing,
    /// The end is there and unknown.
    Unknown,
    /// A Service's address or an outside host: one of its workloads.
    Service,
    /// The workload.
    Workload,
}

fn says(answer: &Result<Attribution<'_>, Ended>) -> Says {
    match answer.as_ref().map(|attribution| &attribution.party) {
        Ok(Party::Pod(_) | Party::Peer(_)) => Says::Workload,
        Ok(Party::Service(_) | Party::External(_)) => Says::Service,
        Ok(Party::Unknown) => Says::Unknown,
        Err(_) => Says::Nothing,
    }
}

/// The downstream side: the caller reached the listener.
fn served<'a>(
    identity: &Identity<'a>,
    cluster: UpstreamCluster<'a>,
    (source, destination): (Attribution<'a>, Attribution<'a>),
    lookup: &mut Lookup<'a>,
) -> Leg<'a> {
    let port = match cluster {
        UpstreamCluster::Inbound { port } => port,
        _ => identity.local.map_or(0, |local| local.port),
    };
    let asked = Asked {
        authority: identity.authority,
        namespace: namespace(&source, identity.security.peer_principal),
        address: None,
    };
    let mut service = DestinationService::served(&destination.party, port, asked, lookup);
    if let UpstreamCluster::InboundPassthrough { name } = cluster {
        service.name = Label::told(name);
    }
    Leg {
        reporter: Reporter::Destination,
        source,
        destination,
        service,
        is_passed_on: false,
        security: identity.security,
    }
}

/// The upstream side: the source reached the upstream. The downstream connection's TLS says nothing about it.
fn called<'a>(
    (reporter, direction): (Reporter, Direction),
    identity: &Identity<'a>,
    cluster: UpstreamCluster<'a>,
    (source, destination): (Attribution<'a>, Attribution<'a>),
    lookup: &mut Lookup<'a>,
) -> Leg<'a> {
    let proxy = Some(&*lookup.stream().namespace).filter(|namespace| !namespace.is_empty());
    let namespace = match direction {
        // The proxy is the caller's.
        Direction::Outbound | Direction::Gateway => proxy.or_else(|| namespace(&source, b"")),
        Direction::Inbound | Direction::Waypoint | Direction::Direct => {
            namespace(&source, identity.security.peer_principal)
        }
    };
    let address = identity.local.filter(|_| direction == Direction::Outbound);
    let asked = Asked {
        authority: identity.authority,
        namespace,
        address: address.filter(|_| identity.authority.is_empty()),
    };
    Leg {
        reporter,
        source,
        destination,
        service: DestinationService::called(cluster, (direction, asked), lookup),
        is_passed_on: matches!(cluster, UpstreamCluster::Outside { .. }),
        security: Security::UNKNOWN,
    }
}

/// The namespace of a caller, by itself or else by its certificate.
fn namespace<'a>(source: &Attribution<'a>, principal: &'a [u8]) -> Option<&'a str> {
    let namespace = match &source.party {
        Party::Pod(pod) => &pod.namespace,
        Party::Service(service) => &service.namespace,
        Party::External(external) => &external.namespace,
        Party::Peer(peer) => std::str::from_utf8(peer.namespace).ok()?,
        Party::Unknown => std::str::from_utf8(tls::namespace(principal)?).ok()?,
    };
    (!namespace.is_empty()).then_some(namespace)
}
