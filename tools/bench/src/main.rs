//! The bench: what an entry costs the real collector, beside what it costs its receiver with a handler that only counts.
//!
//! | file | what is in it |
//! |---|---|
//! | `scenario.rs` | what is measured |
//! | `rounds.rs`, `measure.rs`, `alone.rs` | measuring all of it, one of it, and the analysis without transport |
//! | `loads.rs`, `send.rs` | what is sent (the crate `alscope-load`), and sending it |
//! | `api_server.rs` | the Kubernetes that a collector's directory comes from, whose pods change |
//! | `receiver.rs`, `sink.rs`, `external_sink.rs` | the programs that take it |
//! | `alscope-child-programs` | starting and ending them; nothing outlives the bench |
//! | `cores.rs`, `processor_time.rs`, `machine.rs` | who runs where, what it cost, what else the machine does |
//! | `exposition.rs`, `check.rs` | what the collector counted, and whether that is what was sent |
//! | `report.rs`, `spread.rs`, `cost_model.rs` | what was measured, and what it comes to |
//! | `targets.rs`, `page.rs`, `chart.rs` | whether that is enough, and how it is shown |

mod alone;
mod api_server;
mod chart;
mod check;
mod cores;
mod cost_model;
mod exposition;
mod external_sink;
mod loads;
mod machine;
mod measure;
mod page;
mod processor_time;
mod receiver;
mod report;
mod rounds;
mod scenario;
mod send;
mod sink;
mod spread;
mod targets;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use alscope_child_programs::supervised;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::cores::Cores;
use crate::report::Report;
use crate::rounds::Plan;
use crate::scenario::Part;

/// Measures entries per second of processor time of `alscope-collector`, the release build beside this program, and of its receiver
/// alone.
///
/// Exit codes: 0 measured, 1 failed, or what was sent and what was counted differ, or a figure was missed.
#[derive(Debug, Parser)]
#[command(name = "alscope-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What is measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Ingest, Part::Cost, Part::Scale])]
    parts: Vec<Part>,
    /// Of that only what is called so, as the bench prints it: `--only 1359`
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// How often each figure is measured
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement sends; longer when other programs take the processor away
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=600))]
    seconds: u32,
    /// Where the report is written
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the collector's receiver with a handler that only counts; prints its address, and its counts when it is ended
    Sink {
        /// Where it listens; port 0 is any free one
        #[arg(long, value_name = "ADDRESS")]
        listen: SocketAddr,
        /// Also decodes each message by prost
        #[arg(long)]
        decode: bool,
    },
    /// The same with a server of the crate tonic
    ExternalSink {
        /// Where it listens; port 0 is any free one
        #[arg(long, value_name = "ADDRESS")]
        listen: SocketAddr,
    },
    /// Says which figures a report misses; exits 1 if there are any
    Check {
        /// The report
        file: PathBuf,
    },
    /// Writes performance.md and the curves, out of the report beside them
    Page {
        /// The directory of the documentation
        docs: PathBuf,
    },
    #[command(hide = true)]
    Supervised(supervised::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Sink { listen, decode }) => sink::run(*listen, *decode).map(|()| ExitCode::SUCCESS),
        Some(Command::ExternalSink { listen }) => external_sink::run(*listen).map(|()| ExitCode::SUCCESS),
        Some(Command::Check { file }) => check_report(file),
        Some(Command::Page { docs }) => write_page(docs).map(|()| ExitCode::SUCCESS),
        Some(Command::Supervised(options)) => supervised::become_program(options).map(|never| match never {}),
        None => bench(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("alscope-bench: {error:#}");
        ExitCode::FAILURE
    })
}

fn bench(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let cores = Cores::divided();
    let threads = cores.as_ref().map_or(1, |cores| cores.generator.len());
    // The children are started by this very thread: their parent-death signal follows it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(8))
        .enable_all()
        .build()?;
    let plan = Plan {
        parts: arguments.parts.clone(),
        only: arguments.only.clone(),
        rounds: arguments.rounds,
        length: Duration::from_secs(arguments.seconds.into()),
        cores,
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            // Checked first, so that a signal ends the bench even while it is busy.
            biased;
            code = one_signal() => Ok(ExitCode::from(code?)),
            report = rounds::rounds(&plan) => {
                let report = report?;
                say(&report);
                if let Some(file) = &arguments.report {
                    write(file, &(serde_json::to_string_pretty(&report)? + "\n"))?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // A scrape that is under way is not waited for: the children are gone.
    runtime.shutdown_background();
    outcome
}

/// Prints every figure; answers how many are missed.
fn say(report: &Report) -> usize {
    let targets = targets::targets(report);
    for target in &targets {
        println!("{target}");
    }
    targets.iter().filter(|target| !target.is_met()).count()
}

fn check_report(file: &Path) -> anyhow::Result<ExitCode> {
    let missed = say(&Report::read(file)?);
    if missed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{missed} figures are missed; docs/performance/where-the-time-goes.md says why");
    Ok(ExitCode::FAILURE)
}

fn write_page(docs: &Path) -> anyhow::Result<()> {
    for (name, text) in page::files(&Report::read(&docs.join(page::REPORT))?)? {
        write(&docs.join(name), &text)?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The exit code that a shell gives for the first signal that comes.
async fn one_signal() -> anyhow::Result<u8> {
    let listen = |kind| signal(kind).context("cannot listen for signals; check the process's limits");
    let mut hangup = listen(SignalKind::hangup())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(tokio::select! {
        _ = hangup.recv() => 129,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    })
}
