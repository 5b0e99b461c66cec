//! Which of several `ServiceEntries` for one host a proxy has, as istiod decides it (istio `pilot/pkg/model`: `IsServiceVisible`,
//! `servicesExportedToNamespace`, `selectServices` and `appendSidecarServices`).
//!
//! Only what is exported to the proxy's namespace counts. Of that, what declares the called port: a port has a cluster only by an entry
//! that declares it. Then, for a side-car, an entry of its own namespace, which istiod takes alone; then one that is exported to
//! certain namespaces before one that is exported to all, and the oldest.

use std::sync::Arc;

use super::External;
use crate::analyze::role::Role;

/// Who asks for a host, and for which of its ports.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The proxy's namespace; empty when it is not known.
    pub namespace: &'a str,
    /// What the proxy does.
    pub role: Role,
    /// The called port.
    pub port: u16,
}

impl Scope<'_> {
    /// The entry that counts.
    pub(super) fn choose<'e>(&self, entries: &'e [Arc<External>]) -> Option<&'e External> {
        let visible = entries.iter().filter(|external| self.sees(external));
        let first = visible.min_by_key(|external| {
            let is_own = self.role == Role::Sidecar && *external.namespace == *self.namespace;
            (
                !self.is_port_of(external),
                !is_own,
                is_public(external),
                external.created,
                &external.namespace,
                &external.entry,
            )
        });
        first.map(|first| &**first)
    }

    /// Whether `external` declares the called port.
    pub(super) fn is_port_of(&self, external: &External) -> bool {
        external.ports.iter().any(|own| own.number == self.port)
    }

    fn sees(&self, external: &External) -> bool {
        let is_exported = |to: &str| external.export_to.iter().any(|exported| **exported == *to);
        let is_own = *external.namespace == *self.namespace;
        is_public(external)
            || !is_exported("~") && (is_exported(self.namespace) || is_exported(".") && is_own)
    }
}

fn is_public(external: &External) -> bool {
    external.export_to.is_empty() || external.export_to.iter().any(|to| **to == *"*")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::records::{Record, ServiceEntryRecord};
    use super::super::state::State;
    use super::super::{Port, protocol_of};
    use super::*;
    use crate::analyze::port_protocol::PortProtocol;
    use crate::moment::Moment;

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
        let mut state = State::default();
        for entry in entries {
            state.apply(entry.clone(), Moment(0));
        }
        let directory = state.publish().unwrap();
        let scope = Scope {
            namespace,
            role,
            port,
        };
        let found = directory.inquiry().external(host, &scope)?;
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
    #[case::side_car(Role::Sidecar, "demo", "demo/own")]
    // proves: directory/service-entry-own-namespace
    #[case::gateway(Role::Gateway, "demo", "z/for-demo")]
    // proves: directory/service-entry-own-namespace
    #[case::waypoint(Role::Waypoint, "demo", "z/for-demo")]
    // proves: directory/claim-oldest
    #[case::side_car_elsewhere(Role::Sidecar, "elsewhere", "a/old")]
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
}
