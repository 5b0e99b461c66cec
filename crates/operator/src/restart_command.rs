//! The command `alscope-operator restart`.

use std::process::ExitCode;
use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::restart::{self as workloads, Outcome, RestartOptions};
use alscope_plan::plan::settings::OperatorSettings;
use clap::Args;

use super::{NamespaceArgument, client_without_retries, duration};

/// Exit codes: 0 every proxy has the address, 1 failed, 2 wrong usage, 3 the list has workloads to restart, 4 with --run: a workload
/// does not become ready, or something keeps workloads from a restart.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The MeshObservability. Default: the only one
    name: Option<String>,
    /// Restarts the workloads. It may be stopped at any time: run again, it goes on and restarts nothing twice
    #[arg(long)]
    run: bool,
    /// Only lists them, which is the default
    #[arg(long, conflicts_with = "run")]
    dry_run: bool,
    /// How many workloads restart at once, never two of one namespace. Default: spec.mesh.restartBudget
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=20))]
    workloads: Option<i32>,
    /// How long after the end of a restart the next one begins. Default: spec.mesh.restartBudget
    #[arg(long, value_name = "DURATION", value_parser = pause)]
    pause: Option<String>,
    /// How long to wait while no restart can begin, for example while a budget of disruptions has no room
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "DURATION")]
    patience: Duration,
    #[command(flatten)]
    own: NamespaceArgument,
    /// The DNS domain of the cluster, as the operator has it
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
}

/// Lists or restarts, and says by the exit code whether anything is left.
pub(super) async fn restart(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let options = RestartOptions {
        name: arguments.name,
        workloads: arguments.workloads,
        pause: arguments.pause,
        patience: arguments.patience,
        clock: Clock::Wall,
    };
    // Restarts depend on no other setting.
    let settings = OperatorSettings {
        namespace: arguments.own.namespace,
        cluster_domain: arguments.cluster_domain,
        ..OperatorSettings::default()
    };
    let client = client_without_retries().await?;
    let mut tell = |text: &str| println!("{text}");
    let (outcome, left) = if arguments.run {
        (workloads::run(&client, &settings, &options, &mut tell).await?, 4)
    } else {
        (workloads::list(&client, &settings, &options, &mut tell).await?, 3)
    };
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Left => {
            if !arguments.run {
                println!("\nnothing was restarted; to restart them, run this again with --run");
            }
            ExitCode::from(left)
        }
    })
}

/// Checks the duration of a pause, and keeps its text.
fn pause(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}
