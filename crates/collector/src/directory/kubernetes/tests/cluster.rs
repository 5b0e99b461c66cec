//! An API server in the process, and the watches that read from it. Time is paused, so hours pass at once
//! and exactly.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use alscope_test_log::ThreadLog;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::*;
use crate::directory::freshness::KindFreshness;

/// The behaviour of an API server, or of one of its resources.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Mood {
    #[default]
    Works,
    /// Every request is answered with this status.
    Answers(u16),
    /// Lists work; watches are answered with this status.
    RefusesWatches(u16),
    /// Lists work; watches end at once.
    EndsWatches,
    /// Lists work; watches report at once that the version is forgotten.
    Forgets,
    /// No request is answered, and open watches send nothing.
    Hangs,
    /// Lists work; watches begin and then send nothing.
    IsSilent,
    /// Something answers that is not an API server.
    IsAnother,
}

/// A request: when it came, for which resource, and from which version if it was a watch.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) plural: String,
    pub(super) watch_from: Option<String>,
}

#[derive(Debug, Default)]
struct Server {
    moods: BTreeMap<&'static str, Mood>,
    mood: Mood,
    items: BTreeMap<&'static str, Vec<Value>>,
    /// The lines of watches. An event's version is its number.
    events: Vec<(&'static str, Value)>,
    asked: Vec<Asked>,
}

impl Server {
    fn mood(&self, plural: &str) -> Mood {
        self.moods.get(plural).copied().unwrap_or(self.mood)
    }
}

/// The API server, and what the collector learns from it.
pub(super) struct Cluster {
    server: Arc<Mutex<Server>>,
    changed: watch::Sender<()>,
    changes: mpsc::Receiver<Change>,
    freshness: Arc<Freshness>,
    log: ThreadLog,
    _tasks: JoinSet<()>,
}

impl Cluster {
    /// Watches an API server with this behaviour.
    pub(super) fn new(mood: Mood) -> Self {
        let server = Server {
            mood,
            ..Server::default()
        };
        let server = Arc::new(Mutex::new(server));
        let (changed, _) = watch::channel(());
        let router = Router::new()
            .fallback(answer)
            .with_state((server.clone(), changed.clone()));
        let (sender, taken) = mpsc::channel(100_000);
        let freshness = Arc::new(Freshness::of(&ObjectKind::ALL));
        let mut tasks = JoinSet::new();
        let source = Source {
            client: Client::new(router, "default"),
            rules: Arc::default(),
            changes: sender,
            freshness: freshness.clone(),
        };
        tasks.spawn(source.watch_all(CancellationToken::new()));
        Cluster {
            server,
            changed,
            changes: taken,
            freshness,
            log: ThreadLog::begin(),
            _tasks: tasks,
        }
    }

    /// Changes the behaviour of the API server from now on.
    pub(super) fn becomes(&self, mood: Mood) {
        self.server.lock().mood = mood;
        self.changed.send_replace(());
    }

    /// Changes the behaviour for one resource from now on.
    pub(super) fn answers_of(&self, plural: &'static str, mood: Mood) {
        self.server.lock().moods.insert(plural, mood);
        self.changed.send_replace(());
    }

    /// Adds an object to lists and to watches.
    pub(super) fn adds(&self, plural: &'static str, object: &Value) {
        self.says(plural, "ADDED", object);
        let mut server = self.server.lock();
        server.items.entry(plural).or_default().push(object.clone());
    }

