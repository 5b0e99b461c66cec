//! The directory source `kubernetes`: watches of Pods, Services, `EndpointSlices`, Nodes and, where Istio's definitions are
//! installed and may be read, `ServiceEntries` and `WorkloadEntries`.
//!
//! Each object is reduced to its record when it arrives, so that ten thousand pods cost what identity needs of them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::directory::naming::NamingRules;
use alscope_analysis::directory::records::Kind;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::objects::Object;
use super::publisher::Change;
use super::service_entry::ServiceEntry;
use super::workload_entry::WorkloadEntry;

/// A client for the API server: of `kubeconfig`, else of the pod's service account, else of the environment.
pub async fn client(kubeconfig: Option<&std::path::Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::infer().await?,
    };
    Ok(Client::try_from(config)?)
}

/// Watches all kinds until `stopping`; `rules` say which metadata is kept.
pub async fn watch_all(
    client: Client,
    rules: Arc<NamingRules>,
    changes: mpsc::Sender<Change>,
    stopping: CancellationToken,
) {
    let source = Source {
        rules,
        changes,
        stopping,
    };
    tokio::join!(
        source.watch(Api::<Pod>::all(client.clone()), Kind::Pod),
        source.watch(Api::<Service>::all(client.clone()), Kind::Service),
        source.watch(Api::<EndpointSlice>::all(client.clone()), Kind::EndpointSlice),
        source.watch(Api::<Node>::all(client.clone()), Kind::Node),
        source.watch(Api::<ServiceEntry>::all(client.clone()), Kind::ServiceEntry),
        source.watch(Api::<WorkloadEntry>::all(client), Kind::WorkloadEntry),
    );
}

/// The API server's answer about a kind that is not installed.
const ABSENT: u16 = 404;
/// Its answer to who may not read a kind.
const FORBIDDEN: u16 = 403;
/// How long until it is asked again, at first and at most: kube begins each list anew, without its own growing pauses. A right that
/// was given a moment ago is in force a moment later.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Objects of one answer to a list. Of 10 000 pods the program's memory keeps 2 MiB less than with five times as many.
pub const PAGE: u32 = 100;

struct Source {
    rules: Arc<NamingRules>,
    changes: mpsc::Sender<Change>,
    stopping: CancellationToken,
}

impl Source {
    async fn watch<K>(&self, api: Api<K>, kind: Kind)
    where
        K: Object + Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let events = watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff();
        let mut events = std::pin::pin!(events.take_until(self.stopping.cancelled()));
        let mut failing = false;
        let (first, longest) = PAUSES;
        let mut pause = first;
        loop {
            match events.try_next().await {
                Ok(None) => return,
                Ok(Some(event)) => {
                    // A list that is only begun can still fail.
                    if !matches!(event, Event::Init) {
                        pause = first;
                        if std::mem::take(&mut failing) {
                            info!(?kind, "watch is back");
                        }
                    }
                    if self.forward(event, kind).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let refusal = refusal(&error);
                    let need_not_be = matches!(kind, Kind::ServiceEntry | Kind::WorkloadEntry);
                    let is_absent = need_not_be && refusal == Some(ABSENT);
                    if !is_absent && !std::mem::replace(&mut failing, true) {
                        let plural = K::plural(&());
                        warn!(%error, "watch of {plural} failed and is tried again; \
                            check that the service account may get, list and watch {plural}");
                    }
                    let is_refused = matches!(refusal, Some(ABSENT | FORBIDDEN));
                    if need_not_be && is_refused {
                        if !self.without(kind, pause).await {
                            return;
                        }
                        pause = longest.min(2 * pause);
                    }
                }
            }
        }
    }

    /// Goes on without the objects of a kind that need not be there, and waits before it is tried again. `false` when told to
    /// stop.
    async fn without(&self, kind: Kind, pause: Duration) -> bool {
        for change in [Change::BeginList(kind), Change::EndList(kind)] {
            if self.changes.send(change).await.is_err() {
                return false;
            }
        }
        tokio::select! {
            () = self.stopping.cancelled() => false,
            () = sleep(pause) => true,
        }
    }

    async fn forward<K: Object>(
        &self,
        event: Event<K>,
        kind: Kind,
    ) -> Result<(), mpsc::error::SendError<Change>> {
        let change = match event {
            Event::Init => Change::BeginList(kind),
            Event::InitApply(object) | Event::Apply(object) => {
                Change::Apply(Box::new(object.record(&self.rules)))
            }
            Event::Delete(object) => Change::Delete(object.record(&self.rules).key()),
            Event::InitDone => Change::EndList(kind),
        };
        self.changes.send(change).await
    }
}

/// The status with which the API server refused a watch.
fn refusal(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
