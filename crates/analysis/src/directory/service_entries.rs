//! The hosts outside the mesh that `ServiceEntries` name, and their addresses.

use std::collections::HashMap;
use std::sync::Arc;

use super::address_claims::{AddressClaim, BlockClaims};
use super::cidr_block::CidrBlock;
use super::name_history::NameHistory;
use super::parties::{ExternalHost, Port};
use super::records::{ServiceEntryRecord, namespaced_name};
use super::scope::Scope;
use super::selection::Selections;
use crate::moment::Moment;

/// All `ServiceEntries`. A wildcard or a block may answer any query, so they are one dependency as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceEntries {
    /// The addresses of the hosts.
    pub(super) blocks: BlockClaims<ExternalHost>,
    /// The entries that select workloads.
    pub(super) selections: Selections,
    /// The hosts by their [`key`], in the order of their entries' arrival.
    hosts: HashMap<String, Vec<Arc<ExternalHost>>>,
}

impl ServiceEntries {
    /// The outside host that `host` names, itself or by a wildcard: the longest match of those that the proxy sees and that declare
    /// the called port, else of all that it sees. Istio has no such host on a port that no entry declares, but the name is still
    /// the entry's.
    pub(super) fn host(&self, host: &str, scope: &Scope<'_>) -> Option<&ExternalHost> {
        if self.hosts.is_empty() {
            return None;
        }
        let host = key(host);
        let dots = host.char_indices().filter(|(_, character)| *character == '.');
        let wildcards = dots.filter_map(|(dot, _)| host.get(dot..));
        let keys = std::iter::once(host.as_str()).chain(wildcards);
        let mut first = None;
        for external in keys.filter_map(|key| scope.choose(self.hosts.get(key)?)) {
            if scope.is_port_of(external) {
                return Some(external);
            }
            first = first.or(Some(external));
        }
        first
    }

    /// The names so far of the hosts of a `ServiceEntry`.
    pub(super) fn names(&self, entry: &ServiceEntryRecord) -> Option<&NameHistory> {
        let of_host = self.hosts.get(&key(entry.hosts.first()?))?;
        let own = of_host.iter().find(|external| is_of(external, entry));
        own.map(|external| &external.names)
    }

    /// Adds the hosts and addresses of a `ServiceEntry`. The addresses belong to its first host.
    pub(super) fn add(&mut self, entry: &ServiceEntryRecord, names: &NameHistory, since: Moment) {
        let ports: Arc<[Port]> = entry.ports.as_slice().into();
        let export_to: Arc<[Box<str>]> = entry.export_to.iter().map(|to| to.as_str().into()).collect();
        let external = |host: &String| {
            Arc::new(ExternalHost {
                host: host.as_str().into(),
                namespace: entry.namespace.as_str().into(),
                entry: entry.name.as_str().into(),
                created: entry.created,
                export_to: export_to.clone(),
                ports: ports.clone(),
                names: names.clone(),
            })
        };
        for external in entry.hosts.iter().map(external) {
            let key = key(&external.host);
            self.hosts.entry(key).or_default().push(external);
        }
        let Some(first) = entry.hosts.first().map(external) else {
            return;
        };
        if let Some(selector) = &entry.selector {
            self.selections.add(selector.clone(), first.clone());
        }
        let object = namespaced_name(&entry.namespace, &entry.name);
        for block in &entry.addresses {
            let claim = AddressClaim::new(&object, &entry.ports, entry.created, since, first.clone());
            self.blocks.claims(*block).set(claim);
        }
    }

    /// Removes the hosts of a `ServiceEntry`, and ends its claims to those of its addresses that are not `kept`.
    pub(super) fn remove(&mut self, entry: &ServiceEntryRecord, kept: &[CidrBlock], now: Moment) {
        self.selections.remove(&entry.namespace, &entry.name);
        for host in &entry.hosts {
            let key = key(host);
            if let Some(of_host) = self.hosts.get_mut(&key) {
                of_host.retain(|external| !is_of(external, entry));
                if of_host.is_empty() {
                    self.hosts.remove(&key);
                }
            }
        }
        let object = namespaced_name(&entry.namespace, &entry.name);
        for block in entry.addresses.iter().filter(|block| !kept.contains(block)) {
            self.blocks.claims(*block).end(&object, now);
        }
    }
}

/// A host in lower case; a wildcard without its star, because no other host begins with a dot.
fn key(host: &str) -> String {
    host.strip_prefix('*').unwrap_or(host).to_ascii_lowercase()
}

