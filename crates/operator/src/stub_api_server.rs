//! Answers of an API server, for unit tests: lists and watches by path, and every other request by a rule. Nothing is stored.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use futures::StreamExt as _;
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum StubResponse {
    /// A list has these items, a watch brings nothing.
    Items(Vec<Value>),
    /// This object.
    Object(Value),
    /// A refusal or a failure.
    Code(u16),
    /// The same in these words.
    Refusal(u16, &'static str),
    /// Nothing.
    Silence,
    /// This object, after a while.
    Late(Duration, Value),
}

/// A request that came: `GET`, `LIST`, `WATCH` or the method of a write, its path, its parameters, its body, and when it came.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) parameters: HashMap<String, String>,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

type Rule = Box<dyn FnMut(&RecordedRequest) -> StubResponse + Send>;
type Lists = Box<dyn FnMut(&str) -> StubResponse + Send>;

/// The API server. Clones are one.
#[derive(Clone)]
pub(crate) struct StubApiServer(Arc<Mutex<Inner>>);

struct Inner {
    lists: BTreeMap<String, Lists>,
    rule: Rule,
    asked: Vec<RecordedRequest>,
}

impl StubApiServer {
    /// Has nothing, and refuses every write.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            lists: BTreeMap::new(),
            rule: Box::new(|_| StubResponse::Code(405)),
            asked: Vec::new(),
        })))
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Router::new().fallback(answer).with_state(self.clone()), "default")
    }

    /// Answers lists and watches of a path; a path of which nothing is said has no items.
    pub(crate) fn list(&self, path: &str, answer: StubResponse) {
        self.each(path, move |_| answer.clone());
    }

    /// Answers each list and watch of a path by its verb.
    pub(crate) fn each(&self, path: &str, lists: impl FnMut(&str) -> StubResponse + Send + 'static) {
        self.0.lock().lists.insert(path.to_owned(), Box::new(lists));
    }

    /// Answers everything else.
    pub(crate) fn rule(&self, rule: impl FnMut(&RecordedRequest) -> StubResponse + Send + 'static) {
        self.0.lock().rule = Box::new(rule);
    }

    /// Everything that came with one of these verbs.
    pub(crate) fn asked(&self, verbs: &[&str]) -> Vec<RecordedRequest> {
        let asked = self.0.lock().asked.clone();
        asked
            .into_iter()
            .filter(|one| verbs.contains(&one.verb.as_str()))
            .collect()
    }

    /// Verb and path of every write but those of Leases and events.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.asked(&["POST", "PUT", "PATCH", "DELETE"])
            .into_iter()
            .filter(|one| !one.path.contains("/leases") && !one.path.contains("/events"))
            .map(|one| format!("{} {}", one.verb, one.path))
            .collect()
    }
}

async fn answer(
    State(stub): State<StubApiServer>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX)
        .await
        .unwrap();
    let is_object = path.rsplit('/').next() == Some("alscope-operator");
    let verb = match method {
        Method::GET if query.contains_key("watch") => "WATCH",
        Method::GET if is_object => "GET",
        Method::GET => "LIST",
        ref method => method.as_str(),
    };
    let asked = RecordedRequest {
        verb: verb.to_owned(),
        path,
        parameters: query.clone(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        at: Instant::now(),
    };
    let answer = {
        let mut inner = stub.0.lock();
        inner.asked.push(asked.clone());
        match verb {
            "LIST" | "WATCH" => match inner.lists.get_mut(&asked.path) {
                Some(lists) => lists(verb),
                None => StubResponse::Items(Vec::new()),
            },
            _ => (inner.rule)(&asked),
        }
    };
    respond(answer, verb, &query).await
}

async fn respond(answer: StubResponse, verb: &str, query: &HashMap<String, String>) -> Response {
    match answer {
        StubResponse::Items(_) if verb == "WATCH" => {
            let seconds = query.get("timeoutSeconds").and_then(|text| text.parse().ok());
            let end = sleep(Duration::from_secs(seconds.unwrap()));
            let silence =
                futures::stream::once(end).filter_map(|()| async { None::<Result<String, Infallible>> });
            Body::from_stream(silence).into_response()
        }
        StubResponse::Items(items) => {
            let items: Vec<Value> = items
                .into_iter()
                .filter(|item| is_selected(item, query))
                .collect();
            Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
                .into_response()
        }
        StubResponse::Object(object) => Json(object).into_response(),
        StubResponse::Code(code) => refusal(code, "no"),
        StubResponse::Refusal(code, message) => refusal(code, message),
        StubResponse::Silence => pending().await,
        StubResponse::Late(after, object) => {
            sleep(after).await;
            Json(object).into_response()
        }
    }
}

fn refusal(code: u16, message: &str) -> Response {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "Unknown",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
}

/// Knows `metadata.name=NAME`, `LABEL=VALUE` and `LABEL`.
fn is_selected(item: &Value, query: &HashMap<String, String>) -> bool {
    let labels = &item["metadata"]["labels"];
    let by_name = query
        .get("fieldSelector")
        .and_then(|selector| selector.strip_prefix("metadata.name="))
        .is_none_or(|name| item["metadata"]["name"] == *name);
    let by_label = query
        .get("labelSelector")
        .is_none_or(|selector| match selector.split_once('=') {
            Some((label, value)) => labels[label] == *value,
            None => labels.get(selector).is_some(),
        });
    by_name && by_label
}
