//! The programs under test: the sinks and the real collector, each a process of its own.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_child_programs::child_program::{ChildProgram, Output, Program};
use alscope_collector_config::Limits;
use alscope_load::shape::Shape;
use alscope_load::traffic::Tally;
use anyhow::{Context as _, bail, ensure};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::check;
use crate::exposition::{scrape, time_scrape};
use crate::processor_time::{largest_memory, processor_time};
use crate::scenario::{Exporting, Scenario, Taker};
use crate::send::Sent;
use crate::sink::{Counted, Listening};

const CONFIGURATION_FILE: &str = "collector.yaml";
/// The collector publishes what it counted each second.
const PUBLISHED_WITHIN: Duration = Duration::from_millis(1100);

/// Streams that a receiver takes of one connection and of one address: more than are sent.
pub(crate) const STREAMS: usize = 4096;
/// Room for all their first messages: on a few connections they come side by side.
pub(crate) const BUFFERED_BYTES: usize = STREAMS * 64 * 1024;

/// How long a receiver may take to end in order before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Where receivers are started.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// For their files.
    pub(crate) directory: PathBuf,
    /// The collector's binary.
    pub(crate) collector: PathBuf,
    /// The core that they run on.
    pub(crate) core: Option<usize>,
}

/// A receiver that takes streams.
#[derive(Debug)]
pub(crate) struct Receiver {
    process: ChildProgram,
    kind: Kind,
    /// Where it takes streams.
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sink { does_decode: bool },
    Collector { admin: SocketAddr, exporting: Exporting },
}

impl Receiver {
    /// Starts what takes a scenario's load; a collector with an empty table of series and its directory from `kubeconfig`.
    pub(crate) async fn start(place: &Place, scenario: &Scenario, kubeconfig: &Path) -> anyhow::Result<Self> {
        match scenario.taker {
            Taker::Sink => Self::sink(place, &["sink"]).await,
            Taker::Prost => Self::sink(place, &["sink", "--decode"]).await,
            Taker::ExternalSink => Self::sink(place, &["external-sink"]).await,
            Taker::Collector(exporting) => Self::collector(place, (scenario, exporting), kubeconfig).await,
            Taker::Analysis => bail!("the analysis alone receives nothing; it runs in the bench"),
        }
    }

    async fn sink(place: &Place, subcommand: &[&str]) -> anyhow::Result<Self> {
        let arguments = subcommand.iter().chain(&["--listen", "127.0.0.1:0"]);
        let program = Program {
            name: "sink".to_owned(),
            path: "/proc/self/exe".into(),
            arguments: arguments.map(OsString::from).collect(),
            cores: place.core.into_iter().collect(),
            output: Output::File,
        };
        let mut process = ChildProgram::start(&program, &place.directory)?;
        let address = process
            .until(async |process| {
                let printed = process.printed();
                let line: Listening = serde_json::from_str(printed.lines().next()?).ok()?;
                Some(line.listening)
            })
            .await?;
        let does_decode = subcommand.contains(&"--decode");
        Ok(Receiver {
            process,
            kind: Kind::Sink { does_decode },
            address,
        })
    }

    async fn collector(
        place: &Place,
        (scenario, exporting): (&Scenario, Exporting),
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let [grpc, web, admin] = free_addresses()?;
        let configuration = place.directory.join(CONFIGURATION_FILE);
        let text = configuration_text([grpc, web, admin], (scenario, exporting), kubeconfig);
        std::fs::write(&configuration, text).with_context(|| {
            format!(
                "cannot write {}; check the space in TMPDIR",
                configuration.display()
            )
        })?;
        let core = place.core.filter(|_| scenario.workers == 1);
        let program = Program {
            name: "collector".to_owned(),
            path: place.collector.clone(),
            arguments: vec!["--config".into(), configuration.into()],
            cores: core.into_iter().collect(),
            // Only JSON lines: gigabytes of them.
            output: Output::Discarded,
        };
        let mut process = ChildProgram::start(&program, &place.directory)?;
        process
            .until(async |_| is_ready(admin).await.then_some(()))
            .await?;
        Ok(Receiver {
            process,
            kind: Kind::Collector { admin, exporting },
            address: grpc,
        })
    }

