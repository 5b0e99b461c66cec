//! Replays a recording as if its messages came in now, each at its own time, and returns what a scrape
//! would show. It serves bug reports, and tests that hold the rules to streams of real proxies.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use als_proto::{NotARecording, Recording};
use alscope_analysis::aggregate::registry::Registry;
use alscope_analysis::aggregate::totals::{Snapshot, Totals};
use alscope_analysis::directory::Directory;
use alscope_analysis::moment::Moment;
use alscope_collector_config::{Config, Directory as Source};
use arc_swap::ArcSwap;

use crate::configure::persistence::{BadEndpointRule, persistence};
use crate::configure::shards::shard;
use crate::directory::{empty, file};
use crate::envoy_metrics::Proxies;
use crate::export::exporters::Queues;
use crate::ingest::Ingest;
use crate::receive::Handler as _;
use crate::receive::method::Method;

/// The errors of a replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file can't be read.
    #[error("{path}: {source}; give a file that `alscope-collector record` wrote", path = path.display())]
    Unreadable {
        /// The recording's path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a recording.
    #[error("{path}: {source}; give a file that `alscope-collector record` wrote", path = path.display())]
    NotARecording {
        /// The file's path.
        path: PathBuf,
        /// The reader's error.
        source: NotARecording,
    },
    /// The directory file can't be used.
    #[error(transparent)]
    Directory(#[from] file::FileError),
    /// An endpoint rule can't be used.
    #[error(transparent)]
    EndpointRule(#[from] BadEndpointRule),
    /// The configuration names a Kubernetes API server, which knows the pods of today and
    /// not those of the recording.
    #[error(
        "directory.kubernetes says who has an address now, not who had it when the recording was made; save what \
         `kubectl get pods,services,endpointslices,nodes -A -o json` printed at that time in a file and name it in directory.file, or \
         write `directory: {{ none: {{}} }}` if mx-mesh is the only analyzer"
    )]
    LiveDirectory,
}

/// The result of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// The snapshot with all counts.
    pub snapshot: Snapshot,
    /// The directory's version, which the exposition shows.
    pub directory_version: u64,
    /// The items of the directory file that can't be decoded, by their names.
    pub left_out: Vec<String>,
    /// Whether the recording ends in the middle of a record.
    pub is_cut_off: bool,
}

/// Replays the file at `path` with a configuration.
pub async fn replay(config: &Config, path: PathBuf) -> Result<Replayed, ReplayError> {
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ReplayError::Unreadable { path, source }),
    };
    let recording = match Recording::read(&bytes) {
        Ok(recording) => recording,
        Err(source) => return Err(ReplayError::NotARecording { path, source }),
    };
    let (directory, left_out) = directory(config)?;
    let directory_version = directory.version();
    let registry = Arc::new(Registry::default());
    let shard = shard(config, &registry, persistence(config)?);
    let ingest = Ingest {
        shard: shard.clone(),
        directory: Arc::new(ArcSwap::from_pointee(directory)),
        proxies: Arc::new(Proxies::default()),
        accept_metrics_service: false,
        // There is no exporter, so entries that would be kept are only counted.
        exporters: Queues::default(),
    };
    let mut streams = HashMap::new();
    let mut last = Moment(0);
    let mut is_cut_off = false;
    for record in recording {
        let Ok(record) = record else {
            is_cut_off = true;
            break;
        };
        last = Moment(i64::try_from(record.received_unix_nanos).unwrap_or(i64::MAX));
        let method = if record.satellite {
            Method::SatelliteAccessLogs
        } else {
            Method::AccessLogs
        };
        let stream = streams
            .entry(record.stream)
            .or_insert_with(|| ingest.begin(method));
        if let Some(stream) = stream {
            ingest.message_at(stream, record.message, last).await;
        }
    }
    let mut totals = Totals::new(last);
    let mut shard = shard.lock();
    shard.drain_into(&mut totals, usize::MAX, last);
    Ok(Replayed {
        snapshot: totals.publish(last),
        directory_version,
        left_out,
        is_cut_off,
    })
}

/// Reads the directory. Returns it with the names of the items that can't be decoded.
fn directory(config: &Config) -> Result<(Directory, Vec<String>), ReplayError> {
    match &config.directory {
        Source::File(path) => {
            let mut state = empty(config);
            let left_out = file::load(path, &mut state)?;
            let name = |(kind, item): file::LeftOut| format!("{} {}", kind.as_str(), item.name);
            Ok((
                state.publish().unwrap_or_default(),
                left_out.into_iter().map(name).collect(),
            ))
        }
        Source::None => Ok((Directory::default(), Vec::new())),
        Source::Kubernetes(_) => Err(ReplayError::LiveDirectory),
    }
}
