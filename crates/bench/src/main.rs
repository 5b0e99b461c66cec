//! The bench: entries per CPU second of the real collector, beside those of its receiver with a handler that only counts.
//!
//! | file | what is in it |
//! |---|---|
//! | `mesh.rs`, `directory.rs` | which workloads there are, and their Kubernetes objects |
//! | `traffic.rs` | which of their pods call one another, and how often |
//! | `entries.rs`, `streams.rs` | what their proxies send, encoded before the clock starts |
//! | `load.rs` | sending it |
//! | `receiver.rs`, `sink.rs` | the two programs that take it |
//! | `children.rs`, `supervised.rs` | starting and ending them; nothing outlives the bench |
//! | `cores.rs`, `processor_time.rs` | who runs where, and what it cost |
//! | `analysis.rs` | the same work without a receiver around it |
//! | `exposition.rs`, `check.rs` | what the collector counted, and whether that is what was sent |
//! | `measure.rs`, `figures.rs` | the rounds, and what they come to |

mod analysis;
mod check;
mod children;
mod cores;
mod directory;
mod entries;
mod exposition;
mod figures;
mod load;
mod measure;
mod mesh;
mod processor_time;
mod receiver;
mod sink;
mod streams;
mod supervised;
mod traffic;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::cores::Cores;
use crate::measure::Plan;

/// Measures entries per CPU second of `alscope-collector`, the release build beside this program, and of its receiver alone.
///
/// Exit codes: 0 measured, 1 failed, or what was sent and what was counted differ, or `--check` found a figure too low.
#[derive(Debug, Parser)]
#[command(name = "alscope-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Fail if the collector's median is below 700 000 entries per CPU second
    #[arg(long)]
    check: bool,
    /// How often each figure is measured
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement sends; longer when other programs take the processor away
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=600))]
    seconds: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the collector's receiver with a handler that only counts; prints its address, and its counts when it is ended
    Sink {
        /// Where it listens; port 0 is any free one
        #[arg(long, value_name = "ADDRESS")]
        listen: SocketAddr,
    },
    #[command(hide = true)]
    Supervised(supervised::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Sink { listen }) => sink::run(*listen).map(|()| ExitCode::SUCCESS),
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
        .worker_threads(threads.min(load::CONNECTIONS))
        .enable_all()
        .build()?;
    let plan = Plan {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        cores,
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            // Checked first, so that a signal ends the bench even while it is busy.
            biased;
            code = one_signal() => Ok(ExitCode::from(code?)),
            figures = measure::measure(&plan) => {
                let figures = figures?;
                println!("{figures}");
                if arguments.check {
                    figures.check()?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // A scrape that is under way is not waited for: the children are gone.
    runtime.shutdown_background();
    outcome
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
