//! The source that fills the directory, as configured: a file, a Kubernetes API server, or none.

use std::sync::Arc;

use alscope_analysis::directory::Directory;
use alscope_analysis::directory::records::ObjectKind;
use alscope_collector_config::{Config, Directory as Configured};
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::directory::file::FileError;
use crate::directory::file::follow::FollowedFile;
use crate::directory::freshness::Freshness;
use crate::directory::publisher;
use crate::directory::{empty, kubernetes};

/// How many changes of the directory may wait to be applied. A source waits while there are as many.
const CHANGE_CAPACITY: usize = 4096;

/// The errors that keep the directory from being filled.
#[derive(Debug, thiserror::Error)]
pub enum DirectorySourceError {
    /// The directory file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The watches ended before the directory was complete, which only a fault of the program can cause.
    #[error(
        "directory.kubernetes: the watches ended before all objects were listed; look at the errors in the log and start the \
         collector again"
    )]
    Ended,
    /// There is neither a service account nor a kubeconfig, or it cannot be used.
    #[error(
        "directory.kubernetes: {0:#}; run in a cluster, set KUBECONFIG or directory.kubernetes.kubeconfig, or use directory.file"
    )]
    Kubernetes(anyhow::Error),
}

/// Builds the freshness for the kinds of objects that the configured source has.
pub fn freshness(config: &Config) -> Freshness {
    match config.directory {
        Configured::None => Freshness::default(),
        Configured::File(_) | Configured::Kubernetes(_) => Freshness::of(&ObjectKind::ALL),
    }
}

/// Starts the configured source, which fills `directory`. The returned channel turns true
/// when the directory is complete.
pub async fn source(
    config: &Config,
    directory: &Arc<ArcSwap<Directory>>,
    freshness: &Arc<Freshness>,
    stopping: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<watch::Receiver<bool>, DirectorySourceError> {
    let (synced, is_synced) = watch::channel(false);
    let (changes, taken) = mpsc::channel(CHANGE_CAPACITY);
    let mut state = empty(config);
    match &config.directory {
        Configured::File(path) => {
            let file = FollowedFile::read(path, &mut state, freshness.clone())?;
            let read = state.publish().unwrap_or_default();
            info!(addresses = read.pod_addresses(), file = %path.display(), "directory read");
            directory.store(Arc::new(read));
            synced.send_replace(true);
            tasks.spawn(file.follow(changes, stopping.clone()));
        }
        Configured::None => {
            synced.send_replace(true);
            return Ok(is_synced);
        }
        Configured::Kubernetes(settings) => {
            let client = kubernetes::client(settings.kubeconfig.as_deref())
                .await
                .map_err(DirectorySourceError::Kubernetes)?;
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

/// The outcome of the wait for the directory.
#[derive(Debug, PartialEq, Eq)]
pub enum DirectoryWait {
    /// Every kind has been listed.
    Complete,
    /// The collector was told to stop before that.
    Unfinished,
}

/// Waits for the complete directory, because the parties of earlier entries would not be found.
pub async fn until_synced(
    mut synced: watch::Receiver<bool>,
    stop: &CancellationToken,
) -> Result<DirectoryWait, DirectorySourceError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(DirectoryWait::Unfinished),
        result = synced.wait_for(|synced| *synced) => match result {
            Ok(_) => Ok(DirectoryWait::Complete),
            Err(_) => Err(DirectorySourceError::Ended),
        },
    }
}

#[cfg(test)]
mod tests;
