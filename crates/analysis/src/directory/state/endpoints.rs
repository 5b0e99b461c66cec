//! Takes the addresses without a pod that slices name.

use std::net::IpAddr;
use std::sync::Arc;

use super::DirectoryState;
use crate::directory::address_claims::AddressClaim;
use crate::directory::name_history::NameHistory;
use crate::directory::parties::{Service, ServiceHost};
use crate::directory::records::{EndpointSliceRecord, namespaced_name};
use crate::moment::Moment;

impl DirectoryState {
    /// Adds the claims of a slice to addresses without a pod. Their Service is called `name` until it is listed.
    pub(super) fn claim_endpoints(&mut self, slice: &EndpointSliceRecord, name: Arc<str>, since: Moment) {
        if slice.service.is_empty() || slice.addresses.is_empty() {
            return;
        }
        let service = Arc::new(Service {
            name: slice.service.as_str().into(),
            namespace: slice.namespace.as_str().into(),
            created: slice.created,
            ports: [].into(),
            export_to: [].into(),
            is_headless: true,
            names: NameHistory::new(name),
            host: ServiceHost::default(),
        });
        let claim = AddressClaim::new(
            &namespaced_name(&slice.namespace, &slice.name),
            &slice.ports,
            slice.created,
            since,
            service,
        );
        for address in &slice.addresses {
            let claim = claim.clone();
            let directory = &mut self.directory;
            directory
                .endpoints
                .change(&address.to_canonical(), &mut directory.changes, |claims| {
                    claims.set(claim);
                });
        }
    }

    /// Ends the claims of a slice to those of its addresses that are not `kept`.
    pub(super) fn end_endpoints(&mut self, slice: &EndpointSliceRecord, kept: &[IpAddr], now: Moment) {
        let object = namespaced_name(&slice.namespace, &slice.name);
        for address in slice.addresses.iter().filter(|address| !kept.contains(address)) {
            let directory = &mut self.directory;
            directory
                .endpoints
                .change(&address.to_canonical(), &mut directory.changes, |claims| {
                    claims.end(&object, now);
                });
        }
    }
}
