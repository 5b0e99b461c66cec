//! `alscope-collector`: receives Envoy access logs and tells who called whom.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alscope_analysis::names::redact::Redaction;
use alscope_collector::configure::persistence::{hidden_headers, persistence};
use alscope_collector::envoy_metrics::Proxies;
use alscope_collector::export::prometheus::Prometheus;
use alscope_collector::export::prometheus::families::ScrapeGauges;
use alscope_collector::export::prometheus::format::Format;
use alscope_collector::log_limit::LogLimit;
use alscope_collector::signals::until_signals;
use alscope_collector::{directory, record, replay, run, terminal, top, why};
use alscope_collector_config::{Checked, Config, Directory, Outcome, SkyWalkingReport};
use clap::{Args, Parser, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Receives the access logs that Envoy proxies stream (gRPC ALS) and shows who calls whom: as Prometheus
/// metrics, as a topology, as a page.
///
/// Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(version = VERSION, arg_required_else_help = true, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The configuration file. A minimal one:
    ///
    ///   directory: { kubernetes: {} }
    ///   analysis: { http: "k8s-mesh", tcp: "k8s-mesh" }
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a configuration file and prints what it would run. For SkyWalking's application.yml, as a
    /// whole or in part, it prints the effect of each setting
    Check(CheckArguments),
    /// Records the access logs that Envoys stream into a file, without secrets, for a bug report or a test
    Record(RecordArguments),
    /// Reads a recording as if it came in now, and prints what a scrape of /metrics would show
    Replay {
        /// The recording, as `record` wrote it
        file: PathBuf,
        /// The configuration file. Its directory.file must hold the cluster's objects at
        /// the time of the recording
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Shows the calls that a running collector sees as a live table: who
    /// calls whom, rate, errors, percentiles
    Top {
        /// The web address of the collector; for one in a cluster, run kubectl port-forward first
        #[arg(default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Explains why a running collector's edges are there: by which rules, how often, each with an example
    ///
    /// For one edge, name its caller and called party by the ids that the topology shows.
    /// Without them, the answer is about all edges, and about the entries without an observation.
    /// Counts start when the collector does.
    ///
    ///   alscope-collector why
    ///   alscope-collector why demo/productpage-v1 demo/reviews-v2
    ///   alscope-collector why unknown istio-system/istio-ingressgateway
    ///   alscope-collector why demo/productpage-v1 service:demo/ratings
    #[command(verbatim_doc_comment)]
    Why(WhyArguments),
}

#[derive(Debug, Args)]
struct WhyArguments {
    /// The caller, by its node id (namespace/workload)
    #[arg(requires = "destination")]
    source: Option<String>,
    /// The called party, by its node id (namespace/workload)
    destination: Option<String>,
    /// The web address of the collector; for one in a cluster, run kubectl port-forward first
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[derive(Debug, Args)]
struct RecordArguments {
    /// The file to write; an existing one is replaced
    file: PathBuf,
    /// The address that Envoys send to
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:11800")]
    listen: SocketAddr,
    /// Stop after this many seconds; by default at Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop when the file has this size
    #[arg(long, default_value = "64")]
    mebibytes: u64,
    /// A configuration file; the headers of its `analysis.redaction.headers` are hidden, too
    #[arg(long, value_name = "FILE", conflicts_with = "unredacted")]
    config: Option<PathBuf>,
    /// Write messages as they came, with secrets and with fields that this version does not know
    #[arg(long)]
    unredacted: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct CheckArguments {
    /// The file to check: a configuration, or SkyWalking's application.yml
    file: Option<PathBuf>,
    /// The file to check, named as for a run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("ALSCOPE_COMMIT"),
    ")"
);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.command, arguments.config) {
        (Some(Command::Check(CheckArguments { file, config })), _) => match file.or(config) {
            Some(file) => check(&file),
            None => unreachable_without_arguments(),
        },
        (Some(Command::Record(arguments)), _) => record_streams(arguments),
        (Some(Command::Replay { file, config }), _) => replay_file(file, &config),
        (Some(Command::Top { url }), _) => top::run(&url).map_err(anyhow::Error::from),
        (Some(Command::Why(arguments)), _) => explain(&arguments),
        (None, Some(config)) => collect(&config),
        (None, None) => unreachable_without_arguments(),
    };
    let (code, said) = ended(result);
    if let Some(said) = said {
        terminal::say(&said);
    }
    code
}

/// Returns the exit code, and the message for standard error.
fn ended(result: anyhow::Result<()>) -> (ExitCode, Option<String>) {
    match result {
        Ok(()) => (ExitCode::SUCCESS, None),
        Err(error) => (ExitCode::FAILURE, Some(format!("alscope-collector: {error:#}"))),
    }
}

/// Clap prints its help before the command gets here without any argument.
fn unreachable_without_arguments() -> anyhow::Result<()> {
    anyhow::bail!("no file given; run alscope-collector --help")
}

fn check(path: &std::path::Path) -> anyhow::Result<()> {
    let config = match Checked::load(path)? {
        Checked::Collector(config) => config,
        Checked::SkyWalking(report) => {
            print_report(&report)?;
            anyhow::ensure!(
                report.is_accepted(),
                "some settings of {} are refused; change them as the table says",
                path.display()
            );
            return Ok(());
        }
    };
    persistence(&config)?;
    if let Directory::File(file) = &config.directory {
        for (kind, item) in directory::file::load(file, &mut directory::empty(&config))? {
            let (kind, name, file) = (kind.as_str(), item.name, file.display());
            terminal::say(&format!(
                "alscope-collector: warning: {kind} {name} of {file} can't be decoded and is left out"
            ));
        }
    }
    terminal::print(config.describe().trim_end())?;
    for warning in config.warnings() {
        terminal::say(&format!("alscope-collector: warning: {warning}"));
    }
    Ok(())
}

fn print_report(report: &SkyWalkingReport) -> std::io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["SKYWALKING'S KEY", "VALUE", "HERE"]);
    for row in &report.rows {
        let here = match &row.outcome {
            Outcome::Sets { key, value } => format!("{key}: {value}"),
            Outcome::Ignored(reason) => format!("ignored: {reason}"),
            Outcome::Refused(refusal) => format!("refused: {refusal}"),
        };
        table.add_row([row.key, &row.value, &here]);
    }
    terminal::print(&table.trim_fmt())?;
    if report.other_modules > 0 {
        let ignored = "modules that are ignored because they have nothing to do with access logs";
        terminal::print(&format!("\n{ignored}: {}", report.other_modules))?;
    }
    Ok(())
}

