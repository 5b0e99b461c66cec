//! Endpoint names: a method and a path template, such as `GET /products/{int}`.
//!
//! A name comes from the first of these that applies: the rules of the user ([`super::endpoint_rule`]); the path of a gRPC call as
//! it is; typed segments ([`super::segment`]) and, for the remaining words, what the service's trie has learned ([`super::trie`]).
//! A request for which there is no room is [`Endpoint::OVERFLOW`]. Names have no query, no fragment and only printable ASCII.
//!
//! A worker reads a request into its own [`Target`]. [`Endpoints::find`] finds known names without a write and without an
//! allocation, so that workers can share one table. Only when it finds none, [`Endpoints::learn`] is called.
//!
//! The paths of a scanner would fill a table with names that no service has. So a caller should not learn from requests that were
//! answered 404 or had no route, nor from gRPC calls that were answered `UNIMPLEMENTED`. Without a name they are
//! [`Endpoint::OVERFLOW`].
//!
//! # Bounds
//!
//! One service has at most [`ServiceLimits::names`] names, and besides them the user's rules (each with every method), `OPTIONS *`,
//! `CONNECT {authority}` and `{other}`. All services together use at most [`EndpointBounds::bytes`], counted as 128 bytes and the
//! text for each segment of the trie, the text of each name, 48 bytes and the text for each gRPC call, and 256 bytes, the name
//! and four bytes for each of its rules for a service; while a position collapses, its service counts twice.
//!
//! [`Endpoints::forget_unasked`] forgets the services that nobody asked for since the last call, such names of other services, and
//! all names of the overflow service. So each bound recovers, also that of a busy service.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::endpoint_rule::EndpointRule;
use super::method::Method;
use super::target::{Target, TargetForm};
use super::trie::{ServiceLimits, Trie};

/// The longest endpoint name that `SkyWalking` keeps by default (`SW_ENDPOINT_NAME_MAX_LENGTH`).
pub const SKYWALKING_MAX_NAME_BYTES: usize = 150;

/// Bytes of a service besides its name, its rules and its trie, including the allocator's overhead.
const SERVICE_OVERHEAD_BYTES: usize = 256;

/// The bounds of all names. The defaults are 500 names for a service, 50 words at a position, and 32 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointBounds {
    /// The bounds of each service.
    pub service: ServiceLimits,
    /// Bytes of all services' names.
    pub bytes: usize,
}

impl Default for EndpointBounds {
    fn default() -> Self {
        EndpointBounds {
            service: ServiceLimits {
                names: 500,
                values_per_position: 50,
                name_bytes: None,
            },
            bytes: 32 << 20,
        }
    }
}

/// The name of an endpoint. It is displayed as `GET /products/{int}`, or as the path alone if there is no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<'a> {
    /// The method; `None` for gRPC, whose method is always POST, and for the overflow.
    pub method: Option<Method>,
    /// The path template, such as `/products/{int}`.
    pub path: &'a str,
}

impl Endpoint<'_> {
    /// The name of all endpoints that got none because a bound was reached.
    pub const OVERFLOW: Endpoint<'static> = Endpoint {
        method: None,
        path: "{other}",
    };
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Some(method) => write!(formatter, "{} {}", method.as_str(), self.path),
            None => formatter.write_str(self.path),
        }
    }
}

/// The id of a service whose endpoints have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceId(usize);

impl ServiceId {
    /// The service that stands for all services for which there was no room.
    pub const OVERFLOW: ServiceId = ServiceId(0);
}

/// The names of all services' endpoints.
#[derive(Debug)]
pub struct Endpoints {
    settings: EndpointBounds,
    rules: Vec<EndpointRule>,
    ids: HashMap<Box<str>, ServiceId, RandomState>,
    services: Vec<ServiceEndpoints>,
    /// The ids of forgotten services, for reuse.
    free: Vec<ServiceId>,
    bytes: usize,
}

#[derive(Debug)]
struct ServiceEndpoints {
    /// The indexes of the rules that apply to this service.
    rules: Box<[u32]>,
    trie: Trie,
    /// Whether it was asked for since unused services were last forgotten.
    is_asked: AtomicBool,
}

