//! Whether a sidecar knows the collector's Service. A provider reaches the collector by istiod's list of services, of which a Sidecar
//! resource leaves some out: the loggers stay then, and nothing arrives.
//!
//! The rules are those of istiod (istio/istio, `pilot/pkg/model/push_context.go` and `sidecar.go`): the oldest Sidecar of the proxy's
//! namespace that selects it decides, those with a selector first; if there is none, the oldest without a selector of the root
//! namespace. Gateways and waypoints have none.

use crate::world::{Egress, Proxy, ProxyRole, Sidecar};

/// The Service of the collector, as istiod knows it.
#[derive(Clone, Copy, Debug)]
pub struct CollectorService<'a> {
    /// Its host name.
    pub host: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its port for access logs.
    pub port: u16,
}

/// The Sidecar that keeps a proxy from the collector; `None` if none does.
pub fn hiding_sidecar<'a>(
    sidecars: &'a [Sidecar],
    root_namespace: &str,
    proxy: &Proxy,
    service: CollectorService<'_>,
) -> Option<&'a Sidecar> {
    if proxy.role != ProxyRole::Sidecar {
        return None;
    }
    let own = &proxy.pod.namespace;
    let decides = |sidecar: &&Sidecar| sidecar.name.namespace == *own && selects(sidecar, proxy);
    let is_of_mesh =
        |sidecar: &&Sidecar| sidecar.name.namespace == root_namespace && sidecar.labels.is_none();
    let order = |sidecar: &&Sidecar| {
        let name = (sidecar.name.name.clone(), sidecar.name.namespace.clone());
        (sidecar.labels.is_none(), sidecar.created, name)
    };
    let in_namespace = sidecars.iter().filter(decides).min_by_key(order);
    let deciding = in_namespace.or_else(|| sidecars.iter().filter(is_of_mesh).min_by_key(order))?;
    let is_let_through = deciding.egress.is_empty()
        || deciding
            .egress
            .iter()
            .any(|egress| lets_through(egress, own, service));
    (!is_let_through).then_some(deciding)
}

fn selects(sidecar: &Sidecar, proxy: &Proxy) -> bool {
    let mut labels = sidecar.labels.iter().flatten();
    labels.all(|(name, value)| proxy.labels.get(name) == Some(value))
}

fn lets_through(egress: &Egress, own_namespace: &str, service: CollectorService<'_>) -> bool {
    if egress.port.is_some_and(|port| port != u32::from(service.port)) {
        return false;
    }
    let names = |host: &str, excluding: bool| {
        let Some((namespace, name)) = host.split_once('/') else {
            return false;
        };
        let (namespace, excludes) = match namespace.strip_prefix('~') {
            Some("") => ("*", true),
            Some(namespace) => (namespace, true),
            None => (namespace, false),
        };
        let is_of_namespace = match namespace {
            "*" => true,
            "." => own_namespace == service.namespace,
            namespace => namespace == service.namespace,
        };
        excludes == excluding && is_of_namespace && matches_host(name, service.host)
    };
    let mut hosts = egress.hosts.iter();
    let is_excluded = egress.hosts.iter().any(|host| names(host, true));
    !is_excluded && hosts.any(|host| names(host, false))
}

