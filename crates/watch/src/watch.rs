//! The loop of lists and watches.

use std::fmt;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::TryStreamExt;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::info;

use crate::{NextRequest, Observer, Verb, WatchFailure};

/// Objects in one answer to a list. With 10 000 pods the collector keeps 2 MiB less memory than
/// with five times as many.
pub const PAGE_OBJECTS: u32 = 100;

/// How long an answer may take. The API server itself keeps a request in its queue for at most 15 s.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// The first pause after a failure, the growth of the pauses, and the longest one. Each gets a random extra
/// part, so that kinds and replicas don't come back together.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_factor(1.15)
    .with_max_delay(Duration::from_secs(10))
    .with_jitter()
    .without_max_times();

/// How late the end of a watch may be.
const WATCH_END_GRACE: Duration = Duration::from_secs(5);

/// How long a watch must have lived when something is heard of it, to count as useful. The pauses then
/// start from the first one, and the next watch starts without a pause.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// Selects objects by Kubernetes' selectors. The default selects all.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Option<String>,
    fields: Option<String>,
}

impl Selector {
    /// Selects by a label selector, like `app=istiod`.
    pub fn labels(selector: &str) -> Self {
        Selector {
            labels: Some(selector.to_owned()),
            fields: None,
        }
    }

    /// Selects by a field selector, like `metadata.name=istio`.
    pub fn fields(selector: &str) -> Self {
        Selector {
            labels: None,
            fields: Some(selector.to_owned()),
        }
    }
}

/// The settings of a watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The objects that are listed and watched.
    pub selector: Selector,
    /// The time after which the API server is to end a watch, just after a bookmark. Only a watch that
    /// does not end by then is known to be dead.
    pub watch_timeout: Duration,
    /// The least time after which everything is listed again while the watch works, because nothing else
    /// makes good for a lost event. Up to half more is added at random, so that kinds and replicas don't
    /// list all at once. `None`: never.
    pub relist_interval: Option<Duration>,
}

