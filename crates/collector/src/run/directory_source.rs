//! The directory's source, by the configuration: a file, an API server, or none.

use std::sync::Arc;

use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::ObjectKind;
use alscope_collector_config::{Config, Directory as DirectorySource};
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::StartError;
use crate::directory::file::follow::Followed;
use crate::directory::freshness::Freshness;
use crate::directory::publisher;
use crate::directory::{empty, kubernetes};

/// Changes of the directory that wait to be applied.
const CHANGES: usize = 4096;

/// The freshness of the kinds that the directory's source has.
pub(super) fn freshness(config: &Config) -> Freshness {
    match config.directory {
        DirectorySource::None => Freshness::default(),
        DirectorySource::File(_) | DirectorySource::Kubernetes(_) => Freshness::of(&ObjectKind::ALL),
    }
}

/// Starts the directory's source. The answer turns true when the directory is complete.
pub(super) async fn source(
    config: &Config,
    (directory, freshness): (&Arc<ArcSwap<Directory>>, &Arc<Freshness>),
    stopping: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<watch::Receiver<bool>, StartError> {
    let (synced, is_synced) = watch::channel(false);
    let (changes, taken) = mpsc::channel(CHANGES);
    let mut state = empty(config);
    match &config.directory {
        DirectorySource::File(path) => {
            let file = Followed::read(path, &mut state, freshness.clone())?;
            let read = state.publish().unwrap_or_default();
            info!(addresses = read.pod_addresses(), file = %path.display(), "directory read");
            directory.store(Arc::new(read));
            synced.send_replace(true);
            tasks.spawn(file.follow(changes, stopping.clone()));
        }
        DirectorySource::None => {
            synced.send_replace(true);
            return Ok(is_synced);
        }
        DirectorySource::Kubernetes(settings) => {
            let client = kubernetes::client(settings.kubeconfig.as_deref())
                .await
                .map_err(StartError::Kubernetes)?;
            let source = kubernetes::Source {
                client,
                rules: state.naming_rules().clone(),
                changes,
                freshness: freshness.clone(),
            };
            tasks.spawn(source.watch_all(stopping.clone()));
        }
    }
    tasks.spawn(publisher::publish(
        state,
        taken,
        directory.clone(),
        synced,
        stopping,
    ));
    Ok(is_synced)
}

/// How the wait for the directory ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is there.
    Complete,
    /// The collector was told to stop first.
    Unfinished,
}

/// Waits for the complete directory: an entry that came before it would be unattributed.
pub(super) async fn until_synced(
    mut synced: watch::Receiver<bool>,
    stop: &CancellationToken,
) -> Result<Wait, StartError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(Wait::Unfinished),
        result = synced.wait_for(|synced| *synced) => match result {
            Ok(_) => Ok(Wait::Complete),
            Err(_) => Err(StartError::DirectoryEnded),
        },
    }
}

#[cfg(test)]
mod tests;