    /// Sends a line in watches.
    pub(super) fn says(&self, plural: &'static str, event: &str, object: &Value) {
        let mut server = self.server.lock();
        let version = server.events.len() + 1;
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), json!(version.to_string()));
        }
        let line = json!({"type": event, "object": object});
        server.events.push((plural, line));
        drop(server);
        self.changed.send_replace(());
    }

    /// Lets time pass, and returns the changes that the watches reported.
    pub(super) async fn pass(&mut self, time: Duration) -> Vec<Change> {
        sleep(time).await;
        let mut learnt = Vec::new();
        while let Ok(change) = self.changes.try_recv() {
            learnt.push(change);
        }
        learnt
    }

    /// Waits until an object with this name is known. Returns how long that took.
    pub(super) async fn until_known(&mut self, name: &str) -> Duration {
        let begun = Instant::now();
        let deadline = begun + Duration::from_mins(10);
        loop {
            let change = timeout_at(deadline, self.changes.recv()).await;
            if let Change::Apply(record) = change.unwrap().unwrap()
                && record.key().id.contains(name)
            {
                return begun.elapsed();
            }
        }
    }

    /// Returns the requests for a resource since `begin`.
    pub(super) fn asked(&self, plural: &str, begin: Instant) -> Vec<Asked> {
        let server = self.server.lock();
        let asked = server.asked.iter();
        let asked = asked.filter(|asked| asked.plural == plural && asked.at >= begin);
        asked.cloned().collect()
    }

    /// Returns the freshness of a kind.
    pub(super) fn freshness(&self, kind: ObjectKind) -> KindFreshness {
        let all = self.freshness.now();
        all.into_iter().find(|freshness| freshness.kind == kind).unwrap()
    }

    /// The log lines of the watches so far.
    pub(super) fn log(&self) -> Vec<String> {
        self.log
            .messages_of("alscope_collector::directory::kubernetes::watch")
    }

    /// Returns everything that is logged on any level.
    pub(super) fn whole_log(&self) -> String {
        self.log.text()
    }
}

type Shared = (Arc<Mutex<Server>>, watch::Sender<()>);

async fn answer(
    State((server, changed)): State<Shared>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let plural = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let watch_from = query
        .get("watch")
        .and_then(|_| query.get("resourceVersion").cloned());
    let mood = {
        let mut server = server.lock();
        let mood = server.mood(&plural);
        server.asked.push(Asked {
            at: Instant::now(),
            plural: plural.clone(),
            watch_from: watch_from.clone(),
        });
        mood
    };
    match (mood, watch_from) {
        (Mood::Hangs, _) => std::future::pending().await,
        (Mood::Answers(code), _) | (Mood::RefusesWatches(code), Some(_)) => refusal(code),
        (Mood::IsAnother, _) => "<html>secret</html>".into_response(),
        (Mood::EndsWatches, Some(_)) => Body::empty().into_response(),
        (Mood::Forgets, Some(_)) => line(&json!({"type": "ERROR", "object": status(410)})).into_response(),
        (Mood::IsSilent, Some(_)) => {
            let nothing = stream::pending::<Result<String, Infallible>>();
            Body::from_stream(nothing).into_response()
        }
        (_, None) => {
            let server = server.lock();
            let items = server.items.iter().find(|(known, _)| **known == plural);
            let items = items.map(|(_, items)| items.clone());
            let version = server.events.len().to_string();
            Json(json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items}))
                .into_response()
        }
        (Mood::Works, Some(version)) => {
            let seconds = query.get("timeoutSeconds").and_then(|text| text.parse().ok());
            let end = Instant::now() + Duration::from_secs(seconds.unwrap());
            let begun = (version.parse::<usize>().unwrap(), changed.subscribe());
            let lines = stream::unfold(begun, move |(seen, mut changed)| {
                let (server, plural) = (server.clone(), plural.clone());
                async move {
                    let next = server.lock().events.len();
                    let is_over = next == seen && timeout_at(end, changed.changed()).await.is_err();
                    let mood = server.lock().mood(&plural);
                    if mood == Mood::Hangs {
                        std::future::pending::<()>().await;
                    }
                    if is_over || mood != Mood::Works {
                        return None;
                    }
                    let events = server.lock().events.clone();
                    let new = events[seen..].iter().filter(|(known, _)| *known == plural);
                    let text: String = new.map(|(_, event)| line(event)).collect();
                    Some((Ok::<_, Infallible>(text), (events.len(), changed)))
                }
            });
            Body::from_stream(lines).into_response()
        }
    }
}

fn line(event: &Value) -> String {
    format!("{event}\n")
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "so it is", "code": code})
}

fn refusal(code: u16) -> Response {
    (StatusCode::from_u16(code).unwrap(), Json(status(code))).into_response()
}
