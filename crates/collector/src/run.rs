//! Starts the collector's stages in order, and ends them in the opposite order.
//!
//! Start: bind all ports, fill the directory, start the workers, become ready. End: become not ready, wait
//! until proxies connect elsewhere, let streams end, publish the last snapshot, write the last kept
//! entries, wait for the last scrape, end web and admin. A second signal ends the process at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::directory::Directory;
use alscope_analysis::shard::Shard;
use alscope_collector_config::{Config, Ending};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::scrapes::Scrapes;
use crate::admin::{self, Admin, Readiness};
use crate::configure::directory_source::{
    DirectorySourceError, DirectoryWait, freshness, source, until_synced,
};
use crate::configure::persistence::{BadEndpointRule, persistence};
use crate::configure::shards::shards;
use crate::control::Control;
use crate::envoy_metrics::Proxies;
use crate::export::exporters::{Exporters, Queues};
use crate::ingest::Ingest;
use crate::receive::ending::until_quiet;
use crate::receive::limits::Usage;
use crate::receive::listener::{Listener, WorkerGone, listen};
use crate::receive::open_files;
use crate::receive::worker::Worker;
use crate::serve::serve;
use crate::{export, web};

/// The errors for which the collector does not start, or ends early.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of a port can't be listened on.
    #[error("{key}: {address} can't be listened on: {source}; end what listens there or change {key}")]
    Port {
        /// The port's key in the configuration.
        key: &'static str,
        /// The key's value.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The directory's source can't be used.
    #[error(transparent)]
    Directory(#[from] DirectorySourceError),
    /// An endpoint rule can't be used.
    #[error(transparent)]
    EndpointRule(#[from] BadEndpointRule),
    /// The system refused an ingest thread or its runtime.
    #[error("an ingest thread can't be started: {0}; raise the limit of threads or lower workers")]
    Worker(std::io::Error),
    /// An ingest thread ended by itself, which only a fault of this program can cause.
    #[error(transparent)]
    WorkerGone(#[from] WorkerGone),
    /// The system refused the thread of an exporter.
    #[error("the thread that writes kept entries can't be started: {0}; raise the limit of threads")]
    Exporter(std::io::Error),
}

/// The cancellation tokens of the stages, in the order in which the stages end.
#[derive(Debug, Default)]
struct Stages {
    receive: CancellationToken,
    control: CancellationToken,
    rest: CancellationToken,
}

/// The collector's three ports, bound.
#[derive(Debug)]
pub struct Ports {
    /// The port of the access-log streams.
    pub grpc: TcpListener,
    /// The port of the page and its API.
    pub web: TcpListener,
    /// The port of liveness, readiness and metrics.
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

/// Runs the collector until `stop` is cancelled and everything has ended in order.
pub async fn run(config: &Config, ports: Ports, stop: CancellationToken) -> Result<(), StartError> {
    let persistence = persistence(config)?;
    say_what_runs(config, &ports);

    let stages = Stages::default();
    let mut tasks = JoinSet::new();
    let readiness = Readiness::default();
    let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
    let freshness = Arc::new(freshness(config));
    let synced = source(config, &directory, &freshness, stages.rest.clone(), &mut tasks).await?;

    let usage = Usage::new(open_files::within(config.limits));
    let proxies = Arc::new(Proxies::default());
    tasks.spawn(proxies.clone().forget(stages.rest.clone()));
    let exporters = Exporters::start(persistence.as_deref()).map_err(StartError::Exporter)?;
    let (registry, shards) = shards(config, persistence.as_ref());
    let idle = config.limits.idle_series;
    let (control, published) = Control::new(registry, shards.clone(), idle, exporters.queues());
    let scrapes = Arc::new(Scrapes::default());
    let admin = Admin {
        published,
        directory: directory.clone(),
        freshness,
        usage: usage.clone(),
        readiness: readiness.clone(),
        analyzers: analyzers(config),
        proxies: proxies.clone(),
        prometheus: Arc::new(export::prometheus::Prometheus::default()),
        exporters: exporters.counts(),
        ports: [("web", Arc::default()), ("admin", Arc::default())],
        scrapes: scrapes.clone(),
    };
    // The HTTP ports are served before the directory is complete, so that probes are answered and
    // `/readyz?verbose` says what is missing.
    serve_http(config, [ports.web, ports.admin], admin, &stages.rest, &mut tasks);
    let mut control_task = JoinSet::new();
    control_task.spawn(control.run(stages.control.clone()));

    let synced = until_synced(synced, &stop).await;
    let mut received = Ok(());
    if let Ok(DirectoryWait::Complete) = synced {
        let handlers = ingest(config, shards, &directory, &proxies, &exporters.queues());
        let listener = listener(ports.grpc, handlers, &usage, &stages.receive)?;
        info!(address = %listener.address().unwrap_or(config.listen.grpc), "receiving access logs");
        let receiving = Receiving {
            listener,
            readiness: &readiness,
            usage: &usage,
            stopping: &stages.receive,
        };
        received = receiving.until(&stop, config.ending).await;
    }
    stages.control.cancel();
    control_task.join_all().await;
    exporters.end().await;
    scrapes.last(longest_scrape(&synced, config.ending)).await;
    stages.rest.cancel();
    tasks.join_all().await;
    info!("stopped");
    synced?;
    Ok(received?)
}

/// Starts serving the web port and the admin port, and returns their tasks in this order.
fn serve_http(
    config: &Config,
    sockets: [TcpListener; 2],
    admin: Admin,
    stopping: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let ports = admin.ports.clone();
    let web = web::router(admin.published.clone(), config.web_hosts.clone().into());
    let routers = [web, admin::router(admin)];
    for ((socket, router), (_, connections)) in sockets.into_iter().zip(routers).zip(ports) {
        tasks.spawn(serve(socket, router, connections, stopping.clone()));
    }
}

/// The parts that receive access logs while the collector is ready.
struct Receiving<'a> {
    listener: Listener,
    readiness: &'a Readiness,
    usage: &'a Usage,
    /// Cancelled when connections are to end.
    stopping: &'a CancellationToken,
}

impl Receiving<'_> {
    /// Becomes ready, and receives until `stop` is cancelled or a worker is gone.
    async fn until(self, stop: &CancellationToken, ending: Ending) -> Result<(), WorkerGone> {
        let mut receive = JoinSet::new();
        receive.spawn(self.listener.run(self.stopping.clone()));
        self.readiness.set(true);
        tokio::select! {
            () = stop.cancelled() => {
                self.readiness.set(false);
                info!("stopping: not ready any more, waiting until proxies connect elsewhere");
                until_quiet(self.usage.came.subscribe(), ending).await;
                info!("stopping: reading the entries that are in flight");
                self.stopping.cancel();
            }
            // The listener cancels this token when a worker is gone.
            () = self.stopping.cancelled() => {
                self.readiness.set(false);
                error!("stopping because an ingest thread has ended");
            }
        }
        receive.join_all().await.into_iter().collect()
    }
}

/// Returns how long to wait for the last scrape. A collector that was never ready has nothing to show.
fn longest_scrape(synced: &Result<DirectoryWait, DirectorySourceError>, ending: Ending) -> Duration {
    match synced {
        Ok(DirectoryWait::Complete) => ending.scrape,
        Ok(DirectoryWait::Unfinished) | Err(_) => Duration::ZERO,
    }
}

fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Port { key, address, source })
}

/// Logs the addresses, and one line for each active analyzer in the form that SkyWalking's users know.
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

/// Counts the configured analyzers, each once.
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

fn ingest(
    config: &Config,
    shards: Vec<Arc<Mutex<Shard>>>,
    directory: &Arc<ArcSwap<Directory>>,
    proxies: &Arc<Proxies>,
    exporters: &Queues,
) -> Vec<Ingest> {
    let ingest = |shard| Ingest {
        shard,
        directory: directory.clone(),
        proxies: proxies.clone(),
        accept_metrics_service: config.accept_metrics_service,
        exporters: exporters.clone(),
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
