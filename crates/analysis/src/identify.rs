//! From an entry's raw identity to counted calls, remembered by the bytes it was made from.

pub mod memo;

use als_proto::{CommonProperties, Malformed};

use crate::accounting::{Rejected, Unattributed};
use crate::aggregate::registry::{CallId, Registry};
use crate::analyze::Ended;
use crate::analyze::addresses::{Endpoint, endpoint};
use crate::analyze::k8s_mesh::{Identity, Leg};
use crate::analyze::tls::{self, Security};
use crate::directory::{Owner, Pod};
use crate::interner::{Interner, Symbol};
use crate::party::{Call, PartyLabels, Reporter};
use crate::stream::Stream;

/// One observation to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifiedLeg {
    /// Who reports it.
    pub reporter: Reporter,
    /// Who called whom.
    pub call: CallId,
    /// Why the caller is unknown.
    pub source_missing: Option<Unattributed>,
    /// Why the called party is unknown.
    pub destination_missing: Option<Unattributed>,
}

/// What an entry's identity comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// One observation, two of a gateway.
    Legs(IdentifiedLeg, Option<IdentifiedLeg>),
    /// No observation.
    Ended(Ended),
}

/// Takes the identity out of an entry. `authority` is left out where the cluster names the host, so that a gateway's many
/// host names do not crowd the memo.
pub fn identity<'a>(common: &CommonProperties<'a>, authority: &'a [u8]) -> Result<Identity<'a>, Malformed> {
    let direct = endpoint(common.downstream_direct_remote_address()?);
    let remote = match direct {
        Some(direct) => Some(direct),
        None => endpoint(common.downstream_remote_address()?),
    };
    let cluster = common.upstream_cluster;
    Ok(Identity {
        remote,
        local: endpoint(common.downstream_local_address()?),
        upstream: endpoint(common.upstream_remote_address()?),
        cluster,
        authority: if cluster.starts_with(b"outbound|") {
            b""
        } else {
            authority
        },
        security: tls::security(common.tls_properties()?),
    })
}

/// Refuses strings longer than `limit` bytes.
pub fn check_lengths(identity: &Identity<'_>, limit: usize) -> Result<(), Rejected> {
    let Security {
        peer_principal,
        local_principal,
        ..
    } = identity.security;
    let strings = [
        identity.cluster,
        identity.authority,
        peer_principal,
        local_principal,
    ];
    if strings.iter().any(|string| string.len() > limit) {
        Err(Rejected::StringTooLong)
    } else {
        Ok(())
    }
}

/// Writes the bytes that decide who called whom into `key`: equal keys of one directory version mean equal parties. A caller's
/// port is left out, because it changes with each connection and decides nothing.
pub fn write_key(key: &mut Vec<u8>, stream: &Stream, identity: &Identity<'_>) {
    key.clear();
    key.extend_from_slice(&stream.memo_prefix);
    let mut part = |bytes: &[u8]| {
        key.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        key.extend_from_slice(bytes);
    };
    let listening =
        |endpoint: Option<Endpoint<'_>>| endpoint.map_or([0, 0], |endpoint| endpoint.port.to_le_bytes());
    part(identity.remote.map_or(b"", |endpoint| endpoint.ip));
    part(identity.local.map_or(b"", |endpoint| endpoint.ip));
    part(&listening(identity.local));
    part(identity.upstream.map_or(b"", |endpoint| endpoint.ip));
    part(&listening(identity.upstream));
    part(identity.cluster);
    part(identity.authority);
    part(identity.security.peer_principal);
    part(identity.security.local_principal);
    part(&[identity.security.policy as u8]);
}

/// Registers the calls of an entry's legs.
pub fn register(legs: &(Leg<'_>, Option<Leg<'_>>), stream: &Stream, registry: &Registry) -> Identified {
    let register = |leg: &Leg<'_>| IdentifiedLeg {
        reporter: leg.reporter,
        call: registry.call(|interner| call(leg, stream, interner)),
        source_missing: missing(&leg.source),
        destination_missing: missing(&leg.destination),
    };
    Identified::Legs(register(&legs.0), legs.1.as_ref().map(register))
}

fn missing(owner: &Owner) -> Option<Unattributed> {
    match owner {
        Owner::Unknown(reason) => Some(*reason),
        Owner::Pod(_) | Owner::Service(_) => None,
    }
}

fn call(leg: &Leg<'_>, stream: &Stream, interner: &mut Interner) -> Call {
    let security = leg.security;
    Call {
        reporter: leg.reporter,
        source: party(&leg.source, security.peer_principal, stream.cluster, interner),
        destination: party(
            &leg.destination,
            security.local_principal,
            stream.cluster,
            interner,
        ),
        service: interner.intern(&leg.service.host),
        service_name: interner.intern(&leg.service.name),
        service_namespace: interner.intern(&leg.service.namespace),
        security: security.policy,
    }
}

fn party(owner: &Owner, principal: &[u8], cluster: Symbol, interner: &mut Interner) -> PartyLabels {
    let principal = if principal.is_empty() {
        Symbol::UNKNOWN
    } else {
        interner.intern_bytes(principal)
    };
    match owner {
        Owner::Pod(pod) => PartyLabels {
            principal,
            ..pod_labels(pod, cluster, interner)
        },
        Owner::Service(service) => PartyLabels {
            principal,
            namespace: interner.intern(&service.namespace),
            cluster,
            ..PartyLabels::UNKNOWN
        },
        Owner::Unknown(_) => PartyLabels {
            principal,
            ..PartyLabels::UNKNOWN
        },
    }
}

fn pod_labels(pod: &Pod, cluster: Symbol, interner: &mut Interner) -> PartyLabels {
    let mut or_unknown = |text: &str| {
        if text.is_empty() {
            Symbol::UNKNOWN
        } else {
            interner.intern(text)
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
