//! Names the endpoints of kept entries. All workers share one table: they find names under its read lock and learn them under its write
//! lock.
//!
//! A service that nobody asked for in two idle times is forgotten, and so is such a name of a service that is busy.
//!
//! A name is not learnt from a request that no endpoint answered: code 404, no route, or gRPC's `UNIMPLEMENTED`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::kept_entry::{MeasuredCall, ObservedEntry};
use crate::analyze::outcome::Outcome;
use crate::analyze::protocol::Protocol;
use crate::moment::Moment;
use crate::names::endpoint::{Endpoint, Endpoints};
use crate::names::method::Method;
use crate::names::target::{Request, Target};

/// `ResponseFlags.no_route_found`.
const FLAG_NO_ROUTE_FOUND: u32 = 9;
/// The gRPC status `UNIMPLEMENTED`.
const GRPC_UNIMPLEMENTED: u8 = 12;

/// The names, which all workers share.
#[derive(Debug)]
pub struct EndpointNames {
    endpoints: RwLock<Endpoints>,
    idle: Duration,
    /// When unused names are forgotten next, in nanoseconds since the Unix epoch.
    next: AtomicI64,
}

impl EndpointNames {
    /// The names in `endpoints`, and those that will be learnt; unused ones are forgotten after `idle`.
    pub fn new(endpoints: Endpoints, idle: Duration) -> Self {
        EndpointNames {
            endpoints: RwLock::new(endpoints),
            idle,
            next: AtomicI64::new(i64::MIN),
        }
    }

    /// Uses another idle time than that of [`EndpointNames::new`].
    pub(super) fn with_idle(self, idle: Duration) -> Self {
        EndpointNames { idle, ..self }
    }

    /// Forgets the names that nobody asked for, if that is due.
    fn forget_unasked(&self, now: Moment) {
        let next = self.next.load(Ordering::Relaxed);
        let later = now.plus(self.idle).0;
        let is_first = next == i64::MIN;
        if now.0 >= next
            && self
                .next
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            && !is_first
        {
            let mut endpoints = self.endpoints.write();
            endpoints.forget_unasked();
        }
    }
}

/// The buffers of one worker, so that a known name allocates nothing.
#[derive(Debug, Default)]
pub struct WorkerNames {
    target: Target,
    name: String,
}

impl WorkerNames {
    /// The name of the endpoint of `service` that was called; `None` for a TCP connection.
    pub fn endpoint(
        &mut self,
        names: &EndpointNames,
        service: &str,
        observed: &ObservedEntry<'_, '_>,
    ) -> Option<&str> {
        let MeasuredCall::Request { request, measure, .. } = observed.subject else {
            return None;
        };
        self.target.read(&Request {
            method: Method::from_number(request.method),
            path: request.path,
            is_grpc: matches!(measure.protocol, Protocol::Grpc(_) | Protocol::GrpcUnknown),
        });
        self.name.clear();
        names.forget_unasked(observed.received);
        let is_known = {
            let endpoints = names.endpoints.read();
            let known = endpoints.find(endpoints.known_service(service), &self.target);
            known.is_some_and(|endpoint| write!(self.name, "{endpoint}").is_ok())
        };
        if !is_known && was_answered(observed.outcome()) {
            let mut endpoints = names.endpoints.write();
            let id = endpoints.service(service);
            let written = write!(self.name, "{}", endpoints.learn(id, &self.target));
            debug_assert!(written.is_ok(), "writing to a string can't fail");
        }
        if self.name.is_empty() {
            self.name.push_str(Endpoint::OVERFLOW.path);
        }
        Some(&self.name)
    }
}

/// Whether an endpoint gave the answer.
fn was_answered(outcome: Outcome) -> bool {
    outcome.code != 404
        && !outcome.flags.contains(FLAG_NO_ROUTE_FOUND)
        && outcome.protocol != Protocol::Grpc(GRPC_UNIMPLEMENTED)
}
