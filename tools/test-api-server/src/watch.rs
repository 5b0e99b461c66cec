//! A watch: from a version on, every change that its selector sees, with bookmarks, until its time is over.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tower::BoxError;

use crate::api_error::ApiError;
use crate::fault::{Effect, InjectionPoint, make_undecodable};
use crate::request::ApiRequest;
use crate::server::Shared;
use crate::store::Change;

const BOOKMARK_INTERVAL: Duration = Duration::from_mins(1);
const MAX_WATCH_DURATION: Duration = Duration::from_mins(30);

/// An open watch.
struct Watch {
    shared: Arc<Shared>,
    call: ApiRequest,
    /// Every change up to this version was looked at.
    position: u64,
    pending: VecDeque<Value>,
    ends_at: Instant,
    bookmark_at: Instant,
    is_over: bool,
    spoils: bool,
    epoch: u64,
}

/// The next action of a watch.
enum Next {
    Send(Vec<Value>),
    /// Wait for changes, but look again at this time.
    Wait(Instant),
    Break,
}

/// The body of the response to a watch.
pub(crate) fn watch(
    shared: Arc<Shared>,
    call: ApiRequest,
    spoils: bool,
) -> Result<impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static, ApiError> {
    let mut pending = VecDeque::new();
    let position = {
        let state = shared.state.lock();
        let store = &state.store;
        match call.asks("resourceVersion").filter(|version| *version != "0") {
            None => {
                let namespace = Some(call.namespace.as_str()).filter(|namespace| !namespace.is_empty());
                let all = store.list(&call.kind.resource(), namespace, store.version());
                let seen = all.iter().filter(|(_, object)| call.selector.matches(object));
                pending.extend(seen.map(|(_, object)| event("ADDED", object)));
                store.version()
            }
            Some(version) => {
                let version: u64 = version
                    .parse()
                    .map_err(|_| ApiError::bad_request(&format!("Invalid resource version: {version}")))?;
                if version < store.compacted() {
                    pending.push_back(gone(version, store.compacted()));
                }
                version
            }
        }
    };
    let seconds = call
        .asks("timeoutSeconds")
        .and_then(|seconds| seconds.parse().ok());
    let now = Instant::now();
    let is_gone = pending.front().is_some_and(|event| event["type"] == "ERROR");
    let watch = Watch {
        ends_at: now + seconds.map_or(MAX_WATCH_DURATION, Duration::from_secs),
        bookmark_at: now + BOOKMARK_INTERVAL,
        epoch: shared.epoch(),
        shared,
        call,
        position,
        pending,
        is_over: is_gone,
        spoils,
    };
    Ok(futures::stream::unfold(watch, |mut watch| async move {
        let next = watch.next().await?;
        Some((next, watch))
    }))
}

impl Watch {
    /// The next line of the body; `None` at its end.
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        loop {
            if let Some(mut event) = self.pending.pop_front() {
                if std::mem::take(&mut self.spoils) {
                    make_undecodable(&mut event["object"]);
                }
                return Some(Ok(Frame::data(Bytes::from(format!("{event}\n")))));
            }
            if self.is_over {
                return None;
            }
            let shared = self.shared.clone();
            let mut news = pin!(shared.changes().notified());
            news.as_mut().enable();
            match self.look() {
                Next::Send(events) => self.pending.extend(events),
                Next::Break => return None,
                Next::Wait(until) => {
                    tokio::select! {
                        biased;
                        () = news => {}
                        () = sleep_until(until) => {}
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Next {
        let now = Instant::now();
        if now >= self.ends_at {
            return Next::Break;
        }
        if self.epoch != self.shared.epoch() {
            self.is_over = true;
            return Next::Send(vec![gone(self.position, self.position)]);
        }
        let shared = self.shared.clone();
        let mut guard = shared.state.lock();
        let state = &mut *guard;
        let lag = state.faults.lag(&self.call);
        let elapsed = self.shared.elapsed();
        let (mut events, mut lost) = (Vec::new(), Vec::new());
        let mut held_until = None;
        for change in state.store.changes_after(self.position) {
            if change.at + lag > elapsed {
                held_until = Some(now + (change.at + lag).saturating_sub(elapsed));
                break;
            }
            self.position = change.version;
            let Some(event) = self.event_of(change) else {
                continue;
            };
            match state.faults.take(&self.call, InjectionPoint::Event) {
                None => events.push(event),
                Some(Effect::DropEvent) => {
                    let line = format!(
                        "{} {} loses {}",
                        self.call.user,
                        self.call.shown(),
                        change.version
                    );
                    lost.push(line);
                }
                Some(Effect::RepeatEvent) => events.extend([event.clone(), event]),
                Some(Effect::Gone) => {
                    events.push(gone(change.version, change.version));
                    self.is_over = true;
                    break;
                }
                Some(_) => {
                    // What was not sent is sent to the next watch.
                    self.position = change.version - 1;
                    self.is_over = true;
                    break;
                }
            }
        }
        for line in lost {
            state.tell(elapsed, &line);
        }
        if !events.is_empty() || self.is_over {
            return Next::Send(events);
        }
        self.wait(now, held_until)
    }

    /// The action while there is no event: a bookmark, or a pause.
    fn wait(&mut self, now: Instant, held_until: Option<Instant>) -> Next {
        if now >= self.bookmark_at && self.call.is_asked("allowWatchBookmarks") && held_until.is_none() {
            self.bookmark_at = now + BOOKMARK_INTERVAL;
            return Next::Send(vec![self.bookmark()]);
        }
        let until = held_until.unwrap_or(self.ends_at).min(self.ends_at);
        Next::Wait(if self.call.is_asked("allowWatchBookmarks") {
            until.min(self.bookmark_at.max(now + Duration::from_millis(1)))
        } else {
            until
        })
    }

    fn bookmark(&self) -> Value {
        event(
            "BOOKMARK",
            &json!({
                "apiVersion": self.call.kind.api_version(), "kind": self.call.kind.name,
                "metadata": {"resourceVersion": self.position.to_string(), "creationTimestamp": null},
            }),
        )
    }

    /// What a change is to this watch: also an object that its selector begins to see, or sees no longer.
    fn event_of(&self, change: &Change) -> Option<Value> {
        let is_here = change.key.resource == self.call.kind.resource()
            && (self.call.namespace.is_empty() || self.call.namespace == change.key.namespace);
        if !is_here {
            return None;
        }
        let seen = |object: &Option<Arc<Value>>| {
            object
                .as_ref()
                .filter(|object| self.call.selector.matches(object))
                .map(|object| (**object).clone())
        };
        match (seen(&change.before), seen(&change.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(event("ADDED", &after)),
            (Some(_), Some(after)) => Some(event("MODIFIED", &after)),
            (Some(mut before), None) => {
                before["metadata"]["resourceVersion"] = json!(change.version.to_string());
                Some(event("DELETED", &before))
            }
        }
    }
}

fn event(type_: &str, object: &Value) -> Value {
    json!({"type": type_, "object": object})
}

fn gone(version: u64, oldest: u64) -> Value {
    let refusal = ApiError::expired(format!("too old resource version: {version} ({oldest})"));
    event("ERROR", &refusal.status())
}
