//! Claims of objects in the working copy: `EndpointSlices` with addresses of no pod, and `ServiceEntries`.

use std::net::IpAddr;
use std::sync::Arc;

use super::block::Block;
use super::claims::Claim;
use super::records::{EndpointSliceRecord, ServiceEntryRecord, qualified};
use super::tenure::Validity;
use super::{Directory, External, Port, Service};
use crate::moment::Moment;

impl Directory {
    /// Adds what a slice says about addresses without a pod. The Service may be listed later, or be none of Kubernetes'.
    pub(super) fn claim_endpoints(&mut self, slice: &EndpointSliceRecord, since: Moment) {
        if slice.service.is_empty() || slice.addresses.is_empty() {
            return;
        }
        let service = Arc::new(Service {
            name: slice.service.as_str().into(),
            namespace: slice.namespace.as_str().into(),
            created: slice.created,
            ports: [].into(),
        });
        let claim = claim(
            &qualified(&slice.namespace, &slice.name),
            &slice.ports,
            slice.created,
            since,
            service,
        );
        for address in &slice.addresses {
            self.endpoints.set(Block::from(*address), claim.clone());
        }
    }

    /// Ends what a slice said about those of `addresses` that are not `kept`.
    pub(super) fn end_endpoints(&mut self, slice: &EndpointSliceRecord, kept: &[IpAddr], now: Moment) {
        let object = qualified(&slice.namespace, &slice.name);
        for address in slice.addresses.iter().filter(|address| !kept.contains(address)) {
            self.endpoints.end(Block::from(*address), &object, now);
        }
    }

    /// Adds the hosts and addresses of a `ServiceEntry`. Its addresses are named after its first host.
    pub(super) fn claim_external(&mut self, entry: &ServiceEntryRecord, since: Moment) {
        let ports: Arc<[Port]> = entry.ports.as_slice().into();
        let external = |host: &String| {
            Arc::new(External {
                host: host.as_str().into(),
                namespace: entry.namespace.as_str().into(),
                entry: entry.name.as_str().into(),
                created: entry.created,
                ports: ports.clone(),
            })
        };
        for external in entry.hosts.iter().map(external) {
            let of_host = self.external_hosts.entry(external.host.clone()).or_default();
            of_host.push(external);
            of_host.sort_by(|a, b| {
                (a.created, &a.namespace, &a.entry).cmp(&(b.created, &b.namespace, &b.entry))
            });
        }
        let Some(first) = entry.hosts.first().map(external) else {
            return;
        };
        let object = qualified(&entry.namespace, &entry.name);
        for block in &entry.addresses {
            self.external.set(
                *block,
                claim(&object, &entry.ports, entry.created, since, first.clone()),
            );
        }
    }

    /// Removes the hosts of a `ServiceEntry`, and ends its claim to those of its addresses that are not `kept`.
    pub(super) fn end_external(&mut self, entry: &ServiceEntryRecord, kept: &[Block], now: Moment) {
        for host in &entry.hosts {
            if let Some(of_host) = self.external_hosts.get_mut(host.as_str()) {
                of_host.retain(|external| {
                    (&*external.namespace, &*external.entry) != (&*entry.namespace, &*entry.name)
                });
                if of_host.is_empty() {
                    self.external_hosts.remove(host.as_str());
                }
            }
        }
        let object = qualified(&entry.namespace, &entry.name);
        for block in entry.addresses.iter().filter(|block| !kept.contains(block)) {
            self.external.end(*block, &object, now);
        }
    }
}

fn claim<T>(object: &str, ports: &[Port], created: Moment, since: Moment, holder: Arc<T>) -> Claim<T> {
    Claim {
        object: object.into(),
        created,
        ports: ports.into(),
        holder,
        held: Validity {
            since,
            until: Moment::MAX,
        },
    }
}
