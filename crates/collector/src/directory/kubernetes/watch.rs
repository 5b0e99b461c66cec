//! Lists and watches the objects of one kind, for as long as the collector runs.
//!
//! kube's own watcher does not fit. It hides the end of a watch and its bookmarks, so nobody can pause
//! after the end or tell by a bookmark that the watch is alive. It takes the beginning of a list for a
//! success. And if one object of a list is bad, it drops the whole list and prints all of it.
//!
//! Every failure is tried again. A pause is at most a second and a third of the time for which
//! requests have failed. So the directory recovers a few seconds after a short outage, and a long
//! outage costs the API server little.

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

/// Objects in one answer to a list. With 10 000 pods the process keeps 2 MiB less memory than
/// with five times as many.
pub const PAGE_OBJECTS: u32 = 100;

/// The first pause after a failure, the growth of the pauses, and the longest one. Each gets a random extra
/// part, so that kinds and replicas don't come back together.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_factor(1.15)
    .with_max_delay(Duration::from_secs(10))
    .with_jitter()
    .without_max_times();

/// How long an answer may take. The API server itself keeps a request in its queue for at most 15 s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The time after which the API server is to end a watch, just after a bookmark. It is short, because only
/// a watch that does not end by then is known to be dead.
pub(super) const WATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// How late the end of a watch may be.
pub(super) const WATCH_END_GRACE: Duration = Duration::from_secs(5);

/// How long a watch must have lived when something is heard of it, to count as useful. The pauses then
/// start from the first one, and the next watch starts without a pause.
pub(super) const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// A kind whose objects the directory follows.
pub(super) struct Watch<'a, K> {
    source: &'a Source,
    kind: ObjectKind,
    /// The resource with its group, as RBAC names it.
    resource: String,
    request: Request,
    /// The version up to which everything is known. `None` if a list is needed.
    version: Option<String>,
    /// When the last list was complete.
    listed: Option<Instant>,
    pauses: ExponentialBackoff,
    failures: LogPace,
    skips: LogPace,
    /// Whether the log says that the watch fails.
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

    /// Lists and watches. It never ends.
    pub(super) async fn run(mut self) {
        loop {
            let Err((verb, failure)) = self.attempt().await else {
                continue;
            };
            if let WatchFailure::Expired(_) = failure {
                self.version = None;
                // Pause only after a list that fails or is out of date at once.
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

    /// Sends all objects. Returns the version up to which they are known.
    async fn list(&mut self) -> Result<String, WatchFailure> {
        self.source.send(Change::BeginList(self.kind)).await;
        let mut parameters = ListParams::default().limit(PAGE_OBJECTS);
        loop {
            let request = self
                .request
                .list(&parameters)
                .map_err(kube::Error::BuildRequest)?;
            // The text is read here, because the client's own list would fail as a whole over one bad object.
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

    /// Sends what changes, until the API server ends the watch.
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
                // The rest of a deleted object does not matter.
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
        // An event without a version leaves the last one: at worst the next watch repeats some events.
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

    /// Logs that the watch works again, if the log says that it fails.
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
            // A kind that is optional, and is missing or may not be read, has no objects. Once it had some,
            // they are kept: an API server that starts answers like this for a moment.
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
            warn!("{said}; the collector keeps the objects that it knows and tries again");
        }
    }
}

/// Returns whether a cluster may lack the kind, or the collector the right to read it.
/// This holds for Istio's kinds.
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