fn collect(path: &std::path::Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // kube's client logs every request that fails. The directory logs the same failures itself, and less
    // often.
    let filter = filter.add_directive("kube_client::client=off".parse()?);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // Reporting that standard error is closed would itself panic.
        .log_internal_errors(false)
        .with_filter(filter.and(LogLimit::default()));
    tracing_subscriber::registry().with(lines).init();
    let (runtime, stop) = until_signals()?;
    runtime.block_on(async {
        let ports = run::Ports::bind(&config)?;
        Ok(run::run(&config, ports, stop).await?)
    })
}

fn explain(arguments: &WhyArguments) -> anyhow::Result<()> {
    let edge = arguments.source.as_deref().zip(arguments.destination.as_deref());
    Ok(why::run(&arguments.url, edge)?)
}

fn record_streams(arguments: RecordArguments) -> anyhow::Result<()> {
    let RecordArguments {
        file,
        listen,
        seconds,
        mebibytes,
        config,
        unredacted,
    } = arguments;
    let redaction = match config {
        _ if unredacted => Redaction::Off,
        Some(config) => hidden_headers(&Config::load(&config)?),
        None => Redaction::default(),
    };
    let (runtime, stop) = until_signals()?;
    if let Some(seconds) = seconds {
        let stop = stop.clone();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            stop.cancel();
        });
    }
    let recorded = runtime.block_on(async {
        let socket = record::bind(listen)?;
        let until = seconds.map_or_else(|| "until Ctrl-C".to_owned(), |seconds| format!("for {seconds} s"));
        terminal::say(&format!(
            "recording the access logs that Envoys send to {} into {}, {until}",
            socket.local_addr()?,
            file.display()
        ));
        let options = record::RecordOptions {
            file,
            bytes: mebibytes << 20,
            redaction,
        };
        anyhow::Ok(record::record(socket, options, stop).await?)
    })?;
    terminal::print(&format!(
        "{} messages, {} bytes; {} messages could not be read and are left out",
        recorded.messages, recorded.bytes, recorded.left_out
    ))?;
    Ok(())
}

fn replay_file(file: PathBuf, config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let replayed = runtime.block_on(replay::replay(&config, file))?;
    let gauges = ScrapeGauges {
        analyzers: run::analyzers(&config),
        streams: 0,
        directory_version: replayed.directory_version,
        ..ScrapeGauges::default()
    };
    let snapshot = Arc::new(replayed.snapshot);
    for piece in Prometheus::default().render(snapshot, Format::Text, &gauges, &Proxies::default()) {
        terminal::print(piece.trim_end_matches('\n'))?;
    }
    for item in replayed.left_out {
        terminal::say(&format!(
            "alscope-collector: warning: {item} of the directory file can't be decoded and is left out"
        ));
    }
    if replayed.is_cut_off {
        terminal::say(
            "alscope-collector: warning: the recording ends in the middle of a message, which is left out",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alscope_collector::configure::directory_source::DirectorySourceError;
    use alscope_collector::receive::listener::WorkerGone;
    use alscope_collector::run::StartError;

    use super::*;

    /// Returns the text and the exit code that `main` gives for this outcome of `run`.
    fn ended_by(result: Result<(), StartError>) -> (String, Option<String>) {
        let (code, said) = ended(result.map_err(anyhow::Error::from));
        (format!("{code:?}"), said)
    }

    /// No input can end a worker's thread or the watches, so the test checks what the process
    /// makes of such an error.
    #[test]
    fn a_fault_of_a_part_ends_the_process_with_1_and_says_what_to_do() {
        let failed = format!("{:?}", ExitCode::FAILURE);
        let expected = [
            (
                StartError::WorkerGone(WorkerGone),
                "alscope-collector: an ingest thread has ended by a fault of this program; report it with the log, and start the \
                 collector again",
            ),
            (
                StartError::Directory(DirectorySourceError::Ended),
                "alscope-collector: directory.kubernetes: the watches ended before all objects were listed; look at the errors in \
                 the log and start the collector again",
            ),
        ];
        for (error, said) in expected {
            assert_eq!(ended_by(Err(error)), (failed.clone(), Some(said.to_owned())));
        }
        assert_ne!(failed, format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(ended_by(Ok(())), (format!("{:?}", ExitCode::SUCCESS), None));
    }
}
