//! The connection of one user: a tower service below a `kube::Client`, with the faults that hit its requests.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use serde_json::Value;
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::api_error::ApiError;
use crate::fault::{Effect, InjectionPoint, make_undecodable};
use crate::history::{RequestType, Write};
use crate::rbac;
use crate::request::{ApiRequest, Verb};
use crate::server::{Shared, time_after};
use crate::watch::watch;
use crate::write;
use crate::{delete, list};

const MIN_RETRY_DELAY: Duration = Duration::from_millis(500);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// The connection of one user.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    user: String,
    retries: u32,
}

impl Service<Request<Body>> for Connection {
    type Response = Response<ResponseBody>;
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

/// The content of a response.
enum ResponseContent {
    Object(u16, Arc<Value>),
    /// A watch, and whether its first object is spoilt.
    Watch(bool),
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, user: &str, retries: u32) -> Self {
        Self {
            shared,
            user: user.to_owned(),
            retries,
        }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<ResponseBody>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut pause = MIN_RETRY_DELAY;
        for _ in 0..self.retries {
            let response = self.once(&parts, body.clone()).await?;
            if !matches!(response.status().as_u16(), 429 | 503 | 504) {
                return Ok(response);
            }
            sleep(pause).await;
            pause = MAX_RETRY_DELAY.min(2 * pause);
        }
        self.once(&parts, body).await
    }

    async fn once(&self, parts: &Parts, body: Bytes) -> Result<Response<ResponseBody>, BoxError> {
        self.delay().await;
        let parsed = ApiRequest::parse(&self.shared.state.lock().store.kinds, &self.user, parts, body);
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
                self.delay().await;
                return respond_refusal(&refusal);
            }
        };
        let effect = {
            let mut state = self.shared.state.lock();
            *state.requests.entry(RequestType::of(&call)).or_default() += 1;
            state.faults.take(&call, InjectionPoint::Request)
        };
        let result = self.before(&call, effect).await;
        let result = self.after(&call, effect, result).await?;
        self.trace_result(&call, effect, &result);
        self.delay().await;
        match result {
            Ok(ResponseContent::Object(code, object)) => respond(code, &object),
            Ok(ResponseContent::Watch(spoils)) => match watch(self.shared.clone(), call, spoils) {
                Ok(events) => Ok(Response::new(StreamBody::new(events).boxed_unsync())),
                Err(refusal) => respond_refusal(&refusal),
            },
            Err(refusal) => respond_refusal(&refusal),
        }
    }

    /// Does what is asked, unless a fault comes before.
    async fn before(&self, call: &ApiRequest, effect: Option<Effect>) -> Result<ResponseContent, ApiError> {
        match effect {
            Some(Effect::Refuse(code)) => return Err(ApiError::injected(code)),
            Some(Effect::Hang) => self.hang(call, "hangs").await,
            Some(Effect::CrashBefore) => self.crash(call, "crash before").await,
            Some(Effect::Slow(time)) => {
                self.trace_request(call, "is slow");
                sleep(time).await;
            }
            _ => {}
        }
        self.execute(call, effect)
    }

    /// What a fault makes of an answer.
    async fn after(
        &self,
        call: &ApiRequest,
        effect: Option<Effect>,
        result: Result<ResponseContent, ApiError>,
    ) -> Result<Result<ResponseContent, ApiError>, BoxError> {
        match effect {
            Some(Effect::RefuseAfter(code)) => {
                self.trace_request(call, "done");
                return Ok(Err(ApiError::injected(code)));
            }
            Some(Effect::CrashAfter) => self.crash(call, "crash after").await,
            Some(Effect::HangAfter) => self.hang(call, "done, and hangs").await,
            Some(Effect::Break) => {
                self.trace_request(call, "done, and the connection breaks");
                self.delay().await;
                return Err("connection reset by peer".into());
            }
            _ => {}
        }
        Ok(result)
    }

    fn trace_result(
        &self,
        call: &ApiRequest,
        effect: Option<Effect>,
        result: &Result<ResponseContent, ApiError>,
    ) {
        let (code, version) = match result {
            Ok(ResponseContent::Object(code, object)) if !call.verb.reads() => {
                let version = object["metadata"]["resourceVersion"].as_str();
                (*code, version.unwrap_or_default().to_owned())
            }
            Ok(ResponseContent::Object(code, _)) => (*code, String::new()),
            Ok(ResponseContent::Watch(_)) => (200, String::new()),
            Err(refusal) => (refusal.code, String::new()),
        };
        let fault = effect.map(|effect| format!(" [{effect:?}]")).unwrap_or_default();
        self.trace_request(call, &format!("-> {code} {version}{fault}"));
    }

    /// The time on the way, in one direction.
    async fn delay(&self) {
        let time = {
            let mut state = self.shared.state.lock();
            let Some((random, longest)) = &mut state.latency else {
                return;
            };
            longest.mul_f64(random.f64())
        };
        sleep(time).await;
    }

    fn trace_request(&self, call: &ApiRequest, what: &str) {
        self.shared
            .trace(&format!("{} {} {what}", call.user, call.shown()));
    }

    async fn crash(&self, call: &ApiRequest, what: &str) {
        self.trace_request(call, what);
        // Who asks is told to be dead, and waits for no answer.
        drop(self.shared.crashes.send(call.user.clone()).await);
        std::future::pending::<()>().await;
    }

    async fn hang(&self, call: &ApiRequest, what: &str) {
        self.trace_request(call, what);
        std::future::pending::<()>().await;
    }

    fn execute(&self, call: &ApiRequest, effect: Option<Effect>) -> Result<ResponseContent, ApiError> {
        let moment = self.shared.moment();
        let mut guard = self.shared.state.lock();
        let state = &mut *guard;
        let store = &mut state.store;
        rbac::authorize(store, call, call.verb.as_str())?;
        let is_new = store.get(&call.key()).is_none();
        if call.verb == Verb::Patch && is_new && call.content_type.starts_with("application/apply-patch") {
            rbac::authorize(store, call, "create")?;
        }
        let first = store.version();
        let spoils = effect == Some(Effect::Undecodable);
        let result = match call.verb {
            Verb::Watch => return Ok(ResponseContent::Watch(spoils)),
            Verb::Get | Verb::List => {
                let lag = state.faults.lag(call);
                let version = if lag.is_zero() {
                    store.version()
                } else {
                    store.version_at(moment.at.saturating_sub(lag))
                };
                list::read(store, call, version, spoils.then_some(make_undecodable))
                    .map(|object| (200, object))
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
            self.shared.changes().notify_waiters();
        }
        result.map(|(code, object)| ResponseContent::Object(code, object))
    }
}

fn respond(code: u16, object: &Value) -> Result<Response<ResponseBody>, BoxError> {
    let body = Full::new(Bytes::from(serde_json::to_vec(object)?));
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    Ok(response.body(body.map_err(BoxError::from).boxed_unsync())?)
}

fn respond_refusal(refusal: &ApiError) -> Result<Response<ResponseBody>, BoxError> {
    if refusal.is_plain() {
        let body = Full::new(Bytes::from(refusal.message.clone()));
        let body = body.map_err(BoxError::from).boxed_unsync();
        return Ok(Response::builder().status(refusal.code).body(body)?);
    }
    respond(refusal.code, &refusal.status())
}
