//! Finds the service of the directory that a host names, as Istio's virtual hosts match it (istio `pilot/pkg/networking/core`
//! `httproute.go` `generateVirtualHostDomains`). Of several matching domains Envoy takes the exact one, else the longest suffix.
//!
//! | host | service |
//! |---|---|
//! | `name.namespace.svc.domain`, `name.namespace.svc`, `name.namespace` | that Service |
//! | `name` | that Service of the caller's namespace |
//! | any of these behind another name | a headless Service: its pods have names of their own |
//! | an address | the Service or `ServiceEntry` that has it |
//! | a host of a `ServiceEntry`, by itself or by a wildcard | that host |
//!
//! The order of precedence is: a Service by its full name, a `ServiceEntry`, a Service by a shorter name, a headless Service by a
//! name below its own, a wildcard. A Service that is not exported to the proxy's namespace does not count.

use std::net::IpAddr;

use super::authority::{Authority, AuthorityHost};
use super::k8s_mesh::Lookup;
use crate::directory::query::DirectoryQuery;
use crate::directory::{ExternalHost, Owner, Service};
use crate::role::Role;
use crate::rule::Rule;

/// The port of an authority without one.
pub const DEFAULT_PORT: u16 = 80;

/// A service that a host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedService<'a> {
    /// A Kubernetes Service.
    Service(&'a Service),
    /// A host outside the mesh.
    External(&'a ExternalHost),
}

/// A Service that a host may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ServiceCandidate<'h> {
    name: &'h str,
    namespace: &'h str,
    form: NameForm,
}

/// How a host names a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameForm {
    /// By its full name, with the domain.
    Full,
    /// By a shorter name.
    Short,
    /// By a name that ends in one of them, as that of a headless Service's pod.
    Below,
}

/// The service that `authority` names to a caller in `namespace`.
pub fn named<'a>(
    authority: &Authority<'_>,
    namespace: Option<&str>,
    lookup: &mut Lookup<'a>,
) -> Option<NamedService<'a>> {
    let port = authority.port.unwrap_or(DEFAULT_PORT);
    match &authority.host {
        AuthorityHost::Address(address) => of_address(*address, namespace, port, lookup),
        AuthorityHost::Name(name) => of_name(name, namespace, port, lookup),
    }
}

fn of_address<'a>(
    address: IpAddr,
    namespace: Option<&str>,
    port: u16,
    lookup: &mut Lookup<'a>,
) -> Option<NamedService<'a>> {
    let viewer = viewer(namespace, lookup);
    let found = lookup.owner_of(address, Some(port));
    match (found.owner, found.rule) {
        (Owner::Service(service), Rule::ServiceAddress) if service.is_exported_to(viewer) => {
            Some(NamedService::Service(service))
        }
        (Owner::External(external), Rule::ServiceEntryAddress) => Some(NamedService::External(external)),
        _ => None,
    }
}

fn of_name<'a>(
    name: &str,
    namespace: Option<&str>,
    port: u16,
    lookup: &mut Lookup<'a>,
) -> Option<NamedService<'a>> {
    let domain = &*lookup.node().domain;
    let candidates = candidates(name, domain, namespace);
    let of_form = |form| {
        let candidates = candidates.iter().flatten();
        candidates.filter(move |candidate| candidate.form == form)
    };
    let (scope, viewer) = (lookup.scope(port), viewer(namespace, lookup));
    let query = lookup.query();
    let service = |candidate: &ServiceCandidate<'_>, query: &mut DirectoryQuery<'a>| {
        let service = query.service(candidate.namespace, candidate.name)?;
        service.is_exported_to(viewer).then_some(service)
    };
    for full in of_form(NameForm::Full) {
        if let Some(service) = service(full, query) {
            return Some(NamedService::Service(service));
        }
    }
    let external = query.external_host(name, &scope);
    if let Some(external) = external.filter(|external| external.is_host(name)) {
        return Some(NamedService::External(external));
    }
    for short in of_form(NameForm::Short) {
        if let Some(service) = service(short, query) {
            return Some(NamedService::Service(service));
        }
        let full = format!("{}.{}.svc.{domain}", short.name, short.namespace);
        let external = query.external_host(&full, &scope);
        if let Some(external) = external.filter(|external| external.is_host(&full)) {
            return Some(NamedService::External(external));
        }
    }
    let mut headless = of_form(NameForm::Below).filter_map(|below| service(below, query));
    let headless = headless.find(|service| service.is_headless);
    headless
        .map(NamedService::Service)
        .or_else(|| external.map(NamedService::External))
}

/// The namespace to which a Service must be exported: that of the caller, because the caller's own proxy has its virtual hosts; at
/// a waypoint the waypoint's own.
fn viewer<'n>(caller: Option<&'n str>, lookup: &Lookup<'n>) -> &'n str {
    let node = lookup.node();
    if node.role == Role::Waypoint {
        &node.namespace
    } else {
        caller.unwrap_or_default()
    }
}

/// The Services that `host` may name; of two, the one with the longer name first.
fn candidates<'h>(host: &'h str, domain: &str, caller: Option<&'h str>) -> [Option<ServiceCandidate<'h>>; 2] {
    let qualified = host
        .strip_suffix(domain)
        .and_then(|rest| rest.strip_suffix(".svc."));
    let form = if qualified.is_some() {
        NameForm::Full
    } else {
        NameForm::Short
    };
    if let Some(rest) = qualified.or_else(|| host.strip_suffix(".svc")) {
        return [candidate(rest, form), None];
    }
    match host.rsplit_once('.') {
        None => {
            let own = caller.map(|namespace| ServiceCandidate {
                name: host,
                namespace,
                form,
            });
            [own, None]
        }
        Some((_, name)) => {
            let below = caller.map(|namespace| ServiceCandidate {
                name,
                namespace,
                form: NameForm::Below,
            });
            [candidate(host, form), below]
        }
    }
}

/// The Service that `name.namespace` names, or a name that ends in it.
fn candidate(qualified: &str, form: NameForm) -> Option<ServiceCandidate<'_>> {
    let (before, namespace) = qualified.rsplit_once('.')?;
    let (name, form) = match before.rsplit_once('.') {
        Some((_, name)) => (name, NameForm::Below),
        None => (before, form),
    };
    Some(ServiceCandidate {
        name,
        namespace,
        form,
    })
}
