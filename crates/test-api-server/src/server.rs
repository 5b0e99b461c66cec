//! The server: a tower service below a `kube::Client`.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tower::{BoxError, Service};

use crate::call::{Call, Verb};
use crate::fault::{Door, Effect, Fault, FaultId, Faults, spoil};
use crate::history::Write;
use crate::rbac::{self, ADMIN};
use crate::refusal::Refusal;
use crate::store::{Key, Store};
use crate::watch::watch;
use crate::write::{self, Moment};
use crate::{delete, list};

/// When every server begins, by its own clock.
pub const BEGIN: Timestamp = Timestamp::constant(1_800_000_000, 0);

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(5);

type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

/// A Kubernetes API server in this process. Its clock is tokio's, so it stands still when a test pauses that.
#[derive(Clone, Debug)]
pub struct ApiServer(Arc<Shared>);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// One list of waiters, in order: a run that is repeated wakes them alike.
    news: Notify,
    crashes: mpsc::Sender<String>,
    since: Instant,
    /// Watches that began in an older epoch end.
    epoch: AtomicU64,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    writes: Vec<Write>,
    trace: Vec<String>,
    latency: Option<(fastrand::Rng, Duration)>,
}

/// One user's connection.
#[derive(Clone, Debug)]
struct Connection {
    shared: Arc<Shared>,
    user: String,
    retries: u32,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits when something may have changed.
    pub(crate) fn news(&self) -> &Notify {
        &self.news
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn trace(&self, line: &str) {
        self.state().tell(self.elapsed(), line);
    }

    fn moment(&self) -> Moment {
        let at = self.elapsed();
        Moment {
            time: time_after(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            at,
        }
    }
}

fn time_after(elapsed: Duration) -> Timestamp {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
    BEGIN.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
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

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        self.client_of(ADMIN)
    }

    /// A client of a user, who may do what the stored roles and bindings say.
    pub fn client_of(&self, user: &str) -> Client {
        let connection = Connection {
            shared: self.0.clone(),
            user: user.to_owned(),
            retries: 0,
        };
        Client::new(connection, "default")
    }

    /// The same, of a program with kube's own client: it sends a request that is answered with 429, 503 or 504 up to three times
    /// more, ever later.
    pub fn retrying_client_of(&self, user: &str) -> Client {
        let connection = Connection {
            shared: self.0.clone(),
            user: user.to_owned(),
            retries: 3,
        };
        Client::new(connection, "default")
    }

    /// Lets each request take a random time up to this one, before it is done and before it is answered.
    pub fn delay_requests(&self, seed: u64, longest: Duration) {
        self.0.state().latency = Some((fastrand::Rng::with_seed(seed), longest));
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        time_after(self.0.elapsed())
    }

    /// Puts a fault to work.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let mut state = self.0.state();
        state.tell(self.0.elapsed(), &format!("-- fault {fault:?}"));
        state.faults.add(fault)
    }

    /// Ends a fault.
    pub fn lift(&self, id: FaultId) {
        self.0.state().faults.lift(id);
        self.0.news.notify_waiters();
    }

    /// Ends all faults.
    pub fn lift_all(&self) {
        let mut state = self.0.state();
        state.tell(self.0.elapsed(), "-- no fault from here");
        state.faults.lift_all();
        // Watches that lag behind look again.
        self.0.news.notify_waiters();
    }

    /// Writes a line into the trace.
    pub fn note(&self, line: &str) {
        self.0.state().tell(self.0.elapsed(), &format!("-- {line}"));
    }

    /// Every request, fault and note until now, with its time.
    pub fn trace(&self) -> Vec<String> {
        self.0.state().trace.clone()
    }

    /// Every write until now that changed something.
    pub fn writes(&self) -> Vec<Write> {
        self.0.state().writes.clone()
    }

    /// The newest version.
    pub fn version(&self) -> u64 {
        self.0.state().store.version()
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
        let state = self.0.state();
        let changes = state.store.changes_after(version);
        changes
            .iter()
            .any(|change| !but.contains(&change.key.resource.as_str()))
    }

    /// Forgets old versions: watches and lists that need them are answered with 410.
    pub fn compact(&self) {
        let mut state = self.0.state();
        state.store.compact();
    }

