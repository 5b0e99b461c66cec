//! The objects of one kind: listed, then watched, for as long as the collector runs.
//!
//! kube's own watcher can't be used for it: it hides that a watch ended and that a bookmark came, so that nobody can pause after
//! the one or know by the other that the watch lives; it takes the begin of a list for a success; and of a list with one bad
//! object it prints everything and takes nothing.
//!
//! Whatever fails is tried again. A pause is at most a second and a third of the time that went wrong before it: so the directory
//! learns of the end of a short outage a few seconds later, and a long one costs the API server little.

use std::marker::PhantomData;
use std::time::Duration;

use alscope_analysis::directory::records::{ObjectKind, Record};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::TryStreamExt;
use kube::Resource;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};

use super::Source;
use super::failure::{Verb, WatchFailure};
use crate::directory::decode::{Undecodable, decode};
use crate::directory::log_pace::LogPace;
use crate::directory::objects::Object;
use crate::directory::publisher::Change;

/// Objects of one answer to a list. Of 10 000 pods the program's memory keeps 2 MiB less than with five times as many.
pub const PAGE_OBJECTS: u32 = 100;

/// The first pause after a failure, how pauses grow, and the longest. To each a random part of itself is added, so that kinds and
/// replicas don't come back together.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_factor(1.15)
    .with_max_delay(Duration::from_secs(10))
    .with_jitter()
    .without_max_times();

/// How long an answer may take. The API server itself lets a request wait in its queue for 15 s at most.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// After this time the API server is to end a watch, just after a bookmark. It is short because only a watch that does not end
/// then is known to be dead.
pub(super) const WATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the end of a watch may be late.
pub(super) const WATCH_END_GRACE: Duration = Duration::from_secs(5);

/// A watch of which something is heard after this time is of use: pauses begin anew, and the next watch without one.
pub(super) const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// A kind whose objects the directory follows.
pub(super) struct Watch<'a, K> {
    source: &'a Source,
    kind: ObjectKind,
    /// The resource with its group, as rights name it.
    resource: String,
    request: Request,
    /// Up to where everything is known; `None` when a list is needed.
    version: Option<String>,
    /// When the last list was complete.
    listed: Option<Instant>,
    pauses: ExponentialBackoff,
    failures: LogPace,
    skips: LogPace,
    /// Whether the log says that it fails.
    is_told: bool,
    objects: PhantomData<fn() -> K>,
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: Option<String>,
    r#continue: Option<String>,
}

impl<'a, K: Object + Resource<DynamicType = ()> + DeserializeOwned> Watch<'a, K> {
    pub(super) fn new(source: &'a Source, kind: ObjectKind) -> Self {
        let (plural, group) = (K::plural(&()), K::group(&()));
        let parts = [&*plural, &*group].into_iter().filter(|part| !part.is_empty());
        Watch {
            source,
            kind,
            resource: parts.collect::<Vec<_>>().join("."),
            request: Request::new(K::url_path(&(), None)),
            version: None,
            listed: None,
            pauses: BACKOFF.build(),
            failures: LogPace::default(),
            skips: LogPace::default(),
            is_told: false,
            objects: PhantomData,
        }
    }

    /// Lists and watches. Never ends.
    pub(super) async fn run(mut self) {
        loop {
            let Err((verb, failure)) = self.attempt().await else {
                continue;
            };
            if let WatchFailure::Expired(_) = failure {
                self.version = None;
                // Only a list that is out of date at once, or can't be had, is worth a pause.
                let is_old = self.listed.is_some_and(|at| at.elapsed() >= PROVEN_AFTER);
                if verb == Verb::Watch && is_old {
                    continue;
                }
            }
            self.fail(verb, &failure).await;
            sleep(self.pauses.next().unwrap_or(ANSWER_TIMEOUT)).await;
        }
    }

    /// Lists, if that is needed, and watches once.
    async fn attempt(&mut self) -> Result<(), (Verb, WatchFailure)> {
        if self.version.is_none() {
            self.version = Some(self.list().await.map_err(|failure| (Verb::List, failure))?);
        }
        self.watch().await.map_err(|failure| (Verb::Watch, failure))
    }

    /// Tells all objects; the version up to which they are all known.
    async fn list(&mut self) -> Result<String, WatchFailure> {
        self.source.send(Change::BeginList(self.kind)).await;
        let mut parameters = ListParams::default().limit(PAGE_OBJECTS);
        loop {
            let request = self
                .request
                .list(&parameters)
                .map_err(kube::Error::BuildRequest)?;
            let answer = timeout(ANSWER_TIMEOUT, self.source.client.request_text(request)).await;
            let text = answer.map_err(|_| WatchFailure::Silent(ANSWER_TIMEOUT))??;
            let page: Page<'_> = serde_json::from_str(&text).map_err(|_| WatchFailure::Unreadable)?;
            self.source.freshness.heard(self.kind);
            for object in page.items.unwrap_or_default() {
                let object = decode::<K, _>(object, &self.source.rules);
                self.apply(object).await;
            }
            let is_there = |text: &String| !text.is_empty();
            parameters.continue_token = page.metadata.r#continue.filter(is_there);
            if parameters.continue_token.is_none() {
                let version = page.metadata.resource_version.filter(is_there);
                let version = version.ok_or(WatchFailure::Unreadable)?;
                self.end_list().await;
                self.listed = Some(Instant::now());
                return Ok(version);
            }
        }
    }

