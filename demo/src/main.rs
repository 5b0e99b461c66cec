//! The demo: real Envoys as a small plain mesh on loopback addresses, and the real collector that observes them.
//!
//! | file | what is in it |
//! |---|---|
//! | `mesh.rs` | which pods and services there are, and who calls whom |
//! | `bootstrap.rs` | Envoy's configuration for each proxy |
//! | `directory.rs` | the Kubernetes objects that the collector reads |
//! | `programs.rs` | the processes to start |
//! | `stages.rs` | the order in which everything happens |
//! | `children.rs` | starting and ending them; nothing outlives the demo |
//! | `claims.rs` | free ports and addresses |
//! | `collector.rs`, `report.rs` | what the collector saw, and whether it is what happened |
//! | `plan.rs` | what the operator would change in a stock Istio |
//!
//! `demo/run` builds the programs, fetches Envoy and starts this.

mod bootstrap;
mod children;
mod claims;
mod collector;
mod directory;
mod fetch;
mod mesh;
mod plan;
mod programs;
mod report;
mod signals;
mod stages;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use alscope_child_programs::supervised;
use anyhow::{Context as _, ensure};
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};

use crate::programs::Binaries;
use crate::signals::Signals;
use crate::stages::Stages;

#[derive(Debug, Parser)]
#[command(name = "alscope-demo", version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The Envoy to run
    #[arg(
        long,
        env = "ALSCOPE_DEMO_ENVOY",
        value_name = "FILE",
        default_value = "envoy"
    )]
    envoy: PathBuf,
    /// The collector to run; by default the one beside this program
    #[arg(long, env = "ALSCOPE_DEMO_COLLECTOR", value_name = "FILE")]
    collector: Option<PathBuf>,
    /// The workload to run; by default the one beside this program
    #[arg(long, env = "ALSCOPE_DEMO_BOOKINFO", value_name = "FILE")]
    bookinfo: Option<PathBuf>,
    /// The operator whose plan is shown; by default the one beside this program
    #[arg(long, env = "ALSCOPE_DEMO_OPERATOR", value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Print the table once and end, as without a terminal
    #[arg(long, env = "ONCE", value_parser = FalseyValueParser::new())]
    once: bool,
    /// Seconds that building has taken, to go on counting from
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide = true)]
    elapsed: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Supervised(supervised::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Supervised(options)) => supervised::become_program(options).map(|never| match never {}),
        None => demo(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("alscope-demo: {error:#}");
        ExitCode::FAILURE
    })
}

// One thread: the children's parent-death signal follows the thread that started them.
#[tokio::main(flavor = "current_thread")]
async fn demo(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let binaries = arguments.binaries()?;
    let state = tempfile::Builder::new()
        .prefix("alscope-demo-")
        .tempdir()
        .context("cannot create a directory for the demo; set TMPDIR to one with space")?;
    let building = Duration::from_secs(arguments.elapsed.into());
    let mut stages = Stages::prepare(binaries, state.path(), building)?;
    let stays = std::io::stdout().is_terminal() && !arguments.once;
    let outcome = until_ended(&mut stages, &mut signals, stays).await;
    stages.end().await;
    outcome
}

/// Shows the table; then ends, or on a terminal waits for a signal.
async fn until_ended(
    stages: &mut Stages<'_>,
    signals: &mut Signals,
    stays: bool,
) -> anyhow::Result<ExitCode> {
    let differences = tokio::select! {
        // A signal is never kept waiting by the mesh.
        biased;
        code = signals.one_came() => return Ok(ExitCode::from(code)),
        differences = stages.show() => differences?.join("; "),
    };
    if !stays {
        ensure!(
            differences.is_empty(),
            "the collector does not show what the mesh did: {differences}; look for the rule that decides it"
        );
        return Ok(ExitCode::SUCCESS);
    }
    if !differences.is_empty() {
        println!("This is not what the mesh did: {differences}.");
    }
    println!("Ctrl-C ends the demo.");
    tokio::select! {
        biased;
        _ = signals.one_came() => Ok(ExitCode::SUCCESS),
        error = stages.a_child_ended() => Err(error),
    }
}

impl Arguments {
    fn binaries(&self) -> anyhow::Result<Binaries> {
        let own = std::env::current_exe()
            .context("cannot find this program's own file; start the demo by demo/run")?;
        let beside =
            |given: &Option<PathBuf>, name| given.clone().unwrap_or_else(|| own.with_file_name(name));
        let binaries = Binaries {
            envoy: self.envoy.clone(),
            collector: beside(&self.collector, "alscope-collector"),
            bookinfo: beside(&self.bookinfo, "bookinfo"),
            operator: beside(&self.operator, "alscope-operator"),
        };
        binaries.check()?;
        Ok(binaries)
    }
}
