//! Requests and their answers: what kube's watcher asks, and nothing else. An option that is not known here is refused.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::objects::{Objects, Resource, line};

/// Kubernetes' `ListOptions`, those that are asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    limit: Option<usize>,
    r#continue: Option<String>,
    #[serde(default)]
    watch: bool,
    #[serde(default)]
    resource_version: u64,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    allow_watch_bookmarks: bool,
}

/// How long a watch lasts whose client does not say.
const LASTS: Duration = Duration::from_mins(30);

/// Answers a request.
pub(super) async fn answer(
    State(objects): State<watch::Receiver<Objects>>,
    uri: Uri,
    Query(options): Query<Options>,
) -> Response {
    match Resource::at(uri.path()) {
        // So a real API server says it of a group that is not installed: as text, not as a Status.
        None => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
        Some(resource) if options.watch => {
            let events = events(objects, resource, &options).map(Ok::<_, Infallible>);
            ([(CONTENT_TYPE, "application/json")], Body::from_stream(events)).into_response()
        }
        Some(resource) => list(&objects.borrow(), resource, &options),
    }
}

/// A page of a list. Its pages show what is there when they are asked for, and all have the version of the first: a watch from
/// there tells again what happened in between.
fn list(objects: &Objects, resource: Resource, options: &Options) -> Response {
    let begun = match &options.r#continue {
        None => Some((objects.version, "")),
        Some(token) => token
            .split_once('/')
            .and_then(|(version, after)| Some((version.parse().ok()?, after))),
    };
    let Some((version, after)) = begun else {
        return (StatusCode::BAD_REQUEST, "continue is none that was given").into_response();
    };
    let page = objects.page(resource, after, options.limit.unwrap_or(usize::MAX));
    let token = page.more_after.map(|last| format!("{version}/{last}"));
    Json(json!({
        "apiVersion": resource.api_version(),
        "kind": format!("{}List", resource.kind()),
        "metadata": { "resourceVersion": version.to_string(), "continue": token },
        "items": page.items,
    }))
    .into_response()
}

/// The lines of a watch, until its time is over, it asks for events that are forgotten, or nobody writes any more.
fn events(
    objects: watch::Receiver<Objects>,
    resource: Resource,
    options: &Options,
) -> impl Stream<Item = Bytes> + use<> {
    let lasts = options.timeout_seconds.map_or(LASTS, Duration::from_secs);
    let deadline = Instant::now() + lasts;
    let bookmarks = options.allow_watch_bookmarks;
    let begun = Some((objects, options.resource_version));
    let batches = stream::unfold(begun, move |watching| async move {
        let (mut objects, seen) = watching?;
        let writes = objects.wait_for(|objects| objects.version != seen);
        let (lines, seen) = match timeout_at(deadline, writes).await {
            Err(_) if bookmarks => (vec![bookmark(resource, seen)], None),
            Err(_) | Ok(Err(_)) => return None,
            Ok(Ok(now)) => match now.since(seen, resource) {
                Some(lines) => (lines, Some(now.version)),
                None => (vec![expired(seen)], None),
            },
        };
        Some((lines, seen.map(|seen| (objects, seen))))
    });
    batches.flat_map(stream::iter)
}

/// Up to where the client has seen everything: it goes on from there, although none of the objects is so new.
fn bookmark(resource: Resource, version: u64) -> Bytes {
    let object = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind(),
        "metadata": { "resourceVersion": version.to_string() },
    });
    line("BOOKMARK", &object)
}

/// The client must list anew.
fn expired(version: u64) -> Bytes {
    let status = json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": format!("too old resource version: {version}"),
        "reason": "Expired",
        "code": StatusCode::GONE.as_u16(),
    });
    line("ERROR", &status)
}
