//! The directory source `kubernetes`. It watches Pods, Services, `EndpointSlices` and Nodes,
//! and also `ServiceEntries` and `WorkloadEntries` where Istio's definitions are installed and
//! the collector may read them.
//!
//! Each object is reduced to its record when it arrives, so ten thousand pods cost only
//! the fields that identity needs.

mod advice;
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
use watch::ChangeSender;

/// Creates a client of the API server, from `kubeconfig` if there is one, else from the pod's service
/// account, else from the environment's kubeconfig.
pub async fn client(kubeconfig: Option<&std::path::Path>) -> anyhow::Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default())
                .await?
        }
        None => Config::infer().await?,
    };
    // Each watch has its own pauses after failures.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// The parts that every watch needs.
pub struct Source {
    /// A client of the API server.
    pub client: Client,
    /// The naming rules, which say which metadata a record keeps.
    pub rules: Arc<NamingRules>,
    /// The channel for the changes that the watches see.
    pub changes: mpsc::Sender<Change>,
    /// The record of how fresh each kind is.
    pub freshness: Arc<Freshness>,
}

impl Source {
    /// Watches all kinds until `stopping`, or until the receiver of the changes is gone.
    pub async fn watch_all(self, stopping: CancellationToken) {
        let source = Arc::new(self);
        let all = async {
            tokio::join!(
                ChangeSender::<Pod>::watch(source.clone(), ObjectKind::Pod).run(),
                ChangeSender::<Service>::watch(source.clone(), ObjectKind::Service).run(),
                ChangeSender::<EndpointSlice>::watch(source.clone(), ObjectKind::EndpointSlice).run(),
                ChangeSender::<Node>::watch(source.clone(), ObjectKind::Node).run(),
                ChangeSender::<ServiceEntry>::watch(source.clone(), ObjectKind::ServiceEntry).run(),
                ChangeSender::<WorkloadEntry>::watch(source.clone(), ObjectKind::WorkloadEntry).run(),
            )
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = source.changes.closed() => {}
            _ = all => {}
        }
    }

    /// Sends a change. The receiver is gone only when all watches end.
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
