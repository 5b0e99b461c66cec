//! Faults that a test injects into requests and watches.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rbac::ADMIN;
use crate::request::{ApiRequest, Verb};

/// The effect of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The request is answered with this HTTP status and not done.
    Refuse(u16),
    /// The request is done, and answered with this HTTP status.
    RefuseAfter(u16),
    /// The request is neither done nor answered.
    Hang,
    /// The request is done and not answered.
    HangAfter,
    /// The request is done, and its connection breaks before the answer.
    Break,
    /// The request reaches the server after this delay.
    Slow(Duration),
    /// The program that asks dies before the request is done.
    CrashBefore,
    /// The program that asks dies after the request is done.
    CrashAfter,
    /// Of an answer to a read, the first object is of no version that the reader knows.
    Undecodable,
    /// Reads return the state of this long ago, and watches lag behind by as much.
    Stale(Duration),
    /// A watch ends without an error.
    Close,
    /// A watch ends because its version is too old.
    Gone,
    /// An event of a watch is left out.
    DropEvent,
    /// An event of a watch comes twice.
    RepeatEvent,
}

/// A fault: which requests it hits, and what it does to them.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The user whose requests are hit; empty means everybody but the administrator.
    pub user: String,
    /// The verb of the requests; absent means all verbs.
    pub verb: Option<Verb>,
    /// The plural of the resource; empty means all resources.
    pub resource: String,
    /// How many matching requests pass first.
    pub skip: u32,
    /// How many requests are hit after that.
    pub times: u32,
    /// The effect of a fault.
    pub effect: Effect,
}

/// The identity of an active fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

/// The faults that are active.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Vec<(FaultId, Fault)>,
    next: u64,
}

/// Where a fault takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InjectionPoint {
    /// When a request arrives.
    Request,
    /// Before a watch sends an event.
    Event,
}

impl Effect {
    fn door(self) -> InjectionPoint {
        match self {
            Self::Close | Self::Gone | Self::DropEvent | Self::RepeatEvent => InjectionPoint::Event,
            _ => InjectionPoint::Request,
        }
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        self.next += 1;
        let id = FaultId(self.next);
        self.all.push((id, fault));
        id
    }

    pub(crate) fn clear_fault(&mut self, id: FaultId) {
        self.all.retain(|(one, _)| *one != id);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.all.clear();
    }

    /// The effect on this request or event; `None` if no fault hits it.
    pub(crate) fn take(&mut self, call: &ApiRequest, door: InjectionPoint) -> Option<Effect> {
        let (_, fault) = self.all.iter_mut().find(|(_, fault)| {
            let is_stale = matches!(fault.effect, Effect::Stale(_));
            fault.times > 0 && !is_stale && fault.effect.door() == door && fault.meets(call)
        })?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.effect)
    }

    /// How far reads of this kind lag behind.
    pub(crate) fn lag(&self, call: &ApiRequest) -> Duration {
        let lags = self.all.iter().filter_map(|(_, fault)| match fault.effect {
            Effect::Stale(lag) if fault.meets(call) => Some(lag),
            _ => None,
        });
        lags.max().unwrap_or_default()
    }
}

impl Fault {
    fn meets(&self, call: &ApiRequest) -> bool {
        let is_theirs = if self.user.is_empty() {
            call.user != ADMIN
        } else {
            self.user == call.user
        };
        is_theirs
            && self.verb.is_none_or(|verb| verb == call.verb)
            && (self.resource.is_empty() || self.resource == call.kind.plural)
    }
}

/// Breaks an object so that a reader of its kind can't decode it, while its metadata stays readable.
pub(crate) fn make_undecodable(object: &mut Value) {
    match object["kind"].as_str() {
        Some("MeshObservability") => object["spec"]["managementState"] = json!("Hibernated"),
        Some("ConfigMap" | "Secret") => object["data"] = json!(7),
        Some("EndpointSlice") => object["endpoints"] = json!(7),
        _ => object["spec"] = json!(7),
    }
}