    /// Tells what happens, until the API server ends the watch.
    async fn watch(&mut self) -> Result<(), WatchFailure> {
        let version = self.version.clone().unwrap_or_default();
        let parameters = WatchParams {
            timeout: Some(WATCH_TIMEOUT.as_secs() as u32),
            ..WatchParams::default()
        };
        let request = self.request.watch(&parameters, &version);
        let request = request.map_err(kube::Error::BuildRequest)?;
        let events = timeout(
            ANSWER_TIMEOUT,
            self.source.client.request_events::<Value>(request),
        )
        .await;
        let events = events.map_err(|_| WatchFailure::Silent(ANSWER_TIMEOUT))??;
        let mut events = std::pin::pin!(events);
        self.source.freshness.heard(self.kind);
        let begun = Instant::now();
        loop {
            let event = timeout_at(begun + WATCH_TIMEOUT + WATCH_END_GRACE, events.try_next()).await;
            let event = event.map_err(|_| WatchFailure::Silent(begun.elapsed()))??;
            let lasted = begun.elapsed();
            match event {
                Some(event) => self.take(event).await?,
                None if lasted < PROVEN_AFTER => return Err(WatchFailure::Ended(lasted)),
                None => {
                    self.works();
                    return Ok(());
                }
            }
            if lasted >= PROVEN_AFTER {
                self.works();
            }
        }
    }

    async fn take(&mut self, event: WatchEvent<Value>) -> Result<(), WatchFailure> {
        self.source.freshness.heard(self.kind);
        let rules = self.source.rules.clone();
        let version = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.apply(decode::<K, _>(&object, &rules)).await;
                version(&object)
            }
            WatchEvent::Deleted(object) => {
                // Of what is gone only the names count.
                let key = match decode::<K, _>(&object, &rules) {
                    Ok(record) => Some(record.key()),
                    Err(undecodable) => undecodable.key,
                };
                if let Some(key) = key {
                    self.source.send(Change::Delete(key)).await;
                }
                version(&object)
            }
            WatchEvent::Bookmark(bookmark) => {
                Some(bookmark.metadata.resource_version).filter(|version| !version.is_empty())
            }
            WatchEvent::Error(status) => return Err((*status).into()),
        };
        self.version = version.or(self.version.take());
        Ok(())
    }

    async fn apply(&mut self, object: Result<Record, Undecodable>) {
        let change = match object {
            Ok(record) => Some(Change::Apply(Box::new(record))),
            Err(Undecodable { key, name }) => {
                self.source.freshness.skipped(self.kind);
                if self.skips.is_due(Instant::now()) {
                    let kind = self.kind.as_str();
                    warn!("{kind} {name} can't be decoded and is left out; look for a field of a wrong type");
                }
                key.map(Change::Keep)
            }
        };
        if let Some(change) = change {
            self.source.send(change).await;
        }
    }

    async fn end_list(&mut self) {
        self.source.send(Change::EndList(self.kind)).await;
        self.source.freshness.listed(self.kind);
    }

    /// Says that it works again, if the log says otherwise.
    fn works(&mut self) {
        self.pauses = BACKOFF.build();
        self.source.freshness.works(self.kind);
        if std::mem::take(&mut self.is_told) {
            info!("list and watch of {} work again", self.resource);
        }
    }

    async fn fail(&mut self, verb: Verb, failure: &WatchFailure) {
        let is_without = matches!(failure, WatchFailure::Absent(_) | WatchFailure::Refused(_))
            && may_be_missing(self.kind)
            && self.listed.is_none();
        if is_without {
            // A kind that need not be there, or may not be read, has no objects. Once it had some, it is not concluded that they
            // are gone: an API server that starts answers so for a moment.
            self.source.send(Change::BeginList(self.kind)).await;
            self.end_list().await;
            self.source.freshness.heard(self.kind);
            if matches!(failure, WatchFailure::Absent(_)) {
                return;
            }
        }
        let said = format!("{verb} {}: {failure}", self.resource);
        self.source.freshness.failed(self.kind, &said);
        if self.failures.is_due(Instant::now()) {
            self.is_told = true;
            warn!("{said}; the directory goes on with what it knows, and it is tried again");
        }
    }
}

/// Whether a cluster may have no such kind, or the collector no right to it: those that come with Istio.
fn may_be_missing(kind: ObjectKind) -> bool {
    match kind {
        ObjectKind::Pod | ObjectKind::Service | ObjectKind::EndpointSlice | ObjectKind::Node => false,
        ObjectKind::ServiceEntry | ObjectKind::WorkloadEntry => true,
    }
}

fn version(object: &Value) -> Option<String> {
    let version = object
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str);
    version.filter(|version| !version.is_empty()).map(str::to_owned)
}