/// `*` and `*.suffix` stand for any host and any host below.
fn matches_host(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => name == host,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use rstest::rstest;

    use crate::world::{ObjectName, PodOwner};

    use super::*;

    const SERVICE: CollectorService<'_> = CollectorService {
        host: "als.logs.svc.cluster.local",
        namespace: "logs",
        port: 11_800,
    };

    fn labels(value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("app".to_owned(), value.to_owned())])
    }

    fn proxy(role: ProxyRole) -> Proxy {
        Proxy {
            pod: ObjectName::new("shop", "web-1"),
            revision: "default".to_owned(),
            mesh_namespace: None,
            address: None,
            owner: PodOwner::Unowned,
            role,
            labels: labels("web"),
            overridden: false,
            proxyless: false,
            unreadable: false,
            is_ending: false,
            created_at: None,
        }
    }

    /// A Sidecar that is so many seconds old and lets these hosts through.
    fn sidecar(namespace: &str, name: &str, age: i64, selector: Option<&str>, hosts: &[&str]) -> Sidecar {
        Sidecar {
            name: ObjectName::new(namespace, name),
            created: Some(Timestamp::constant(1_000 - age, 0)),
            labels: selector.map(labels),
            egress: vec![Egress {
                hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                port: None,
            }],
        }
    }

    fn hiding(sidecars: &[Sidecar], role: ProxyRole) -> Option<String> {
        let found = hiding_sidecar(sidecars, "istio-system", &proxy(role), SERVICE);
        found.map(|sidecar| sidecar.name.to_string())
    }

    #[rstest]
    #[case::own_namespace(&["./*"], true)]
    #[case::own_namespace_and_the_collectors(&["./*", "logs/*"], false)]
    #[case::every_namespace(&["*/*"], false)]
    #[case::the_host_alone(&["logs/als.logs.svc.cluster.local"], false)]
    #[case::the_host_in_any_namespace(&["*/als.logs.svc.cluster.local"], false)]
    #[case::hosts_below(&["*/*.svc.cluster.local"], false)]
    #[case::other_hosts_below(&["*/*.example.com"], true)]
    #[case::another_host(&["logs/other.logs.svc.cluster.local"], true)]
    #[case::another_namespace(&["billing/*"], true)]
    #[case::none(&["~/*"], true)]
    #[case::all_but_the_host(&["*/*", "~logs/als.logs.svc.cluster.local"], true)]
    #[case::all_but_another(&["*/*", "~billing/*"], false)]
    #[case::without_a_namespace(&["als.logs.svc.cluster.local"], true)]
    #[case::no_hosts(&[], true)]
    fn what_is_not_let_through_is_hidden(#[case] hosts: &[&str], #[case] is_hidden: bool) {
        let sidecars = [sidecar("shop", "default", 0, None, hosts)];
        assert_eq!(hiding(&sidecars, ProxyRole::Sidecar).is_some(), is_hidden);
        assert_eq!(hiding(&sidecars, ProxyRole::Gateway), None);
        assert_eq!(hiding(&sidecars, ProxyRole::Waypoint), None);
    }

    #[test]
    fn its_own_namespace_is_where_the_proxy_is() {
        let mut proxy = proxy(ProxyRole::Sidecar);
        proxy.pod.namespace = "logs".to_owned();
        let sidecars = [sidecar("istio-system", "default", 0, None, &["./*"])];
        assert_eq!(hiding_sidecar(&sidecars, "istio-system", &proxy, SERVICE), None);
    }

    #[rstest]
    #[case::of_another_namespace(vec![sidecar("billing", "a", 0, None, &["./*"])], None)]
    #[case::of_the_mesh(vec![sidecar("istio-system", "a", 0, None, &["./*"])], Some("istio-system/a"))]
    #[case::of_the_mesh_for_some(vec![sidecar("istio-system", "a", 0, Some("web"), &["./*"])], None)]
    #[case::of_the_namespace_before_the_mesh(
        vec![sidecar("istio-system", "a", 9, None, &["./*"]), sidecar("shop", "b", 0, None, &["*/*"])],
        None
    )]
    #[case::for_the_workload_before_all(
        vec![sidecar("shop", "a", 9, None, &["*/*"]), sidecar("shop", "b", 0, Some("web"), &["./*"])],
        Some("shop/b")
    )]
    #[case::for_another_workload(vec![sidecar("shop", "a", 0, Some("db"), &["./*"])], None)]
    #[case::the_oldest(
        vec![sidecar("shop", "a", 0, None, &["*/*"]), sidecar("shop", "b", 9, None, &["./*"])],
        Some("shop/b")
    )]
    fn one_sidecar_decides(#[case] sidecars: Vec<Sidecar>, #[case] expected: Option<&str>) {
        assert_eq!(hiding(&sidecars, ProxyRole::Sidecar).as_deref(), expected);
    }

    #[rstest]
    #[case::the_collectors(11_800, None)]
    #[case::another(80, Some("shop/default"))]
    fn a_port_narrows_what_is_let_through(#[case] port: u32, #[case] expected: Option<&str>) {
        let mut sidecar = sidecar("shop", "default", 0, None, &["*/*"]);
        sidecar.egress[0].port = Some(port);
        assert_eq!(hiding(&[sidecar], ProxyRole::Sidecar).as_deref(), expected);
    }

    #[test]
    fn without_listeners_everything_is_let_through() {
        let mut sidecar = sidecar("shop", "default", 0, None, &[]);
        sidecar.egress.clear();
        assert_eq!(hiding(&[sidecar], ProxyRole::Sidecar), None);
    }
}