    /// Ends every watch that there is with 410, so that its reader lists anew.
    pub fn end_watches(&self) {
        self.0.epoch.fetch_add(1, Ordering::Relaxed);
        self.0.news.notify_waiters();
    }

    /// An object; the resource is the plural with its group.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = Key {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.0.state().store.get(&key).map(|object| (*object).clone())
    }

    /// Every object of a resource.
    pub fn list(&self, resource: &str) -> Vec<Arc<Value>> {
        let state = self.0.state();
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
        let mut state = self.0.state();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = state
            .store
            .kinds
            .of_object(&text(&object["apiVersion"]), &text(&object["kind"]));
        let Some(kind) = found else {
            return;
        };
        let metadata = &object["metadata"];
        let key = Key::new(&kind, &text(&metadata["namespace"]), &text(&metadata["name"]));
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
    pub fn take_out(&self, resource: &str, namespace: &str, name: &str) {
        let moment = self.0.moment();
        let mut state = self.0.state();
        let key = Key {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if state.store.get(&key).is_some() {
            delete::take_out(&mut state.store, &key, &moment);
            self.0.news.notify_waiters();
        }
    }

    /// Does what Kubernetes' garbage collector and namespace controller do, until nothing is left to do.
    pub fn collect_garbage(&self) {
        let moment = self.0.moment();
        let mut state = self.0.state();
        let version = state.store.version();
        while delete::collect(&mut state.store, &moment) {}
        if state.store.version() != version {
            self.0.news.notify_waiters();
        }
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<AnswerBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.clone();
        Box::pin(connection.answer(request))
    }
}

/// What an answer is made of.
enum Answer {
    Object(u16, Arc<Value>),
    /// A watch, and whether its first object is spoilt.
    Watch(bool),
}

impl Connection {
    async fn answer(self, request: Request<Body>) -> Result<Response<AnswerBody>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut pause = FIRST_RETRY;
        for _ in 0..self.retries {
            let response = self.once(&parts, body.clone()).await?;
            if !matches!(response.status().as_u16(), 429 | 503 | 504) {
                return Ok(response);
            }
            sleep(pause).await;
            pause = LAST_RETRY.min(2 * pause);
        }
        self.once(&parts, body).await
    }

    async fn once(&self, parts: &Parts, body: Bytes) -> Result<Response<AnswerBody>, BoxError> {
        self.travel().await;
        let parsed = Call::parse(&self.shared.state().store.kinds, &self.user, parts, body);
        let call = match parsed {
            Ok(call) => call,
            Err(refusal) => {
                let line = format!(
                    "{} {} {} -> {}",
                    self.user,
                    parts.method,
                    parts.uri.path(),
                    refusal.code
                );
                self.shared.trace(&line);
                self.travel().await;
                return respond_refusal(&refusal);
            }
        };
        let effect = self.shared.state().faults.take(&call, Door::Request);
        let result = self.before(&call, effect).await;
        let result = self.after(&call, effect, result).await?;
        self.tell_result(&call, effect, &result);
        self.travel().await;
        match result {
            Ok(Answer::Object(code, object)) => respond(code, &object),
            Ok(Answer::Watch(spoils)) => match watch(self.shared.clone(), call, spoils) {
                Ok(events) => Ok(Response::new(StreamBody::new(events).boxed_unsync())),
                Err(refusal) => respond_refusal(&refusal),
            },
            Err(refusal) => respond_refusal(&refusal),
        }
    }

    /// Does what is asked, unless a fault comes before.
    async fn before(&self, call: &Call, effect: Option<Effect>) -> Result<Answer, Refusal> {
        match effect {
            Some(Effect::Refuse(code)) => return Err(Refusal::injected(code)),
            Some(Effect::Hang) => self.hang(call, "hangs").await,
            Some(Effect::CrashBefore) => self.crash(call, "crash before").await,
            Some(Effect::Slow(time)) => {
                self.told(call, "is slow");
                sleep(time).await;
            }
            _ => {}
        }
        self.execute(call, effect)
    }

    /// What a fault makes of an answer.
    async fn after(
        &self,
        call: &Call,
        effect: Option<Effect>,
        result: Result<Answer, Refusal>,
    ) -> Result<Result<Answer, Refusal>, BoxError> {
        match effect {
            Some(Effect::RefuseAfter(code)) => {
                self.told(call, "done");
                return Ok(Err(Refusal::injected(code)));
            }
            Some(Effect::CrashAfter) => self.crash(call, "crash after").await,
            Some(Effect::HangAfter) => self.hang(call, "done, and hangs").await,
            Some(Effect::Break) => {
                self.told(call, "done, and the connection breaks");
                self.travel().await;
                return Err("connection reset by peer".into());
            }
            _ => {}
        }
        Ok(result)
    }

    fn tell_result(&self, call: &Call, effect: Option<Effect>, result: &Result<Answer, Refusal>) {
        let (code, version) = match result {
            Ok(Answer::Object(code, object)) if !call.verb.reads() => {
                let version = object["metadata"]["resourceVersion"].as_str();
                (*code, version.unwrap_or_default().to_owned())
            }
            Ok(Answer::Object(code, _)) => (*code, String::new()),
            Ok(Answer::Watch(_)) => (200, String::new()),
            Err(refusal) => (refusal.code, String::new()),
        };
        let fault = effect.map(|effect| format!(" [{effect:?}]")).unwrap_or_default();
        self.told(call, &format!("-> {code} {version}{fault}"));
    }

    /// The time on the way, in one direction.
    async fn travel(&self) {
        let time = {
            let mut state = self.shared.state();
            let Some((random, longest)) = &mut state.latency else {
                return;
            };
            longest.mul_f64(random.f64())
        };
        sleep(time).await;
    }

    fn told(&self, call: &Call, what: &str) {
        self.shared
            .trace(&format!("{} {} {what}", call.user, call.shown()));
    }

    async fn crash(&self, call: &Call, what: &str) {
        self.told(call, what);
        // Who asks is told to be dead, and waits for no answer.
        drop(self.shared.crashes.send(call.user.clone()).await);
        std::future::pending::<()>().await;
    }

    async fn hang(&self, call: &Call, what: &str) {
        self.told(call, what);
        std::future::pending::<()>().await;
    }

    fn execute(&self, call: &Call, effect: Option<Effect>) -> Result<Answer, Refusal> {
        let moment = self.shared.moment();
        let mut guard = self.shared.state();
        let state = &mut *guard;
        let store = &mut state.store;
        rbac::authorize(store, call, call.verb.name())?;
        let is_new = store.get(&call.key()).is_none();
        if call.verb == Verb::Patch && is_new && call.content_type.starts_with("application/apply-patch") {
            rbac::authorize(store, call, "create")?;
        }
        let first = store.version();
        let spoils = effect == Some(Effect::Undecodable);
        let result = match call.verb {
            Verb::Watch => return Ok(Answer::Watch(spoils)),
            Verb::Get | Verb::List => {
                let lag = state.faults.lag(call);
                let version = if lag.is_zero() {
                    store.version()
                } else {
                    store.version_at(moment.at.saturating_sub(lag))
                };
                list::read(store, call, version, spoils.then_some(spoil)).map(|object| (200, object))
            }
            Verb::Create => write::create(store, call, &moment).map(|object| (201, object)),
            Verb::Update => write::update(store, call, &moment).map(|object| (200, object)),
            Verb::Patch => {
                write::patch(store, call, &moment).map(|object| (if is_new { 201 } else { 200 }, object))
            }
            Verb::Delete => delete::delete(store, call, &moment).map(|object| (200, object)),
            Verb::DeleteCollection => Ok((200, delete::delete_collection(store, call, &moment))),
        };
        let changes: Vec<Write> = store
            .changes_after(first)
            .iter()
            .map(|change| Write::of(change, call, time_after(change.at)))
            .collect();
        if !changes.is_empty() {
            state.writes.extend(changes);
            self.shared.news.notify_waiters();
        }
        result.map(|(code, object)| Answer::Object(code, object))
    }
}

fn respond(code: u16, object: &Value) -> Result<Response<AnswerBody>, BoxError> {
    let body = Full::new(Bytes::from(serde_json::to_vec(object)?));
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    Ok(response.body(body.map_err(BoxError::from).boxed_unsync())?)
}

fn respond_refusal(refusal: &Refusal) -> Result<Response<AnswerBody>, BoxError> {
    if refusal.is_plain() {
        let body = Full::new(Bytes::from(refusal.message.clone()));
        let body = body.map_err(BoxError::from).boxed_unsync();
        return Ok(Response::builder().status(refusal.code).body(body)?);
    }
    respond(refusal.code, &refusal.status())
}
