//! Takes the pods that a slice names, and where they listen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::DirectoryState;
use crate::directory::records::{EndpointSliceRecord, PodEndpoint, namespaced_name};
use crate::directory::{Backend, Directory};
use crate::moment::Moment;

impl DirectoryState {
    /// Replaces the pods that a slice names, `before` by `after`, as of `now`.
    pub(super) fn set_slice(
        &mut self,
        slice: &EndpointSliceRecord,
        before: &[PodEndpoint],
        after: &[PodEndpoint],
        now: Moment,
    ) {
        let name: Arc<str> = namespaced_name(&slice.namespace, &slice.name).into();
        let mut named: BTreeMap<&str, Vec<Option<IpAddr>>> = BTreeMap::new();
        for endpoint in after {
            named.entry(&endpoint.target).or_default().push(endpoint.address);
        }
        let gone = before.iter().map(|endpoint| &*endpoint.target);
        let gone: BTreeSet<&str> = gone.filter(|target| !named.contains_key(target)).collect();
        let Directory {
            changes,
            backends,
            backends_by_name,
            ..
        } = &mut self.directory;
        // A target with a slash is a namespace and a name: a uid has none.
        let are_named =
            |targets: &mut dyn Iterator<Item = &str>| targets.filter(|target| target.contains('/')).count();
        let were_named: BTreeSet<&str> = before.iter().map(|endpoint| &*endpoint.target).collect();
        let (less, more) = (
            are_named(&mut were_named.into_iter()),
            are_named(&mut named.keys().copied()),
        );
        if less + more > 0 {
            let count = backends_by_name.change(changes);
            *count = (*count + more).saturating_sub(less);
        }
        let texts = &mut self.texts;
        for target in &gone {
            backends.change(&texts.share(target), changes, |of_pod| {
                of_pod.retain(|backend| backend.slice != name);
            });
        }
        for (target, addresses) in &named {
            let own = backends_of(slice, &name, addresses);
            backends.change(&texts.share(target), changes, |of_pod| {
                of_pod.retain(|backend| backend.slice != name);
                let place = of_pod.partition_point(|backend| backend.slice < name);
                of_pod.splice(place..place, own);
            });
        }
        for target in gone.iter().chain(named.keys()) {
            if let Some(uid) = self.target(target) {
                self.update_listening(&uid, now);
            }
        }
    }
}

/// What a slice says about a pod with these addresses. A slice without ports names no port.
fn backends_of(slice: &EndpointSliceRecord, name: &Arc<str>, addresses: &[Option<IpAddr>]) -> Vec<Backend> {
    let service: Arc<str> = namespaced_name(&slice.namespace, &slice.service).into();
    let ports = slice.ports.iter().copied().map(Some);
    let ports = ports.chain(slice.ports.is_empty().then_some(None));
    let places = ports.flat_map(|port| addresses.iter().map(move |address| (port, *address)));
    let backends = places.map(|(port, address)| Backend {
        slice: name.clone(),
        service: service.clone(),
        port,
        address,
    });
    backends.collect()
}
