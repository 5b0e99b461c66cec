//! Turns the identity of an entry into counted calls, and caches the result by the bytes of the identity.

mod identified;
pub mod identity_cache;
pub mod identity_key;
mod raw_identity;
mod read_node;
mod service_name;

use std::time::Duration;

use als_proto::CommonProperties;

use crate::aggregate::call::EndKinds;
use crate::aggregate::call::{Call, PartyLabels};
use crate::aggregate::evidence::Finding;
use crate::aggregate::registry::Registry;
use crate::analyze::attribution::Party;
use crate::analyze::identity::Identity;
use crate::analyze::k8s_mesh::Lookup;
use crate::analyze::observations::{Observation, observations};
use crate::analyze::service::ServiceLabel;
use crate::analyze::tls;
use crate::chain::{Analyzer, Chain};
use crate::directory::Pod;
use crate::interner::{Interner, Symbol, Text};
use crate::node::Node;
use crate::peer::{Peer, Peers};
use crate::reporter::Reporter;
pub use identified::{Identified, IdentifiedObservation};
use identity_cache::IdentityAnswer;
pub use raw_identity::{CallerAddress, RawIdentity, relevant_authority, server_name};
use service_name::service_name;

/// The peers in an entry's filter state; none if no analyzer of the chain reads them.
#[inline]
pub fn peers<'a>(chain: Chain, common: &CommonProperties<'a>) -> Peers<'a> {
    if chain.has(Analyzer::MxMesh) {
        Peers::read(common.filter_state_objects())
    } else {
        Peers::default()
    }
}

/// Looks an identity up and registers its calls.
pub fn look_up<'a>(
    chain: Chain,
    identity: &Identity<'a>,
    lookup: &mut Lookup<'a>,
    registry: &Registry,
) -> IdentityAnswer {
    let identified = match &observations(chain, identity, lookup) {
        Ok(observations) => register(observations, lookup, registry),
        Err(ended) => Identified::NotObserved(*ended),
    };
    IdentityAnswer {
        dependencies: lookup.dependencies(),
        validity: lookup.validity(),
        identified,
    }
}

/// How long a call to an outside host stays counted as `other`. Then a place for the host is tried again.
const OUTSIDE_HOST_RETRY_INTERVAL: Duration = Duration::from_mins(1);

/// Registers the calls of an entry's observations. `lookup` has found them.
fn register(
    observations: &(Observation<'_>, Option<Observation<'_>>),
    lookup: &mut Lookup<'_>,
    registry: &Registry,
) -> Identified {
    let node = lookup.node();
    let mut has_place = true;
    let mut register = |observation: &Observation<'_>| {
        let (source_rule, destination_rule) = (observation.source.rule, observation.destination.rule);
        let found = [&observation.source, &observation.destination].map(|attribution| Finding {
            rule: attribution.rule,
            role: attribution.role,
        });
        let make = |interner: &mut Interner| call(observation, node, interner);
        let (call, evidence) = match &observation.service.host {
            ServiceLabel::Outside(host) => {
                let (call, evidence, place) = registry.call_outside(found, host, make);
                has_place = place;
                (call, evidence)
            }
            ServiceLabel::Known(_) | ServiceLabel::Borrowed(_) => registry.call(found, make),
        };
        IdentifiedObservation {
            reporter: observation.reporter,
            call,
            protocol: observation.service.protocol,
            source_rule,
            destination_rule,
            evidence,
            source_name: service_name(&observation.source.party, lookup, registry),
            destination_name: service_name(&observation.destination.party, lookup, registry),
        }
    };
    let (first, second) = (register(&observations.0), observations.1.as_ref().map(register));
    if has_place {
        return Identified::Observations(first, second);
    }
    lookup.limit_validity(OUTSIDE_HOST_RETRY_INTERVAL);
    Identified::Overflowed(first)
}

