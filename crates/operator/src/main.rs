//! `alscope-operator`: turns on a mesh's access-log streaming, and takes it back.

mod plan_command;
mod restart_command;

use std::hash::{BuildHasher as _, RandomState};
use std::io::{ErrorKind, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::drain;
use alscope_operator::gather::replica_status::ReplicaPoller;
use alscope_operator::lease::Candidate;
use alscope_operator::run::{self, Options};
use alscope_plan::api;
use alscope_plan::plan::settings::OperatorSettings;
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;

/// Wires an Istio mesh for a MeshObservability, runs its collector, and undoes all of it when the resource is deleted.
///
/// Exit codes: 0 ended as asked, 1 failed or ended at once by a second signal, 2 wrong usage; of `plan --exit-code` also 3 something
/// would change, 4 something is refused.
#[derive(Debug, Parser)]
#[command(version = VERSION, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator, in a cluster or with KUBECONFIG
    Run(Run),
    /// Shows what a resource would change: the diff of mesh config, the objects, the pods to restart. Writes nothing
    Plan(plan_command::Plan),
    /// Lists the workloads whose proxies lack the collector's address, all of them, in the order of their restarts. With --run it
    /// restarts them one after the other, as spec.mesh.restart: Rollout does, with your own rights
    Restart(restart_command::Arguments),
    /// Deletes every MeshObservability of this installation and waits until the meshes are restored; run before the operator is
    /// removed
    Drain {
        #[command(flatten)]
        own: NamespaceArgument,
        /// How long to wait
        #[arg(long, default_value = "3m", value_parser = duration, value_name = "DURATION")]
        timeout: Duration,
    },
    /// Prints the custom resource definition
    Definition,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    settings: SettingsArguments,
    /// The name of this operator in the leader election, which must be unique. Default: the name of the host with a random suffix
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,
    /// How long a leader may fail to renew its Lease before another operator takes over, at least 3s
    #[arg(long, default_value = "15s", value_parser = lease_duration, value_name = "DURATION")]
    lease_duration: Duration,
    /// The address that serves liveness, readiness and metrics
    #[arg(long, default_value = "[::]:9090", value_name = "ADDRESS")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
struct NamespaceArgument {
    /// The namespace of the operator, in which its collectors run. Resources of operators in other namespaces are left alone
    #[arg(
        long,
        env = "POD_NAMESPACE",
        default_value = "alscope-system",
        value_name = "NAME"
    )]
    namespace: String,
}

#[derive(Debug, Args)]
struct SettingsArguments {
    #[command(flatten)]
    own: NamespaceArgument,
    /// The image of the collector, unless a resource names one
    #[arg(long, env = "ALSCOPE_COLLECTOR_IMAGE", default_value_t = OperatorSettings::default().collector_image, value_name = "IMAGE")]
    collector_image: String,
    /// The ServiceAccount of the collector
    #[arg(long, default_value = "alscope-collector", value_name = "NAME")]
    collector_service_account: String,
    /// The DNS domain of the cluster
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// The ConfigMap that istiod names in `SHARED_MESH_CONFIG`, if the operator may write it
    #[arg(long, value_name = "NAME")]
    shared_config_map: Option<String>,
    /// How long the collector's Service stays for the proxies of a restored mesh
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    drain_timeout: Duration,
}

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("ALSCOPE_COMMIT"),
    ")"
);

const NO_API_SERVER: &str = "no API server is known; run in a cluster, or set KUBECONFIG";

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => block_on(operate(arguments)).map(|()| ExitCode::SUCCESS),
        Command::Plan(arguments) => block_on(plan_command::plan(arguments)),
        Command::Restart(arguments) => block_on(restart_command::restart(arguments)),
        Command::Drain { own, timeout } => block_on(async move {
            drain::drain(client().await?, &own.namespace, timeout).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Command::Definition => definition().map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("alscope-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Parses a duration such as `15s`, `3m` or `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|error| format!("{error}; write for instance 90s or 3m"))?;
    Duration::try_from(parsed).map_err(|_| "a duration is not negative; write for instance 90s".to_owned())
}

/// Listens on the address. `0.0.0.0` stands for `[::]` if the system refuses that, as one without IPv6 does.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let is_any = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let refused = match TcpListener::bind(address).await {
        // Whoever has the port has it in both families.
        Err(error) if is_any && error.kind() != ErrorKind::AddrInUse => error,
        bound => return bound,
    };
    let instead = TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await;
    let instead = instead.map_err(|_| refused)?;
    info!("the system has no IPv6, so the operator listens on 0.0.0.0 and not on [::]");
    Ok(instead)
}

/// Parses the duration of a Lease. A shorter one would be renewed without pause.
fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(3) {
        return Err("a Lease of less than 3s can't be renewed in time; write for instance 15s".to_owned());
    }
    Ok(duration)
}

/// A name that no other operator has, because two with one name would both lead.
fn unique_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "alscope-operator",
        host => host,
    };
    // Its keys are random.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{host}-{random:016x}")
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn client() -> anyhow::Result<Client> {
    Client::try_default().await.context(NO_API_SERVER)
}

/// A client that does not retry: each reader retries by itself, and each write is planned again.
async fn client_without_retries() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context(NO_API_SERVER)?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

async fn operate(arguments: Run) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let admin = listen(arguments.listen).await.with_context(|| {
        format!(
            "{} can't be listened on; end what listens there or change --listen",
            arguments.listen
        )
    })?;
    let settings = arguments.settings.settings();
    let options = Options {
        candidate: Candidate {
            namespace: settings.namespace.clone(),
            identity: arguments
                .identity
                .filter(|name| !name.is_empty())
                .unwrap_or_else(unique_identity),
            duration: arguments.lease_duration,
            clock: Clock::Wall,
        },
        settings,
        clock: Clock::Wall,
        replica_poller: ReplicaPoller::default(),
        admin: Some(admin),
    };
    let signals = async {
        signalled(&mut terminate, &mut interrupt).await;
        stop.cancel();
        signalled(&mut terminate, &mut interrupt).await;
    };
    tokio::select! {
        ended = run::run(client_without_retries().await?, options, stop.clone()) => Ok(ended?),
        // The first ends it in order, the second at once.
        () = signals => std::process::exit(1),
    }
}

async fn signalled(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn definition() -> anyhow::Result<()> {
    print!("{}", serde_saphyr::to_string(&api::definition())?);
    Ok(())
}

impl SettingsArguments {
    fn settings(self) -> OperatorSettings {
        OperatorSettings {
            namespace: self.own.namespace,
            collector_image: self.collector_image,
            collector_service_account: self.collector_service_account,
            cluster_domain: self.cluster_domain,
            shared_config_map: self.shared_config_map.filter(|name| !name.is_empty()),
            drain_timeout: self.drain_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_operators_have_one_name() {
        assert_ne!(unique_identity(), unique_identity());
    }

    #[test]
    fn a_lease_can_be_renewed_in_time() {
        assert_eq!(lease_duration("3s"), Ok(Duration::from_secs(3)));
        assert!(lease_duration("2s").is_err());
        assert!(lease_duration("0s").is_err());
    }
}
