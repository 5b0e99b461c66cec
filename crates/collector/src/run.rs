//! Starts the collector's stages in order and ends them in the opposite one.
//!
//! Start: bind all ports, directory, workers, ready. End: not ready, wait until proxies are sent elsewhere, let streams end, last
//! snapshot, last kept entries, last scrape, web and admin. A second signal aborts.

mod directory_source;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alscope_analysis::aggregate::registry::{Registry, RegistryBounds};
use alscope_analysis::chain::{self, Chain};
use alscope_analysis::directory::Directory;
use alscope_analysis::identify::CallerAddress;
use alscope_analysis::persistence::Persistence;
use alscope_analysis::shard::{AnalysisSettings, Shard};
use alscope_collector_config::{Analyzer, Config, Ending};
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::scrapes::Scrapes;
use crate::admin::{self, Admin, Readiness};
use crate::control::Control;
use crate::directory::file;
use crate::envoy_metrics::Proxies;
use crate::export::json_lines::Writer;
use crate::export::queue::Queue;
use crate::ingest::Ingest;
use crate::persistence::{BadEndpointRule, persistence};
use crate::receive::ending::until_quiet;
use crate::receive::limits::Usage;
use crate::receive::listener::{Listener, WorkerGone, listen};
use crate::receive::open_files;
use crate::receive::worker::Worker;
use crate::serve::connections::Connections;
use crate::serve::serve;
use crate::{export, web};
use directory_source::{Wait, freshness, source, until_synced};

/// Why the collector could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken.
    #[error("{key}: {address} can't be listened on: {source}; end what listens there or change {key}")]
    Port {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The directory file can't be used.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// Nobody follows the directory any more.
    #[error(
        "directory.kubernetes: what follows it has ended before it was complete; look at the errors in the log and start the \
         collector again"
    )]
    DirectoryEnded,
    /// No API server is configured.
    #[error(
        "directory.kubernetes: {0:#}; run in a cluster, set KUBECONFIG or directory.kubernetes.kubeconfig, or use directory.file"
    )]
    Kubernetes(anyhow::Error),
    /// An endpoint rule names nothing.
    #[error(transparent)]
    EndpointRule(#[from] BadEndpointRule),
    /// The system gave no thread or runtime.
    #[error("an ingest thread can't be started: {0}; raise the limit of threads or lower workers")]
    Worker(std::io::Error),
    /// A worker ended by itself.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
    /// The system gave no thread.
    #[error("the thread that writes kept entries can't be started: {0}; raise the limit of threads")]
    Writer(std::io::Error),
}

/// The tokens of the stages, in the order in which they end.
#[derive(Debug, Default)]
struct Stages {
    receive: CancellationToken,
    control: CancellationToken,
    rest: CancellationToken,
}

/// The collector's ports, bound.
#[derive(Debug)]
pub struct Ports {
    /// Access-log streams.
    pub grpc: TcpListener,
    /// The page and its API.
    pub web: TcpListener,
    /// Liveness, readiness, metrics.
    pub admin: TcpListener,
}

impl Ports {
    /// Binds the ports of a configuration.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Ports {
            grpc: bind("listen.grpc", config.listen.grpc)?,
            web: bind("listen.web", config.listen.web)?,
            admin: bind("listen.admin", config.listen.admin)?,
        })
    }
}

/// Runs until `stop` is cancelled.
pub async fn run(config: &Config, ports: Ports, stop: CancellationToken) -> Result<(), StartError> {
    let persistence = persistence(config)?;
    say_what_runs(config, &ports);

    let stages = Stages::default();
    let mut tasks = JoinSet::new();
    let readiness = Readiness::default();
    let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
    let freshness = Arc::new(freshness(config));
    let synced = source(config, (&directory, &freshness), stages.rest.clone(), &mut tasks).await?;

    let usage = Usage::new(open_files::within(config.limits));
    let proxies = Arc::new(Proxies::default());
    tasks.spawn(proxies.clone().forget(stages.rest.clone()));
    let (kept, writer) = writer(persistence.as_deref())?.unzip();
    let (registry, shards) = shards(config, persistence.as_ref());
    let drained = (registry, shards.clone());
    let (control, published) = Control::new(drained, config.limits.idle_series, kept.clone());
    let http = [Arc::<Connections>::default(), Arc::default()];
    let scrapes = Arc::new(Scrapes::default());
    let admin = Admin {
        published: published.clone(),
        directory: directory.clone(),
        freshness,
        usage: usage.clone(),
        readiness: readiness.clone(),
        analyzers: analyzers(config),
        proxies: proxies.clone(),
        prometheus: Arc::new(export::prometheus::Prometheus::default()),
        json_lines: kept.as_ref().map(Queue::counted),
        ports: [("web", http[0].clone()), ("admin", http[1].clone())],
        scrapes: scrapes.clone(),
    };
    let web = web::router(published, config.web_hosts.clone().into());
    let routers = [(ports.web, web), (ports.admin, admin::router(admin))];
    for ((socket, router), connections) in routers.into_iter().zip(http) {
        tasks.spawn(serve(socket, router, connections, stages.rest.clone()));
    }
    let mut control_task = JoinSet::new();
    control_task.spawn(control.run(stages.control.clone()));

    let synced = until_synced(synced, &stop).await;
    let mut received = Ok(());
    if let Ok(Wait::Complete) = synced {
        let handlers = ingest(shards, &directory, &proxies, (config, kept.as_ref()));
        let listener = listener(ports.grpc, handlers, &usage, &stages.receive)?;
        info!(address = %listener.address().unwrap_or(config.listen.grpc), "receiving access logs");
        let shown = (&readiness, &*usage);
        received = receive(listener, &stages.receive, shown, (&stop, config.ending)).await;
    }
    stages.control.cancel();
    control_task.join_all().await;
    drop(kept);
    if let Some(writer) = writer {
        writer.end().await;
    }
    scrapes.last(longest_scrape(&synced, config.ending)).await;
    stages.rest.cancel();
    tasks.join_all().await;
    info!("stopped");
    synced?;
    Ok(received?)
}

