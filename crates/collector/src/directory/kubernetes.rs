//! The directory source `kubernetes`: watches of Pods, Services, `EndpointSlices`, Nodes and, where Istio's definitions are
//! installed, `ServiceEntries`.
//!
//! Each object is reduced to its record when it arrives, so that ten thousand pods cost what identity needs of them.

use std::fmt::Debug;

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
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::objects::Object;
use super::publisher::Change;
use super::service_entry::ServiceEntry;

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

/// Watches all kinds until `stopping`.
pub async fn watch_all(client: Client, changes: mpsc::Sender<Change>, stopping: CancellationToken) {
    let source = Source { changes, stopping };
    tokio::join!(
        source.watch(Api::<Pod>::all(client.clone()), Kind::Pod),
        source.watch(Api::<Service>::all(client.clone()), Kind::Service),
        source.watch(Api::<EndpointSlice>::all(client.clone()), Kind::EndpointSlice),
        source.watch(Api::<Node>::all(client.clone()), Kind::Node),
        source.watch(Api::<ServiceEntry>::all(client), Kind::ServiceEntry),
    );
}

struct Source {
    changes: mpsc::Sender<Change>,
    stopping: CancellationToken,
}

impl Source {
    async fn watch<K>(&self, api: Api<K>, kind: Kind)
    where
        K: Object + Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let events = watcher(api, watcher::Config::default()).default_backoff();
        let mut events = std::pin::pin!(events.take_until(self.stopping.cancelled()));
        let mut failing = false;
        loop {
            match events.try_next().await {
                Ok(None) => return,
                Ok(Some(event)) => {
                    if std::mem::take(&mut failing) {
                        info!(?kind, "watch is back");
                    }
                    if self.forward(event, kind).await.is_err() {
                        return;
                    }
                }
                Err(error) if kind == Kind::ServiceEntry && is_absent(&error) => {
                    let none = [Change::BeginList(kind), Change::EndList(kind)];
                    for change in none {
                        if self.changes.send(change).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let plural = K::plural(&());
                        warn!(%error, "watch of {plural} failed and is tried again; \
                            check that the service account may get, list and watch {plural}");
                    }
                }
            }
        }
    }

    async fn forward<K: Object>(
        &self,
        event: Event<K>,
        kind: Kind,
    ) -> Result<(), mpsc::error::SendError<Change>> {
        let change = match event {
            Event::Init => Change::BeginList(kind),
            Event::InitApply(object) | Event::Apply(object) => Change::Apply(object.record()),
            Event::Delete(object) => Change::Delete(object.record().key()),
            Event::InitDone => Change::EndList(kind),
        };
        self.changes.send(change).await
    }
}

/// Whether the kind is not installed: then there are none of it, until it is.
fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(source)
    | watcher::Error::WatchStartFailed(source)
    | watcher::Error::WatchFailed(source)) = error
    else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if status.code == 404)
}
