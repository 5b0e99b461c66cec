//! Passes the objects of one kind on as changes of the directory.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::directory::records::{ObjectKind, Record};
use alscope_watch::{NextRequest, Observer, Selector, Verb, Watch, WatchFailure, WatchOptions};
use kube::Resource;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Source;
use super::advice::advice;
use crate::directory::decode::{Undecodable, decode};
use crate::directory::log_pace::LogPace;
use crate::directory::objects::Object;
use crate::directory::publisher::Change;

/// The time after which the API server is to end a watch. It is short, because records of proxies go
/// stale while a dead watch goes unnoticed.
const WATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends the objects of the kind `K` to the directory.
pub(super) struct ChangeSender<K> {
    source: Arc<Source>,
    kind: ObjectKind,
    /// The resource with its group, as RBAC names it.
    resource: String,
    is_listed: bool,
    failures: LogPace,
    skips: LogPace,
    /// Whether the log says that the watch fails.
    is_told: bool,
    objects: PhantomData<fn() -> K>,
}

impl<K: Object + Resource<DynamicType = ()> + DeserializeOwned> ChangeSender<K> {
    /// Watches all objects of the kind. The watch never ends.
    pub(super) fn watch(source: Arc<Source>, kind: ObjectKind) -> Watch<Self> {
        let (plural, group) = (K::plural(&()), K::group(&()));
        let parts = [&*plural, &*group].into_iter().filter(|part| !part.is_empty());
        let client = source.client.clone();
        let observer = ChangeSender {
            source,
            kind,
            resource: parts.collect::<Vec<_>>().join("."),
            is_listed: false,
            failures: LogPace::default(),
            skips: LogPace::default(),
            is_told: false,
            objects: PhantomData,
        };
        let options = WatchOptions {
            selector: Selector::default(),
            watch_timeout: WATCH_TIMEOUT,
            relist_interval: None,
        };
        Watch::new(client, K::url_path(&(), None), options, observer)
    }
}

impl<K: Object + DeserializeOwned> Observer for ChangeSender<K> {
    type Object = Result<Record, Undecodable>;

    fn decode<'de, D>(&self, object: D) -> Result<Self::Object, WatchFailure>
    where
        D: Deserializer<'de> + Copy,
    {
        Ok(decode::<K, _>(object, &self.source.rules))
    }

    async fn begin_list(&mut self) {
        self.source.send(Change::BeginList(self.kind)).await;
    }

    async fn apply(&mut self, object: Self::Object) {
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

    async fn delete(&mut self, object: Self::Object) {
        // The rest of a deleted object does not matter.
        let key = match object {
            Ok(record) => Some(record.key()),
            Err(undecodable) => undecodable.key,
        };
        if let Some(key) = key {
            self.source.send(Change::Delete(key)).await;
        }
    }

    async fn end_list(&mut self) {
        self.is_listed = true;
        self.source.send(Change::EndList(self.kind)).await;
        self.source.freshness.listed(self.kind);
    }

    fn heard(&mut self) {
        self.source.freshness.heard(self.kind);
    }

    /// Logs that the watch works again, if the log says that it fails.
    fn works(&mut self) {
        self.source.freshness.works(self.kind);
        if std::mem::take(&mut self.is_told) {
            info!("list and watch of {} work again", self.resource);
        }
    }

    async fn failed(&mut self, verb: Verb, failure: &WatchFailure) -> NextRequest {
        let is_without = matches!(failure, WatchFailure::Absent(_) | WatchFailure::Refused(_))
            && may_be_missing(self.kind)
            && !self.is_listed;
        if is_without {
            // A kind that is optional, and is missing or may not be read, has no objects. Once it had some,
            // they are kept: an API server that starts answers like this for a moment.
            self.source.send(Change::BeginList(self.kind)).await;
            self.source.send(Change::EndList(self.kind)).await;
            self.source.freshness.listed(self.kind);
            self.heard();
            if matches!(failure, WatchFailure::Absent(_)) {
                return NextRequest::Resume;
            }
        }
        let said = format!("{verb} {}: {failure}; {}", self.resource, advice(failure));
        self.source.freshness.failed(self.kind, &said);
        if self.failures.is_due(Instant::now()) {
            self.is_told = true;
            warn!("{said}; the collector keeps the objects that it knows and tries again");
        }
        NextRequest::Resume
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
