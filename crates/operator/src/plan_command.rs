//! The command `plan`: shows what a resource would change, and writes nothing.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use alscope_operator::clock::Clock;
use alscope_operator::gather::ClusterReader;
use alscope_operator::state_file;
use alscope_plan::api::MeshObservability;
use alscope_plan::plan::preview::{Outcome, preview};
use alscope_plan::plan::proxies::ListLengths;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::show;
use alscope_plan::world::{ReadError, World};
use clap::{Args, ValueEnum};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{SettingsArguments, client};

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// A file with the MeshObservability; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The state of the cluster from a List, instead of the cluster itself: a file with what
    /// `kubectl get deployments,configmaps,pods,telemetries -A -o yaml` prints
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// What to print: text for people, or the whole objects as YAML
    #[arg(short, long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    output: Output,
    /// Lists every workload and pod, not only the ten workloads with the most pods
    #[arg(long)]
    all_pods: bool,
    /// Ends with 3 if something would change, and with 4 if something is refused
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Yaml,
}

/// Prints the plan.
pub(crate) async fn plan(arguments: Plan) -> anyhow::Result<ExitCode> {
    let resource = state_file::resource(&arguments.file)?;
    let settings = arguments.settings.settings();
    let world = match &arguments.state {
        Some(file) => state_file::world(file)?,
        None => gathered(&settings).await?,
    };
    let resource = as_known(resource, &world)?;
    let lengths = if arguments.all_pods {
        ListLengths::ALL
    } else {
        ListLengths::STATUS
    };
    let preview = preview(&world, &settings, &resource, lengths);
    match arguments.output {
        Output::Text => print!("{}", show::show(&resource, &preview)),
        Output::Yaml => {
            for object in show::objects_as_planned(&preview) {
                print!("---\n{}", serde_saphyr::to_string(&object)?);
            }
            for problem in show::problems(&preview) {
                eprintln!("alscope-operator: {problem}");
            }
        }
    }
    Ok(match preview.outcome() {
        Outcome::Changes if arguments.exit_code => ExitCode::from(3),
        Outcome::Refused if arguments.exit_code => ExitCode::from(4),
        Outcome::Unchanged | Outcome::Changes | Outcome::Refused => ExitCode::SUCCESS,
    })
}

/// The resource with the uid and status that it has in the cluster, if it exists there.
fn as_known(resource: MeshObservability, world: &World) -> anyhow::Result<MeshObservability> {
    let name = resource.metadata.name.clone();
    let resources = match &world.resources {
        Ok(resources) => resources.as_slice(),
        // A plan may be made before Alscope is installed.
        Err(ReadError::Absent { .. }) => &[],
        Err(error) => return Err(error.clone().into()),
    };
    if let Some(unread) = world
        .undecodable_resources
        .iter()
        .find(|one| one.metadata.name == name)
    {
        anyhow::bail!(
            "this version of the operator can't read the MeshObservability {} in the cluster: {}; use the version that runs there",
            resource.name(),
            unread.error
        );
    }
    let known = resources.iter().find(|known| known.metadata.name == name);
    Ok(match known.cloned() {
        Some(known) => MeshObservability {
            spec: resource.spec,
            ..known
        },
        None => resource,
    })
}

/// Reads the state of the cluster.
async fn gathered(settings: &OperatorSettings) -> anyhow::Result<World> {
    let changed = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let mut gather = ClusterReader::start(
        &client().await?,
        &settings.namespace,
        changed.clone(),
        stop.clone(),
    );
    let world = gather.settled_world(&changed, || Clock::Wall.now()).await;
    stop.cancel();
    Ok(world?)
}
