//! Builds the workers' shards, with their analyzers and bounds, and the registry of
//! series that the shards share.

use std::sync::Arc;

use alscope_analysis::aggregate::registry::{Registry, RegistryBounds};
use alscope_analysis::chain::{self, Chain};
use alscope_analysis::identify::CallerAddress;
use alscope_analysis::persistence::Persistence;
use alscope_analysis::shard::{AnalysisSettings, Shard};
use alscope_collector_config::{Analyzer, Config};
use parking_lot::Mutex;

/// Builds one shard for each worker, and the registry that they share.
pub fn shards(
    config: &Config,
    persistence: Option<&Arc<Persistence>>,
) -> (Arc<Registry>, Vec<Arc<Mutex<Shard>>>) {
    let registry = Arc::new(Registry::new(RegistryBounds {
        samples: config.limits.samples,
        outside_hosts: config.limits.outside_hosts,
        ..RegistryBounds::default()
    }));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = config.workers.map_or(cores, usize::from);
    let shards = (0..workers)
        .map(|_| shard(config, &registry, persistence.cloned()))
        .collect();
    (registry, shards)
}

/// Builds the shard of one worker.
pub fn shard(
    config: &Config,
    registry: &Arc<Registry>,
    persistence: Option<Arc<Persistence>>,
) -> Arc<Mutex<Shard>> {
    let shard = Shard::new(settings(config), registry.clone());
    Arc::new(Mutex::new(match persistence {
        Some(persistence) => shard.with_persistence(persistence),
        None => shard,
    }))
}

/// Collects the settings of a shard from the configuration.
fn settings(config: &Config) -> AnalysisSettings {
    AnalysisSettings {
        http: chain(&config.analysis.http),
        tcp: chain(&config.analysis.tcp),
        gateway_caller: if config.analysis.trust_forwarded_address {
            CallerAddress::Forwarded
        } else {
            CallerAddress::Direct
        },
        entries_per_message: config.limits.entries_per_message,
        string_bytes: config.limits.string_bytes,
    }
}

/// Builds the chain of the analyzers that find parties. `persistence` is not part of it, because it
/// only keeps what others found.
fn chain(analyzers: &[Analyzer]) -> Chain {
    Chain::new(analyzers.iter().filter_map(|analyzer| match analyzer {
        Analyzer::K8sMesh => Some(chain::Analyzer::K8sMesh),
        Analyzer::MxMesh => Some(chain::Analyzer::MxMesh),
        Analyzer::Persistence => None,
    }))
}