fn is_of(external: &ExternalHost, entry: &ServiceEntryRecord) -> bool {
    (&*external.namespace, &*external.entry) == (&*entry.namespace, &*entry.name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::accounting::Unattributed;
    use crate::directory::records::{EndpointSliceRecord, NodeRecord, PodRecord, Record, ServiceRecord};
    use crate::directory::state::DirectoryState;
    use crate::directory::{Directory, Owner, protocol_of};
    use crate::port_protocol::PortProtocol;
    use crate::role::Role;

    /// A sidecar of another namespace that calls this port.
    const SCOPE: Scope<'static> = Scope {
        namespace: "demo",
        role: Role::Sidecar,
        port: 443,
    };

    fn at(seconds: i64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn port(number: u16, protocol: PortProtocol) -> Port {
        Port { number, protocol }
    }

    fn entry(name: &str, created: i64, hosts: &[&str], addresses: &[&str]) -> ServiceEntryRecord {
        ServiceEntryRecord {
            name: name.into(),
            namespace: "service_entries".into(),
            labels: [].into(),
            annotations: [].into(),
            selector: None,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            export_to: vec![],
            ports: vec![port(443, PortProtocol::Grpc)],
            created: at(created),
        }
    }

    fn slice(name: &str, addresses: &[&str]) -> EndpointSliceRecord {
        EndpointSliceRecord {
            name: name.into(),
            namespace: "demo".into(),
            service: "database".into(),
            ports: vec![port(5432, PortProtocol::Undeclared)],
            pods: vec![],
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            created: at(100),
        }
    }

    fn pod(address: &str, started: i64) -> PodRecord {
        PodRecord {
            name: "pod".into(),
            namespace: "demo".into(),
            uid: "uid".into(),
            labels: [].into(),
            annotations: [].into(),
            controller: None,
            addresses: vec![address.parse().unwrap()],
            host_network: false,
            ports: vec![],
            started: Some(at(started)),
            finished: None,
            ..PodRecord::default()
        }
    }

    fn owner(directory: &Directory, address: &str, start: i64) -> String {
        let found = directory
            .query()
            .owner(address.parse().unwrap(), Some(443), at(start));
        assert!(found.validity.contains(at(start)));
        match found.owner {
            Owner::Pod(pod) => pod.name.to_string(),
            Owner::Service(service) => format!("service {}", service.name),
            Owner::External(external) => external.host.to_string(),
            Owner::Unknown(reason) => reason.as_str().to_owned(),
        }
    }

    #[rstest]
    // proves: k8s-mesh/pod-first
    #[case::pod(Record::Pod(pod("10.1.0.1", 100)), "pod")]
    // proves: k8s-mesh/node-address
    #[case::node(Record::Node(NodeRecord { name: "n".into(), addresses: vec!["10.1.0.1".parse().unwrap()] }), "node-address")]
    // proves: directory/service-address
    #[case::service(Record::Service(ServiceRecord { name: "web".into(), namespace: "demo".into(),
        selector: None, labels: [].into(), annotations: [].into(), addresses: vec!["10.1.0.1".parse().unwrap()], ports: vec![], created: at(100) }), "service web")]
    // proves: k8s-mesh/endpoint-without-pod
    #[case::endpoint(Record::EndpointSlice(slice("a", &["10.1.0.1"])), "service database")]
    #[case::nothing_else(Record::Node(NodeRecord { name: "n".into(), addresses: vec![] }), "a.example.com")]
    fn a_service_entry_is_asked_last(#[case] other: Record, #[case] expected: &str) {
        let mut state = DirectoryState::default();
        state.apply(
            Record::ServiceEntry(entry("a", 100, &["a.example.com"], &["10.1.0.1", "10.0.0.0/8"])),
            at(100),
        );
        state.apply(other, at(100));
        assert_eq!(owner(&state.publish().unwrap(), "10.1.0.1", 200), expected);
    }

    // proves: directory/ownership
    #[test]
    fn an_address_that_a_pod_gave_back_is_its_next_owners() {
        let mut state = DirectoryState::default();
        state.apply(Record::Pod(pod("10.1.0.1", 100)), at(100));
        state.delete(&Record::Pod(pod("10.1.0.1", 100)).key(), at(200));
        state.apply(
            Record::ServiceEntry(entry("vm", 300, &["vm.example.com"], &["10.1.0.1"])),
            at(300),
        );
        let directory = state.publish().unwrap();
        let owners = [50, 150, 250, 300].map(|start| owner(&directory, "10.1.0.1", start));
        assert_eq!(owners, ["before-history", "pod", "not-found", "vm.example.com"]);
    }

    // proves: directory/claim-history
    #[test]
    fn an_edited_entry_keeps_what_it_had_and_gets_what_is_new_from_then_on() {
        let mut state = DirectoryState::default();
        state.apply(
            Record::ServiceEntry(entry("a", 100, &["a.example.com"], &["10.1.0.1", "10.1.0.2"])),
            at(100),
        );
        state.apply(
            Record::ServiceEntry(entry("a", 100, &["b.example.com"], &["10.1.0.2", "10.1.0.3"])),
            at(200),
        );
        let directory = state.publish().unwrap();
        let owners = |address| [150, 200].map(|start| owner(&directory, address, start));
        assert_eq!(owners("10.1.0.1"), ["a.example.com", "not-found"]);
        assert_eq!(owners("10.1.0.2"), ["b.example.com", "b.example.com"]);
        assert_eq!(owners("10.1.0.3"), ["not-found", "b.example.com"]);
        assert!(directory.query().external_host("a.example.com", &SCOPE).is_none());
        state.forget(at(1000));
        assert_eq!(owner(&state.publish().unwrap(), "10.1.0.1", 150), "not-found");
    }

    // proves: directory/claim-history
    #[test]
    fn an_endpoint_that_left_its_slice_is_remembered() {
        let mut state = DirectoryState::default();
        state.apply(Record::EndpointSlice(slice("a", &["10.1.0.1"])), at(100));
        state.apply(Record::EndpointSlice(slice("a", &["10.1.0.2"])), at(200));
        state.delete(&Record::EndpointSlice(slice("a", &[])).key(), at(300));
        let directory = state.publish().unwrap();
        let owners = |address| [150, 250, 300].map(|start| owner(&directory, address, start));
        assert_eq!(owners("10.1.0.1"), ["service database", "not-found", "not-found"]);
        assert_eq!(owners("10.1.0.2"), ["not-found", "service database", "not-found"]);
    }

    #[rstest]
    // proves: directory/claim-oldest
    #[case::exact("a.example.com", Some("old"))]
    // proves: k8s-mesh/service-entry-host
    #[case::wildcard("x.b.example.com", Some("wild"))]
    // proves: k8s-mesh/service-entry-host
    #[case::longest_wildcard("x.c.b.example.com", Some("longer"))]
    #[case::the_wildcard_itself("*.b.example.com", Some("wild"))]
    // proves: labels/host-any-case
    #[case::another_case("A.Example.com", Some("old"))]
    #[case::not_below_the_wildcard("b.example.com", None)]
    #[case::another("a.example.org", None)]
    fn a_host_is_that_of_the_oldest_entry(#[case] host: &str, #[case] expected: Option<&str>) {
        let mut state = DirectoryState::default();
        for (name, created, host) in [
            ("young", 200, "a.example.com"),
            ("old", 100, "a.example.com"),
            ("wild", 100, "*.b.example.com"),
            ("longer", 100, "*.c.b.example.com"),
        ] {
            state.apply(Record::ServiceEntry(entry(name, created, &[host], &[])), at(200));
        }
        let directory = state.publish().unwrap();
        let found = directory.query().external_host(host, &SCOPE);
        assert_eq!(found.map(|external| &*external.entry), expected);
        if let Some(found) = found {
            let protocols = [443, 80].map(|number| protocol_of(&found.ports, number));
            assert_eq!(protocols, [PortProtocol::Grpc, PortProtocol::Undeclared]);
        }
    }

    // proves: directory/service-entry-ignored
    #[test]
    fn entries_of_ignored_namespaces_are_not_there() {
        let mut state = DirectoryState::ignoring(["service_entries".to_owned()]);
        state.apply(
            Record::ServiceEntry(entry("a", 100, &["a.example.com"], &["10.1.0.1"])),
            at(100),
        );
        assert!(state.publish().is_none());
        let elsewhere = ServiceEntryRecord {
            namespace: "elsewhere".into(),
            ..entry("a", 100, &["a.example.com"], &["10.1.0.1"])
        };
        state.apply(Record::ServiceEntry(elsewhere), at(100));
        assert_eq!(owner(&state.publish().unwrap(), "10.1.0.1", 150), "a.example.com");
    }

    // proves: directory/node
    #[test]
    fn the_reason_of_a_node_is_its_own() {
        let mut state = DirectoryState::default();
        let addresses = vec!["10.1.0.1".parse().unwrap()];
        state.apply(
            Record::Node(NodeRecord {
                name: "n".into(),
                addresses,
            }),
            at(100),
        );
        let directory = state.publish().unwrap();
        let found = directory.query().owner("10.1.0.1".parse().unwrap(), None, at(50));
        assert_eq!(found.owner, Owner::Unknown(Unattributed::NodeAddress));
    }
}
