//! The directory source `kubernetes`: watches of Pods, Services, `EndpointSlices`, Nodes and, where Istio's definitions are
//! installed and may be read, `ServiceEntries` and `WorkloadEntries`.
//!
//! Each object is reduced to its record when it arrives, so that ten thousand pods cost what identity needs of them.

mod failure;
mod watch;

use std::sync::Arc;

use alscope_analysis::directory::naming_rules::NamingRules;
use alscope_analysis::directory::records::ObjectKind;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::freshness::Freshness;
use super::publisher::Change;
use super::service_entry::ServiceEntry;
use super::workload_entry::WorkloadEntry;
pub use watch::PAGE_OBJECTS;
use watch::Watch;

/// A client for the API server: of `kubeconfig`, else of the pod's service account, else of the environment.
pub async fn client(kubeconfig: Option<&std::path::Path>) -> anyhow::Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::infer().await?,
    };
    // Each watch has its own pauses.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Where the watches read and write.
pub struct Source {
    /// The API server.
    pub client: Client,
    /// Which metadata is kept.
    pub rules: Arc<NamingRules>,
    /// Takes what they see.
    pub changes: mpsc::Sender<Change>,
    /// Takes how fresh it is.
    pub freshness: Arc<Freshness>,
}

impl Source {
    /// Watches all kinds until `stopping`, or until nobody takes the changes.
    pub async fn watch_all(self, stopping: CancellationToken) {
        let all = async {
            tokio::join!(
                Watch::<Pod>::new(&self, ObjectKind::Pod).run(),
                Watch::<Service>::new(&self, ObjectKind::Service).run(),
                Watch::<EndpointSlice>::new(&self, ObjectKind::EndpointSlice).run(),
                Watch::<Node>::new(&self, ObjectKind::Node).run(),
                Watch::<ServiceEntry>::new(&self, ObjectKind::ServiceEntry).run(),
                Watch::<WorkloadEntry>::new(&self, ObjectKind::WorkloadEntry).run(),
            )
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.changes.closed() => {}
            _ = all => {}
        }
    }

    /// Hands a change on. Nobody takes it only when all watches end.
    async fn send(&self, change: Change) {
        drop(self.changes.send(change).await);
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
