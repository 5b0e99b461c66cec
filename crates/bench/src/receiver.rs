//! The programs under test: the raw sink and the real collector, each as a process of its own with one worker.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::check;
use crate::children::{Program, Running};
use crate::exposition::scrape;
use crate::load::Sent;
use crate::processor_time::processor_time;
use crate::sink::{Counted, Listening};
use crate::traffic::Tally;

/// The name of the directory file, beside the configuration.
pub(crate) const DIRECTORY_FILE: &str = "cluster.json";

const CONFIGURATION_FILE: &str = "collector.yaml";
/// The collector publishes what it counted each second.
const PUBLISHED_WITHIN: Duration = Duration::from_millis(1100);

/// Streams that a receiver takes of one connection and of one address: more than are sent.
pub(crate) const STREAMS: usize = 4096;

/// Where receivers are started.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// For their files, of which the directory file is there already.
    pub(crate) directory: PathBuf,
    /// The collector's binary.
    pub(crate) collector: PathBuf,
    /// The core that they run on.
    pub(crate) core: Option<usize>,
}

/// A receiver that takes streams.
#[derive(Debug)]
pub(crate) struct Receiver {
    process: Running,
    kind: Kind,
    /// Where it takes streams.
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sink,
    Collector { admin: SocketAddr },
}

impl Receiver {
    /// Starts a raw sink.
    pub(crate) async fn sink(place: &Place) -> anyhow::Result<Self> {
        let program = Program {
            name: "sink",
            path: "/proc/self/exe".into(),
            arguments: ["sink", "--listen", "127.0.0.1:0"].map(OsString::from).into(),
            core: place.core,
        };
        let mut process = Running::start(&program, &place.directory)?;
        let address = process
            .until(async |process| {
                let printed = process.printed();
                let line: Listening = serde_json::from_str(printed.lines().next()?).ok()?;
                Some(line.listening)
            })
            .await?;
        Ok(Receiver {
            process,
            kind: Kind::Sink,
            address,
        })
    }

    /// Starts a collector with an empty table of series.
    pub(crate) async fn collector(place: &Place) -> anyhow::Result<Self> {
        let [grpc, web, admin] = free_addresses()?;
        let configuration = place.directory.join(CONFIGURATION_FILE);
        let text = format!(
            "listen: {{ grpc: \"{grpc}\", web: \"{web}\", admin: \"{admin}\" }}\n\
             directory: {{ file: {DIRECTORY_FILE} }}\n\
             analysis: {{ http: \"k8s-mesh\", tcp: \"k8s-mesh\" }}\n\
             limits: {{ streamsPerConnection: {STREAMS}, streamsPerPeer: {STREAMS} }}\n\
             workers: 1\n"
        );
        std::fs::write(&configuration, text).with_context(|| {
            format!(
                "cannot write {}; check the space in TMPDIR",
                configuration.display()
            )
        })?;
        let program = Program {
            name: "collector",
            path: place.collector.clone(),
            arguments: vec!["--config".into(), configuration.into()],
            core: place.core,
        };
        let mut process = Running::start(&program, &place.directory)?;
        process
            .until(async |_| is_ready(admin).await.then_some(()))
            .await?;
        Ok(Receiver {
            process,
            kind: Kind::Collector { admin },
            address: grpc,
        })
    }

    /// The processor time that it has used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.process.id()?)
    }

    /// The processor time that it has used when everything that it answered for is counted and published.
    pub(crate) async fn settled_processor_time(&self) -> anyhow::Result<Duration> {
        match self.kind {
            Kind::Sink => {}
            Kind::Collector { .. } => sleep(PUBLISHED_WITHIN).await,
        }
        self.processor_time()
    }

    /// Ends it and compares what it counted with what it was sent.
    pub(crate) async fn end(self, sent: Sent, tally: &Tally) -> anyhow::Result<()> {
        match self.kind {
            Kind::Sink => {
                let printed = self.process.end().await?;
                let line = printed.lines().last().unwrap_or_default();
                let counted: Counted = serde_json::from_str(line)
                    .with_context(|| format!("the sink's last line is not its counts: {line}"))?;
                check::sink(sent, counted)
            }
            Kind::Collector { admin } => {
                let seen = spawn_blocking(move || scrape(admin)).await?;
                let seen = self.process.explain(seen)?;
                self.process.end().await?;
                check::collector(sent, &seen, tally)
            }
        }
    }

    /// An error with the end of the receiver's log.
    pub(crate) fn explain<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        self.process.explain(result)
    }
}

/// The collector beside this program: built by the same profile, from the same tree.
pub(crate) fn collector_beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let collector = own.with_file_name("alscope-collector");
    ensure!(
        collector.is_file(),
        "{} is missing; build it: cargo build --release -p alscope-collector -p alscope-bench",
        collector.display()
    );
    Ok(collector)
}

/// What a collector says it is.
pub(crate) fn version(collector: &Path) -> anyhow::Result<String> {
    let output = std::process::Command::new(collector)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", collector.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn is_ready(admin: SocketAddr) -> bool {
    let ready = spawn_blocking(move || {
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(1)))
            .build()
            .new_agent();
        agent.get(format!("http://{admin}/readyz")).call().is_ok()
    });
    ready.await.unwrap_or(false)
}

/// Addresses that nobody listens on, each another one.
fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free");
    let sockets = [bind()?, bind()?, bind()?];
    let [first, second, third] = sockets.each_ref().map(TcpListener::local_addr);
    Ok([first?, second?, third?])
}
