//! The server: its objects, its faults, and its history.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::delete;
use crate::fault::{Fault, FaultId, Faults};
use crate::history::{RequestType, Write};
use crate::rbac::ADMIN;
use crate::store::{ObjectKey, Store};
use crate::write::WriteTime;

/// When every server begins, by its own clock.
pub const START_TIME: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// A Kubernetes API server in this process. Its clock is tokio's, so it stands still when a test pauses that.
#[derive(Clone, Debug)]
pub struct ApiServer(Arc<Shared>);

/// The parts of the server that all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// One list of waiters, in order: a run that is repeated wakes them alike.
    news: Notify,
    pub(crate) crashes: mpsc::Sender<String>,
    since: Instant,
    /// Watches that began in an older epoch end.
    epoch: AtomicU64,
}

/// The state behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) writes: Vec<Write>,
    pub(crate) requests: BTreeMap<RequestType, usize>,
    trace: Vec<String>,
    pub(crate) latency: Option<(fastrand::Rng, Duration)>,
}

impl Shared {
    /// Wakes who waits when something may have changed.
    pub(crate) fn changes(&self) -> &Notify {
        &self.news
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn trace(&self, line: &str) {
        self.state.lock().tell(self.elapsed(), line);
    }

    pub(crate) fn moment(&self) -> WriteTime {
        let at = self.elapsed();
        WriteTime {
            time: time_after(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            at,
        }
    }
}

pub(crate) fn time_after(elapsed: Duration) -> Timestamp {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
    START_TIME.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
}

impl State {
    pub(crate) fn tell(&mut self, at: Duration, line: &str) {
        self.trace.push(format!("{:>9.3}s {line}", at.as_secs_f64()));
    }
}

impl ApiServer {
    /// A server with the namespaces `default` and `kube-system`, and where it tells of users whose program dies by a fault.
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (crashes, deaths) = mpsc::channel(16);
        let server = Self(Arc::new(Shared {
            state: Mutex::new(State {
                store: Store::new(),
                faults: Faults::default(),
                writes: Vec::new(),
                requests: BTreeMap::new(),
                trace: Vec::new(),
                latency: None,
            }),
            news: Notify::new(),
            crashes,
            since: Instant::now(),
            epoch: AtomicU64::new(0),
        }));
        for name in ["default", "kube-system"] {
            server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
        (server, deaths)
    }

    /// A client of the administrator, who may do everything.
    pub fn client(&self) -> Client {
        self.client_of(ADMIN)
    }

    /// A client of a user, who may do what the stored roles and bindings say.
    pub fn client_of(&self, user: &str) -> Client {
        Client::new(Connection::new(self.0.clone(), user, 0), "default")
    }

    /// The same, of a program with kube's own client: it sends a request that is answered with 429, 503 or 504 up to three times
    /// more, ever later.
    pub fn retrying_client_of(&self, user: &str) -> Client {
        Client::new(Connection::new(self.0.clone(), user, 3), "default")
    }

    /// Lets each request take a random time up to this one, before it is done and before it is answered.
    pub fn delay_requests(&self, seed: u64, longest: Duration) {
        self.0.state.lock().latency = Some((fastrand::Rng::with_seed(seed), longest));
    }

    /// The current time of the server.
    pub fn now(&self) -> Timestamp {
        time_after(self.0.elapsed())
    }

    /// Activates a fault.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let mut state = self.0.state.lock();
        state.tell(self.0.elapsed(), &format!("-- fault {fault:?}"));
        state.faults.add(fault)
    }

    /// Ends an active fault.
    pub fn clear_fault(&self, id: FaultId) {
        self.0.state.lock().faults.clear_fault(id);
        self.0.news.notify_waiters();
    }

    /// Ends all active faults.
    pub fn clear_faults(&self) {
        let mut state = self.0.state.lock();
        state.tell(self.0.elapsed(), "-- no fault from here");
        state.faults.clear_faults();
        // Watches that lag behind look again.
        self.0.news.notify_waiters();
    }

    /// Adds a line to the trace.
    pub fn note(&self, line: &str) {
        self.0.state.lock().tell(self.0.elapsed(), &format!("-- {line}"));
    }

    /// Every request, fault and note until now, with its time.
    pub fn trace(&self) -> Vec<String> {
        self.0.state.lock().trace.clone()
    }

    /// Every write until now that changed something.
    pub fn writes(&self) -> Vec<Write> {
        self.0.state.lock().writes.clone()
    }

    /// How often what was asked until now, also in vain and with no effect. Each retry of a client counts.
    pub fn requests(&self) -> BTreeMap<RequestType, usize> {
        self.0.state.lock().requests.clone()
    }

    /// The newest resourceVersion.
    pub fn version(&self) -> u64 {
        self.0.state.lock().store.version()
    }

    /// Waits for a version that is newer than this one.
    pub async fn newer_than(&self, version: u64) -> u64 {
        loop {
            let mut news = pin!(self.0.news.notified());
            news.as_mut().enable();
            let newest = self.version();
            if newest > version {
                return newest;
            }
            news.await;
        }
    }

    /// Whether an object of another resource than these has changed after a version.
    pub fn has_changed(&self, version: u64, but: &[&str]) -> bool {
        let state = self.0.state.lock();
        let changes = state.store.changes_after(version);
        changes
            .iter()
            .any(|change| !but.contains(&change.key.resource.as_str()))
    }

    /// Forgets old versions: watches and lists that need them are answered with 410.
    pub fn compact(&self) {
        let mut state = self.0.state.lock();
        state.store.compact();
    }

    /// Ends every open watch with 410, so that its reader lists again.
    pub fn end_watches(&self) {
        self.0.epoch.fetch_add(1, Ordering::Relaxed);
        self.0.news.notify_waiters();
    }

    /// An object; the resource is the plural with its group.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = ObjectKey {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.0
            .state
            .lock()
            .store
            .get(&key)
            .map(|object| (*object).clone())
    }

