//! Decides which hosts and addresses a proxy sees, as istiod does (istio `pilot/pkg/model`: `IsServiceVisible`,
//! `servicesExportedToNamespace`, `selectServices` and `appendSidecarServices`).
//!
//! Only what is exported to the proxy's namespace counts: `ServiceEntries` by `spec.exportTo`, Services by the annotation
//! [`EXPORT_TO`]. Of several `ServiceEntries` for one host or address, one that declares the called port counts first, because only
//! that gives the port a cluster. Then, for a sidecar, one of its own namespace counts, which istiod takes alone. Then one that is
//! exported to certain namespaces counts before one that is exported to all, and then the oldest.
//!
//! Defaults of the mesh (`defaultServiceExportTo`) and `Sidecar` resources are not read: an object that says nothing is exported to
//! all.

use std::sync::Arc;

use super::parties::{ExternalHost, Service};
use crate::role::Role;

/// The annotation of a Service with the namespaces that it is exported to, separated by commas.
pub const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The proxy that asks for a host or an address, and the called port.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The proxy's namespace; empty when it is not known.
    pub namespace: &'a str,
    /// The role of the proxy.
    pub role: Role,
    /// The called port; 0 where none is called.
    pub port: u16,
}

impl Scope<'_> {
    /// The entry that counts for the proxy, of several for one host.
    pub(super) fn choose<'e>(&self, entries: &'e [Arc<ExternalHost>]) -> Option<&'e ExternalHost> {
        let visible = entries
            .iter()
            .filter_map(|external| Some((self.rank(external)?, external)));
        let first = visible.min_by_key(|(rank, external)| {
            let is_its_port = self.is_port_of(external);
            (
                !is_its_port,
                *rank,
                external.created,
                &external.namespace,
                &external.entry,
            )
        });
        first.map(|(_, first)| &**first)
    }

    /// Whether `external` declares the called port.
    pub(super) fn is_port_of(&self, external: &ExternalHost) -> bool {
        external.ports.iter().any(|own| own.number == self.port)
    }

    /// The rank of an entry among those for one host or address, apart from the port and the age: a lower rank counts first. `None`
    /// if the proxy does not see the entry.
    pub(super) fn rank(&self, external: &ExternalHost) -> Option<(bool, bool)> {
        let is_own = self.role == Role::Sidecar && *external.namespace == *self.namespace;
        is_exported(&external.export_to, &external.namespace, self.namespace)
            .then(|| (!is_own, is_public(&external.export_to)))
    }
}

impl Service {
    /// Whether proxies in `namespace` see the Service.
    pub fn is_exported_to(&self, namespace: &str) -> bool {
        is_exported(&self.export_to, &self.namespace, namespace)
    }
}

/// The namespaces in the value of [`EXPORT_TO`]; none for a blank value (istio `ConvertService`).
pub(super) fn exported_to(annotation: &str) -> Arc<[Box<str>]> {
    let namespaces = annotation.split(',').map(str::trim);
    if annotation.is_empty() {
        [].into()
    } else {
        namespaces.map(Box::from).collect()
    }
}

/// Whether what is in the namespace `of` is exported to the namespace `to`.
fn is_exported(export_to: &[Box<str>], of: &str, to: &str) -> bool {
    let names = |namespace: &str| export_to.iter().any(|exported| **exported == *namespace);
    is_public(export_to) || !names("~") && (names(to) || names(".") && of == to)
}