impl ServiceEndpoints {
    /// Notes that the service was asked for. Workers share the flag, so it is written only once.
    fn note_asked(&self) {
        if !self.is_asked.load(Ordering::Relaxed) {
            self.is_asked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the service was asked for since the last call.
    fn take_asked(&mut self) -> bool {
        std::mem::take(self.is_asked.get_mut())
    }
}

impl Endpoints {
    /// A table without names. Of several rules that match, the first counts.
    pub fn new(settings: EndpointBounds, rules: Vec<EndpointRule>) -> Self {
        let mut endpoints = Endpoints {
            settings,
            rules,
            ids: HashMap::default(),
            services: Vec::new(),
            free: Vec::new(),
            bytes: 0,
        };
        endpoints.push("overflow");
        endpoints
    }

    /// The service of this name, which is added if it is new; [`ServiceId::OVERFLOW`] if there is no room.
    pub fn service(&mut self, name: &str) -> ServiceId {
        if self.ids.contains_key(name) {
            return self.known_service(name);
        }
        if self.bytes + self.service_bytes(name) > self.settings.bytes {
            return ServiceId::OVERFLOW;
        }
        let id = self.push(name);
        self.ids.insert(name.into(), id);
        id
    }

    /// The service of this name; [`ServiceId::OVERFLOW`], to which the rules for all services apply, if it is not known.
    pub fn known_service(&self, name: &str) -> ServiceId {
        let id = self.ids.get(name).copied().unwrap_or(ServiceId::OVERFLOW);
        self.services.get(id.0).inspect(|service| service.note_asked());
        id
    }

    /// Forgets the services and the names that nobody asked for since the last call, and the names of the overflow service. Ids of
    /// forgotten services become invalid.
    pub fn forget_unasked(&mut self) {
        let Endpoints {
            ids, services, free, ..
        } = self;
        let mut forgotten = Vec::new();
        let mut given_back = 0;
        ids.retain(|name, id| {
            if let Some(service) = services.get_mut(id.0)
                && service.take_asked()
            {
                let before = service.trie.bytes();
                service.trie.forget_unasked();
                given_back += before - service.trie.bytes();
                return true;
            }
            forgotten.push((name.clone(), *id));
            false
        });
        self.bytes -= given_back;
        free.extend(forgotten.iter().map(|(_, id)| *id));
        for (name, id) in forgotten {
            self.bytes -= self.service_bytes(&name);
            self.forget_names(id);
        }
        self.forget_names(ServiceId::OVERFLOW);
    }

    fn forget_names(&mut self, id: ServiceId) {
        if let Some(service) = self.services.get_mut(id.0) {
            self.bytes -= service.trie.bytes();
            service.trie = Trie::new(self.settings.service);
        }
    }

    /// The endpoint of `target`, if it is known.
    pub fn find(&self, service: ServiceId, target: &Target) -> Option<Endpoint<'_>> {
        let method = Some(target.method);
        match target.form {
            TargetForm::Asterisk => return Some(Endpoint { method, path: "*" }),
            TargetForm::Authority => {
                return Some(Endpoint {
                    method,
                    path: "{authority}",
                });
            }
            TargetForm::Path | TargetForm::Grpc => {}
        }
        let service = self.services.get(service.0)?;
        let rules = service
            .rules
            .iter()
            .filter_map(|index| self.rules.get(*index as usize));
        if let Some(rule) = rules.into_iter().find(|rule| rule.matches(target)) {
            return Some(Endpoint {
                method,
                path: rule.path(),
            });
        }
        let method = method.filter(|_| target.form != TargetForm::Grpc);
        let path = service.trie.find(target)?;
        Some(Endpoint { method, path })
    }

    /// The endpoint of `target`. If it has no name, it gets one if there is room.
    pub fn learn(&mut self, id: ServiceId, target: &Target) -> Endpoint<'_> {
        let free = self.settings.bytes.saturating_sub(self.bytes);
        if self.find(id, target).is_none()
            && let Some(service) = self.services.get_mut(id.0)
        {
            let before = service.trie.bytes();
            service.trie.learn(target, free);
            self.bytes = self.bytes - before + service.trie.bytes();
        }
        self.find(id, target).unwrap_or(Endpoint::OVERFLOW)
    }

    /// An upper bound of the bytes that the names use, see the module.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn service_bytes(&self, name: &str) -> usize {
        let rules = self.rules.iter().filter(|rule| rule.is_for(name)).count();
        SERVICE_OVERHEAD_BYTES + name.len() + rules * size_of::<u32>()
    }

    fn push(&mut self, name: &str) -> ServiceId {
        self.bytes += self.service_bytes(name);
        let rules = (0..).zip(&self.rules).filter(|(_, rule)| rule.is_for(name));
        let service = ServiceEndpoints {
            rules: rules.map(|(index, _)| index).collect(),
            trie: Trie::new(self.settings.service),
            is_asked: true.into(),
        };
        let id = self.free.pop().unwrap_or(ServiceId(self.services.len()));
        match self.services.get_mut(id.0) {
            Some(forgotten) => *forgotten = service,
            None => self.services.push(service),
        }
        id
    }
}

#[cfg(test)]
mod tests;
