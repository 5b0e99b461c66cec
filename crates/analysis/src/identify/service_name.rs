//! Names the service of a party by `SkyWalking`'s rules. `SkyWalking`'s users know a party by this name; no label of a series has
//! it.
//!
//! A party of the directory has its name there, as of the start of the call ([`crate::directory::naming_rules`]). A workload that
//! describes itself is named by `SkyWalking`'s default mapping of metadata: canonical service and namespace. An unknown party is
//! `unknown`.

use std::sync::LazyLock;

use alscope_naming::metadata_name::{MetadataPath, default_metadata_name};
use alscope_naming::template::Template;

use crate::aggregate::registry::Registry;
use crate::analyze::attribution::Party;
use crate::analyze::k8s_mesh::Lookup;
use crate::directory::Service;
use crate::directory::name_history::NameHistory;
use crate::interner::Symbol;
use crate::peer::Peer;

static PEER_NAME_TEMPLATE: LazyLock<Template<MetadataPath>> = LazyLock::new(default_metadata_name);

/// The name that a party had when the call started.
pub(super) fn service_name(party: &Party<'_>, lookup: &mut Lookup<'_>, registry: &Registry) -> Symbol {
    match party {
        Party::Pod(pod) => registry.intern_text(lookup.name(&pod.names)),
        Party::Service(service) => {
            let listed = lookup.query().service(&service.namespace, &service.name);
            registry.intern_text(lookup.name(names(service, listed)))
        }
        Party::External(external) => registry.intern_text(lookup.name(&external.names)),
        Party::Peer(peer) => registry.intern(&of_peer(peer)),
        Party::Unknown => Symbol::UNKNOWN,
    }
}

/// The names of a Service's address. An endpoint without a pod is younger than its Service and has only the Service's name; then
/// the listed Service's names count. A listed Service that is younger is another one.
fn names<'a>(service: &'a Service, listed: Option<&'a Service>) -> &'a NameHistory {
    match listed {
        Some(listed) if listed.created <= service.created => &listed.names,
        _ => &service.names,
    }
}

fn of_peer(peer: &Peer<&[u8]>) -> String {
    let peer = peer.map(|text| String::from_utf8_lossy(text));
    let mut name = String::new();
    // A peer's canonical service already is the result of Istio's fall-back on all its labels.
    PEER_NAME_TEMPLATE.render(&mut name, |path| {
        if path.is(&["SERVICE"]) {
            Some(&peer.canonical_service)
        } else if path.is(&["NAMESPACE"]) {
            Some(&peer.namespace)
        } else {
            None
        }
    });
    name
}