fn is_public(export_to: &[Box<str>]) -> bool {
    export_to.is_empty() || export_to.iter().any(|to| **to == *"*")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::records::{Record, ServiceEntryRecord, ServiceRecord};
    use super::super::state::DirectoryState;
    use super::super::{Owner, Port, protocol_of};
    use super::*;
    use crate::moment::Moment;
    use crate::port_protocol::PortProtocol;

    /// An entry `namespace/name` with the port, for `export_to`.
    fn entry(
        (name, created): (&str, i64),
        host: &str,
        (number, protocol): (u16, PortProtocol),
        export_to: &[&str],
    ) -> Record {
        let (namespace, name) = name.split_once('/').unwrap();
        Record::ServiceEntry(ServiceEntryRecord {
            selector: None,
            name: name.into(),
            namespace: namespace.into(),
            labels: [].into(),
            annotations: [].into(),
            hosts: vec![host.into()],
            addresses: vec![],
            export_to: export_to.iter().map(ToString::to_string).collect(),
            ports: vec![Port { number, protocol }],
            created: Moment(created),
        })
    }

    /// The entry that a proxy of this role in `namespace` has for `host` and `port`, and what the port speaks.
    fn chosen(
        entries: &[Record],
        (role, namespace): (Role, &str),
        (host, port): (&str, u16),
    ) -> Option<(String, PortProtocol)> {
        let mut state = DirectoryState::default();
        for entry in entries {
            state.apply(entry.clone(), Moment(0));
        }
        let directory = state.publish().unwrap();
        let scope = Scope {
            namespace,
            role,
            port,
        };
        let found = directory.query().external_host(host, &scope)?;
        let name = format!("{}/{}", found.namespace, found.entry);
        Some((name, protocol_of(&found.ports, port)))
    }

    const API: &str = "api.example.com";
    const PLAIN: (u16, PortProtocol) = (443, PortProtocol::Undeclared);
    const GRPC: (u16, PortProtocol) = (8443, PortProtocol::Grpc);

    #[rstest]
    // proves: directory/service-entry-port
    #[case::the_port_of_the_younger(8443, ("b/young", PortProtocol::Grpc))]
    // proves: directory/claim-oldest
    #[case::the_port_of_both(443, ("a/old", PortProtocol::Undeclared))]
    #[case::a_port_of_neither(80, ("a/old", PortProtocol::Undeclared))]
    fn an_entry_that_declares_the_called_port_counts_first(
        #[case] port: u16,
        #[case] expected: (&str, PortProtocol),
    ) {
        let entries = [
            entry(("b/young", 20), API, GRPC, &[]),
            entry(("a/old", 10), API, PLAIN, &[]),
            entry(("a/as-old", 10), "other.example.com", PLAIN, &[]),
        ];
        let found = chosen(&entries, (Role::Sidecar, "demo"), (API, port));
        assert_eq!(found, Some((expected.0.to_owned(), expected.1)));
    }

    #[rstest]
    // proves: directory/service-entry-visibility
    #[case::all_by_default(&[], "demo", true)]
    // proves: directory/service-entry-visibility
    #[case::all(&["*"], "demo", true)]
    // proves: directory/service-entry-visibility
    #[case::its_own_only(&["."], "demo", false)]
    // proves: directory/service-entry-visibility
    #[case::its_own(&["."], "a", true)]
    // proves: directory/service-entry-visibility
    #[case::named(&["x", "demo"], "demo", true)]
    // proves: directory/service-entry-visibility
    #[case::another_is_named(&["x"], "demo", false)]
    #[case::its_own_is_not_named(&["x"], "a", false)]
    // proves: directory/service-entry-visibility
    #[case::none(&["~"], "a", false)]
    #[case::none_whatever_else(&["~", "demo"], "demo", false)]
    #[case::all_whatever_else(&["~", "*"], "demo", true)]
    #[case::nobody_knows_where(&["."], "", false)]
    #[case::nobody_knows_where_of_all(&["*"], "", true)]
    fn an_entry_counts_where_it_is_exported_to(
        #[case] export_to: &[&str],
        #[case] namespace: &str,
        #[case] is_seen: bool,
    ) {
        let entries = [entry(("a/one", 10), API, PLAIN, export_to)];
        let found = chosen(&entries, (Role::Sidecar, namespace), (API, 443));
        assert_eq!(found.is_some(), is_seen);
    }

    #[rstest]
    // proves: directory/service-entry-own-namespace
    #[case::sidecar(Role::Sidecar, "demo", "demo/own")]
    // proves: directory/service-entry-own-namespace
    #[case::gateway(Role::Gateway, "demo", "z/for-demo")]
    // proves: directory/service-entry-own-namespace
    #[case::waypoint(Role::Waypoint, "demo", "z/for-demo")]
    // proves: directory/claim-oldest
    #[case::sidecar_elsewhere(Role::Sidecar, "elsewhere", "a/old")]
    fn of_several_entries_the_proxys_namespace_counts_first(
        #[case] role: Role,
        #[case] namespace: &str,
        #[case] expected: &str,
    ) {
        let entries = [
            entry(("demo/own", 30), API, PLAIN, &[]),
            entry(("a/old", 10), API, PLAIN, &[]),
            entry(("z/for-demo", 40), API, PLAIN, &["demo"]),
        ];
        let found = chosen(&entries, (role, namespace), (API, 443));
        assert_eq!(found.map(|(name, _)| name).as_deref(), Some(expected));
    }

    #[rstest]
    #[case::host(443, "a/host")]
    // proves: directory/service-entry-port
    #[case::wildcard_that_has_the_port(8443, "a/wild")]
    #[case::neither_has_the_port(80, "a/host")]
    fn a_wildcard_counts_where_the_host_has_no_such_port(#[case] port: u16, #[case] expected: &str) {
        let entries = [
            entry(("a/host", 20), API, PLAIN, &[]),
            entry(("a/wild", 10), "*.example.com", GRPC, &[]),
            entry(
                ("a/hidden", 10),
                "*.example.com",
                (80, PortProtocol::Http),
                &["~"],
            ),
        ];
        let found = chosen(&entries, (Role::Sidecar, "demo"), (API, port));
        assert_eq!(found.map(|(name, _)| name).as_deref(), Some(expected));
    }

    /// The entry whose address `198.51.100.9` is for a proxy of this role in `namespace`, at this port.
    fn of_address(
        entries: &[(&str, i64, &str, &str)],
        (role, namespace): (Role, &str),
        port: Option<u16>,
    ) -> Option<String> {
        let mut state = DirectoryState::default();
        for (name, created, block, export_to) in entries {
            let export_to: Vec<&str> = export_to.split_terminator(',').collect();
            let Record::ServiceEntry(record) = entry((name, *created), API, PLAIN, &export_to) else {
                return None;
            };
            let addresses = vec![block.parse().unwrap()];
            let record = ServiceEntryRecord { addresses, ..record };
            state.apply(Record::ServiceEntry(record), Moment(0));
        }
        let directory = state.publish().unwrap();
        let mut query = directory.query().of_proxy(namespace, role);
        let found = query.owner("198.51.100.9".parse().unwrap(), port, Moment(100));
        match found.owner {
            Owner::External(external) => Some(format!("{}/{}", external.namespace, external.entry)),
            _ => None,
        }
    }

    #[rstest]
    // proves: directory/service-entry-address-visibility
    #[case::all_by_default(&[], "demo", true)]
    // proves: directory/service-entry-address-visibility
    #[case::its_own_only(&["."], "demo", false)]
    // proves: directory/service-entry-address-visibility
    #[case::its_own(&["."], "a", true)]
    // proves: directory/service-entry-address-visibility
    #[case::named(&["x", "demo"], "demo", true)]
    // proves: directory/service-entry-address-visibility
    #[case::another_is_named(&["x"], "demo", false)]
    // proves: directory/service-entry-address-visibility
    #[case::none(&["~"], "a", false)]
    fn an_entrys_address_is_its_hosts_where_it_is_exported_to(
        #[case] export_to: &[&str],
        #[case] namespace: &str,
        #[case] is_seen: bool,
        #[values(None, Some(443))] port: Option<u16>,
    ) {
        let export_to = export_to.join(",");
        let entries = [("a/one", 10, "198.51.100.9", &*export_to)];
        let found = of_address(&entries, (Role::Sidecar, namespace), port);
        assert_eq!(found.is_some(), is_seen);
    }

    #[rstest]
    // proves: directory/service-entry-address-visibility
    #[case::a_wider_block(&[("a/hidden", 10, "198.51.100.9", "."), ("b/wide", 20, "198.51.100.0/24", "")], Role::Sidecar, "b/wide")]
    // proves: directory/service-entry-own-namespace
    #[case::its_own(&[("a/old", 10, "198.51.100.9", ""), ("demo/own", 20, "198.51.100.9", "")], Role::Sidecar, "demo/own")]
    // proves: directory/service-entry-own-namespace
    #[case::of_a_gateway(&[("a/old", 10, "198.51.100.9", ""), ("demo/own", 20, "198.51.100.9", "")], Role::Gateway, "a/old")]
    // proves: directory/service-entry-own-namespace
    #[case::exported_to_it(&[("a/old", 10, "198.51.100.9", ""), ("z/for-demo", 20, "198.51.100.9", "demo")], Role::Gateway, "z/for-demo")]
    // proves: directory/claim-oldest
    #[case::the_oldest(&[("a/young", 20, "198.51.100.9", ""), ("b/old", 10, "198.51.100.9", "")], Role::Sidecar, "b/old")]
    fn of_several_entries_for_an_address_the_one_that_the_proxy_has_counts(
        #[case] entries: &[(&str, i64, &str, &str)],
        #[case] role: Role,
        #[case] expected: &str,
    ) {
        let found = of_address(entries, (role, "demo"), Some(443));
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[rstest]
    // proves: directory/service-exported
    #[case::nothing("", "demo", true)]
    // proves: directory/service-exported
    #[case::all("*", "demo", true)]
    // proves: directory/service-exported
    #[case::its_own_only(".", "demo", false)]
    // proves: directory/service-exported
    #[case::its_own(".", "shop", true)]
    // proves: directory/service-exported
    #[case::named_behind_a_blank("x, demo", "demo", true)]
    // proves: directory/service-exported
    #[case::another_is_named("x,y", "demo", false)]
    // proves: directory/service-exported
    #[case::none("~", "shop", false)]
    fn a_service_is_there_where_its_annotation_exports_it_to(
        #[case] annotation: &str,
        #[case] namespace: &str,
        #[case] is_there: bool,
    ) {
        let mut state = DirectoryState::default();
        state.apply(
            Record::Service(ServiceRecord {
                name: "web".into(),
                namespace: "shop".into(),
                labels: [].into(),
                annotations: [(EXPORT_TO.to_owned(), annotation.to_owned())].into(),
                selector: None,
                addresses: vec![],
                ports: vec![],
                created: Moment(0),
            }),
            Moment(0),
        );
        let directory = state.publish().unwrap();
        let service = directory.query().service("shop", "web").unwrap();
        assert_eq!(service.is_exported_to(namespace), is_there);
    }
}