/// Is ready, and receives until `stop` is cancelled or a worker is gone.
async fn receive(
    listener: Listener,
    stopping: &CancellationToken,
    (readiness, usage): (&Readiness, &Usage),
    (stop, ending): (&CancellationToken, Ending),
) -> Result<(), WorkerGone> {
    let mut receive = JoinSet::new();
    receive.spawn(listener.run(stopping.clone()));
    readiness.set(true);
    tokio::select! {
        () = stop.cancelled() => leave((readiness, usage), ending, stopping).await,
        () = stopping.cancelled() => {
            readiness.set(false);
            error!("stopping, because an ingest thread has ended");
        }
    }
    receive.join_all().await.into_iter().collect()
}

/// How long the last scrape is waited for: a collector that never was ready has nothing to show.
fn longest_scrape(synced: &Result<Wait, StartError>, ending: Ending) -> Duration {
    match synced {
        Ok(Wait::Complete) => ending.scrape,
        Ok(Wait::Unfinished) | Err(_) => Duration::ZERO,
    }
}

/// Lets proxies be sent elsewhere, then tells their connections to end.
async fn leave((readiness, usage): (&Readiness, &Usage), ending: Ending, stopping: &CancellationToken) {
    readiness.set(false);
    info!("stopping: not ready, waiting until proxies are sent elsewhere");
    until_quiet(usage.came.subscribe(), ending).await;
    info!("stopping: reading what is in flight");
    stopping.cancel();
}

fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Port { key, address, source })
}

/// The addresses, and one line for each active analyzer, as SkyWalking's users expect to find in a log.
fn say_what_runs(config: &Config, ports: &Ports) {
    if let (Ok(web), Ok(admin)) = (ports.web.local_addr(), ports.admin.local_addr()) {
        info!(%web, %admin, "serving the page and the metrics");
    }
    let analysis = &config.analysis;
    let mut named = Vec::new();
    for analyzer in analysis.http.iter().chain(&analysis.tcp) {
        if named.contains(analyzer) {
            continue;
        }
        let kinds: Vec<&str> = [("http", &analysis.http), ("tcp", &analysis.tcp)]
            .iter()
            .filter(|(_, analyzers)| analyzers.contains(analyzer))
            .map(|(kind, _)| *kind)
            .collect();
        info!("analyzer {analyzer} active for {}", kinds.join(", "));
        named.push(*analyzer);
    }
    for warning in config.warnings() {
        warn!("{warning}");
    }
}

/// How many analyzers are configured, each counted once.
pub fn analyzers(config: &Config) -> usize {
    let mut names: Vec<String> = config
        .analysis
        .http
        .iter()
        .chain(&config.analysis.tcp)
        .map(ToString::to_string)
        .collect();
    names.sort();
    names.dedup();
    names.len()
}

/// The analyzers that find parties. `persistence` finds none: it keeps what others found.
fn chain(analyzers: &[Analyzer]) -> Chain {
    Chain::new(analyzers.iter().filter_map(|analyzer| match analyzer {
        Analyzer::K8sMesh => Some(chain::Analyzer::K8sMesh),
        Analyzer::MxMesh => Some(chain::Analyzer::MxMesh),
        Analyzer::Persistence => None,
    }))
}

/// What a configuration tells the shards.
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

/// Where kept entries go, if any are kept.
fn writer(persistence: Option<&Persistence>) -> Result<Option<(Queue, Writer)>, StartError> {
    let started = persistence.map(|_| Writer::start(std::io::stdout()));
    started.transpose().map_err(StartError::Writer)
}

/// A worker's shard.
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

/// The workers' shards, and the registry that they share.
fn shards(
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

fn ingest(
    shards: Vec<Arc<Mutex<Shard>>>,
    directory: &Arc<ArcSwap<Directory>>,
    proxies: &Arc<Proxies>,
    (config, kept): (&Config, Option<&Queue>),
) -> Vec<Ingest> {
    let ingest = |shard| Ingest {
        shard,
        directory: directory.clone(),
        proxies: proxies.clone(),
        accept_metrics_service: config.accept_metrics_service,
        kept: kept.cloned(),
    };
    shards.into_iter().map(ingest).collect()
}

fn listener(
    socket: TcpListener,
    handlers: Vec<Ingest>,
    usage: &Arc<Usage>,
    stopping: &CancellationToken,
) -> Result<Listener, StartError> {
    let worker = |(number, handler)| {
        Worker::start(number, handler, usage.clone(), stopping.clone()).map_err(StartError::Worker)
    };
    let workers: Result<Vec<Worker>, StartError> = handlers.into_iter().enumerate().map(worker).collect();
    Ok(Listener::new(socket, workers?))
}

#[cfg(test)]
mod tests;