    /// All objects of a resource, sorted by namespace and name.
    pub fn list(&self, resource: &str) -> Vec<Arc<Value>> {
        let state = self.0.state.lock();
        state
            .store
            .of(resource)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Stores an object as it is, with its status: what nodes and controllers have made. It is nobody's request. An object
    /// without a uid gets one. Objects of kinds that are not served are not stored.
    pub fn put(&self, mut object: Value) {
        let moment = self.0.moment();
        let mut state = self.0.state.lock();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = state
            .store
            .kinds
            .of_object(&text(&object["apiVersion"]), &text(&object["kind"]));
        let Some(kind) = found else {
            return;
        };
        let metadata = &object["metadata"];
        let key = ObjectKey::new(&kind, &text(&metadata["namespace"]), &text(&metadata["name"]));
        let known = state.store.get(&key);
        if metadata.get("uid").is_none() {
            let known = known.as_ref().map(|known| known["metadata"]["uid"].clone());
            object["metadata"]["uid"] = known.unwrap_or_else(|| json!(state.store.uid()));
        }
        if object["metadata"].get("creationTimestamp").is_none() {
            object["metadata"]["creationTimestamp"] = json!(moment.time);
        }
        state.store.commit(&key, Some(object), moment.at);
        self.0.news.notify_waiters();
    }

    /// Takes an object out at once, whatever it waits for.
    pub fn remove_object(&self, resource: &str, namespace: &str, name: &str) {
        let moment = self.0.moment();
        let mut state = self.0.state.lock();
        let key = ObjectKey {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if state.store.get(&key).is_some() {
            delete::remove_object(&mut state.store, &key, &moment);
            self.0.news.notify_waiters();
        }
    }

    /// Does what Kubernetes' garbage collector and namespace controller do, until nothing is left to do.
    pub fn collect_garbage(&self) {
        let moment = self.0.moment();
        let mut state = self.0.state.lock();
        let version = state.store.version();
        while delete::collect(&mut state.store, &moment) {}
        if state.store.version() != version {
            self.0.news.notify_waiters();
        }
    }
}