    /// The processor time that it has used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.process.id()?)
    }

    /// The largest memory that it has had so far, in bytes.
    pub(crate) fn largest_memory(&self) -> anyhow::Result<u64> {
        largest_memory(self.process.id()?)
    }

    /// The processor time that it has used when everything that it answered for is counted and published.
    pub(crate) async fn settled_processor_time(&self) -> anyhow::Result<Duration> {
        match self.kind {
            Kind::Sink { .. } => {}
            Kind::Collector { .. } => sleep(PUBLISHED_WITHIN).await,
        }
        self.processor_time()
    }

    /// Scrapes it, if that is part of the scenario: how long it took.
    pub(crate) async fn scrape(&self) -> anyhow::Result<Option<Duration>> {
        match self.kind {
            Kind::Collector {
                admin,
                exporting: Exporting::Scraped,
            } => {
                let took = spawn_blocking(move || time_scrape(admin)).await??;
                Ok(Some(took))
            }
            Kind::Collector { .. } | Kind::Sink { .. } => Ok(None),
        }
    }

    /// Ends it and compares what it counted with what it was sent.
    pub(crate) async fn end(mut self, sent: Sent, tally: &Tally) -> anyhow::Result<()> {
        match self.kind {
            Kind::Sink { does_decode } => {
                self.process.end(END_TIMEOUT).await?;
                let printed = self.process.printed();
                let line = printed.lines().last().unwrap_or_default();
                let counted: Counted = serde_json::from_str(line)
                    .with_context(|| format!("the sink's last line is not its counts: {line}"))?;
                if does_decode {
                    check::decoded(sent, counted)
                } else {
                    check::sink(sent, counted)
                }
            }
            Kind::Collector { admin, exporting } => {
                let seen = spawn_blocking(move || scrape(admin)).await?;
                let seen = self.process.explain(seen)?;
                self.process.end(END_TIMEOUT).await?;
                if let Exporting::JsonLines(share) = exporting {
                    check::exported(sent, &seen, share)?;
                }
                check::collector(sent, &seen, tally)
            }
        }
    }

    /// An error with the end of the receiver's log.
    pub(crate) fn explain<T>(&self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        self.process.explain(result)
    }
}

fn configuration_text(
    [grpc, web, admin]: [SocketAddr; 3],
    (scenario, exporting): (&Scenario, Exporting),
    kubeconfig: &Path,
) -> String {
    let (analyzer, directory) = match scenario.load.shape {
        Shape::Short | Shape::Sidecar => {
            let kubeconfig = kubeconfig.display();
            (
                "k8s-mesh",
                format!("{{ kubernetes: {{ kubeconfig: {kubeconfig} }} }}"),
            )
        }
        Shape::TwoPeers => ("mx-mesh", "{ none: {} }".to_owned()),
    };
    let analysis = match exporting {
        Exporting::Nothing | Exporting::Scraped => format!("http: \"{analyzer}\", tcp: \"{analyzer}\""),
        Exporting::JsonLines(share) => format!(
            "http: \"{analyzer},persistence\", tcp: \"{analyzer}\", \
             persistence: {{ errors: false, sampledShare: {share}, entriesPerMinute: {} }}",
            u32::MAX
        ),
    };
    // The default, unless the load has more.
    let samples = Limits::default().samples.max(scenario.load.traffic.samples());
    format!(
        "listen: {{ grpc: \"{grpc}\", web: \"{web}\", admin: \"{admin}\" }}\n\
         directory: {directory}\n\
         analysis: {{ {analysis} }}\n\
         limits: {{ streamsPerConnection: {STREAMS}, streamsPerPeer: {STREAMS}, \
         bufferedBytes: {BUFFERED_BYTES}, samples: {samples} }}\n\
         ending: {{ quiet: 0s, scrape: 0s }}\n\
         workers: {}\n",
        scenario.workers
    )
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