fn call(observation: &Observation<'_>, node: &Node, interner: &mut Interner) -> Call {
    let security = observation.security;
    let cluster = node.cluster;
    // If the call was passed on without a service, the owner of the address is evidence but no label: Istio labels only workloads
    // that answered there.
    let called = match &observation.destination.party {
        Party::Service(_) if observation.is_passed_on => &Party::Unknown,
        called => called,
    };
    let called_revision = match observation.reporter {
        Reporter::Source | Reporter::Destination => Symbol::LATEST,
        Reporter::Waypoint => Symbol::UNKNOWN,
    };
    let calling = &observation.source.party;
    let mut source = party(
        calling,
        security.peer_principal,
        Symbol::LATEST,
        cluster,
        interner,
    );
    if let Party::Service(service) = calling {
        // A caller has no other label with the name of its Service.
        source.canonical_service = interner.intern_text(&service.name);
    }
    let destination = party(
        called,
        security.local_principal,
        called_revision,
        cluster,
        interner,
    );
    Call {
        reporter: observation.reporter,
        kinds: EndKinds::of(observation, &source, &destination),
        source,
        destination,
        service: observation.service.host.intern(interner),
        service_name: observation.service.name.intern(interner),
        service_namespace: observation.service.namespace.intern(interner),
        security: security.policy,
    }
}

/// The labels of a party. `principal` is the identity in its certificate, which also gives the namespace of a party that was not
/// found. An unknown revision is `revision`: Istio's `latest`, or `unknown` for what a waypoint calls (istio/proxy `istio_stats`).
fn party(
    party: &Party<'_>,
    principal: &[u8],
    revision: Symbol,
    cluster: Symbol,
    interner: &mut Interner,
) -> PartyLabels {
    let unknown = PartyLabels {
        canonical_revision: revision,
        ..PartyLabels::UNKNOWN
    };
    let labels = match party {
        Party::Pod(pod) => pod_labels(pod, cluster, interner),
        Party::Service(service) => PartyLabels {
            namespace: interner.intern_text(&service.namespace),
            cluster,
            ..unknown
        },
        Party::External(external) => PartyLabels {
            workload: interner.intern_text(&external.host),
            namespace: interner.intern_text(&external.namespace),
            canonical_service: interner.intern_text(&external.host),
            cluster,
            ..unknown
        },
        Party::Peer(peer) => peer_labels(peer, interner),
        Party::Unknown => PartyLabels {
            namespace: tls::namespace(principal)
                .map_or(Symbol::UNKNOWN, |namespace| interner.intern_bytes(namespace)),
            ..unknown
        },
    };
    match principal {
        b"" => labels,
        principal => PartyLabels {
            principal: interner.intern_bytes(principal),
            ..labels
        },
    }
}

fn peer_labels(peer: &Peer<&[u8]>, interner: &mut Interner) -> PartyLabels {
    let labels = peer.map(|text| match *text {
        b"" => Symbol::UNKNOWN,
        text => interner.intern_bytes(text),
    });
    PartyLabels {
        workload: labels.workload,
        namespace: labels.namespace,
        principal: labels.identity,
        app: labels.app,
        version: labels.version,
        canonical_service: labels.canonical_service,
        canonical_revision: labels.canonical_revision,
        cluster: labels.cluster,
    }
}

fn pod_labels(pod: &Pod, cluster: Symbol, interner: &mut Interner) -> PartyLabels {
    let mut or_unknown = |text: &Text| {
        if text.is_empty() {
            Symbol::UNKNOWN
        } else {
            interner.intern_text(text)
        }
    };
    PartyLabels {
        workload: or_unknown(&pod.workload),
        namespace: or_unknown(&pod.namespace),
        principal: Symbol::UNKNOWN,
        app: or_unknown(&pod.app),
        version: or_unknown(&pod.version),
        canonical_service: or_unknown(&pod.canonical_service),
        canonical_revision: or_unknown(&pod.canonical_revision),
        cluster,
    }
}