/// Lists and watches a kind, and tells an observer.
pub struct Watch<O> {
    client: Client,
    request: Request,
    options: WatchOptions,
    observer: O,
    /// The version up to which everything is known. `None` if a list is needed.
    version: Option<String>,
    /// When the last list was complete.
    listed: Option<Instant>,
    /// When everything is listed again while the watch works.
    relist_at: Option<Instant>,
    pauses: ExponentialBackoff,
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

impl<O> fmt::Debug for Watch<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("url_path", &self.request.url_path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<O: Observer> Watch<O> {
    /// A watch of the resource at `url_path`, like `/api/v1/pods`. The client should not repeat requests
    /// by itself.
    pub fn new(client: Client, url_path: String, options: WatchOptions, observer: O) -> Self {
        Watch {
            client,
            request: Request::new(url_path),
            options,
            observer,
            version: None,
            listed: None,
            relist_at: None,
            pauses: BACKOFF.build(),
        }
    }

    /// Lists and watches. It never ends.
    pub async fn run(mut self) {
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
            if self.observer.failed(verb, &failure).await == NextRequest::Relist {
                self.version = None;
            }
            sleep(self.pauses.next().unwrap_or(RESPONSE_TIMEOUT)).await;
        }
    }

    /// Lists, if that is needed or due, and watches once.
    async fn attempt(&mut self) -> Result<(), (Verb, WatchFailure)> {
        let is_due = self.relist_at.is_some_and(|at| Instant::now() >= at);
        if self.version.is_none() || is_due {
            match self.list().await {
                Ok(version) => self.version = Some(version),
                Err(failure) if self.version.is_none() => return Err((Verb::List, failure)),
                // The watch goes on where it was, so nothing is lost by the failed list.
                Err(failure) => {
                    let path = &self.request.url_path;
                    info!(%path, %failure, "objects that are watched could not be listed again; the watch goes on");
                }
            }
            let interval = self.options.relist_interval;
            self.relist_at =
                interval.map(|least| Instant::now() + least + least.mul_f64(fastrand::f64() / 2.0));
        }
        self.watch().await.map_err(|failure| (Verb::Watch, failure))
    }

    /// Shows all objects. Returns the version up to which they are known.
    async fn list(&mut self) -> Result<String, WatchFailure> {
        self.observer.begin_list().await;
        let selector = &self.options.selector;
        let mut parameters = ListParams {
            label_selector: selector.labels.clone(),
            field_selector: selector.fields.clone(),
            limit: Some(PAGE_OBJECTS),
            ..ListParams::default()
        };
        loop {
            let request = self
                .request
                .list(&parameters)
                .map_err(kube::Error::BuildRequest)?;
            // The text is read here, because the client's own list would fail as a whole over one bad object.
            let answer = timeout(RESPONSE_TIMEOUT, self.client.request_text(request)).await;
            let text = answer.map_err(|_| WatchFailure::Silent(RESPONSE_TIMEOUT))??;
            let page: Page<'_> = serde_json::from_str(&text).map_err(|_| WatchFailure::Unreadable)?;
            self.observer.heard();
            for object in page.items.unwrap_or_default() {
                let object = self.observer.decode(object)?;
                self.observer.apply(object).await;
            }
            let is_there = |text: &String| !text.is_empty();
            parameters.continue_token = page.metadata.r#continue.filter(is_there);
            if parameters.continue_token.is_none() {
                let version = page.metadata.resource_version.filter(is_there);
                let version = version.ok_or(WatchFailure::Unreadable)?;
                self.observer.end_list().await;
                self.listed = Some(Instant::now());
                return Ok(version);
            }
        }
    }

    /// Shows what changes, until the API server ends the watch.
    async fn watch(&mut self) -> Result<(), WatchFailure> {
        let version = self.version.clone().unwrap_or_default();
        let watch_timeout = self.watch_timeout();
        let selector = &self.options.selector;
        let parameters = WatchParams {
            label_selector: selector.labels.clone(),
            field_selector: selector.fields.clone(),
            timeout: Some(watch_timeout.as_secs() as u32),
            ..WatchParams::default()
        };
        let request = self.request.watch(&parameters, &version);
        let request = request.map_err(kube::Error::BuildRequest)?;
        let events = timeout(RESPONSE_TIMEOUT, self.client.request_events::<Value>(request)).await;
        let events = events.map_err(|_| WatchFailure::Silent(RESPONSE_TIMEOUT))??;
        let mut events = std::pin::pin!(events);
        self.observer.heard();
        self.observer.begin_watch();
        let begun = Instant::now();
        loop {
            let event = timeout_at(begun + watch_timeout + WATCH_END_GRACE, events.try_next()).await;
            let event = event.map_err(|_| WatchFailure::Silent(begun.elapsed()))??;
            let lasted = begun.elapsed();
            match event {
                Some(event) => self.show(event).await?,
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

    /// The time after which the API server is to end the watch: before the next list, but not so soon that
    /// the end would look like a failure.
    fn watch_timeout(&self) -> Duration {
        let longest = self.options.watch_timeout;
        self.relist_at.map_or(longest, |at| {
            let until_list = at.saturating_duration_since(Instant::now());
            longest.min(until_list.max(2 * PROVEN_AFTER))
        })
    }

    async fn show(&mut self, event: WatchEvent<Value>) -> Result<(), WatchFailure> {
        self.observer.heard();
        let version = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.observer.apply(self.observer.decode(&object)?).await;
                version(&object)
            }
            WatchEvent::Deleted(object) => {
                self.observer.delete(self.observer.decode(&object)?).await;
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

    fn works(&mut self) {
        self.pauses = BACKOFF.build();
        self.observer.works();
    }
}

fn version(object: &Value) -> Option<String> {
    let version = object
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str);
    version.filter(|version| !version.is_empty()).map(str::to_owned)
}
