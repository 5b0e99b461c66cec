//! Restarts the workloads of a mesh from a machine with a kubeconfig, by the decisions of the operator's own plan.

use std::sync::Arc;
use std::time::Duration;

use alscope_plan::api::{ManagementState, MeshObservability, Restart, RestartBudget, RestartsStatus};
use alscope_plan::plan::conditions::{MESH_CONFIGURED, PROXIES_UP_TO_DATE};
use alscope_plan::plan::refusal::{Refusal, WriteFailure};
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::plan::step::Step;
use alscope_plan::plan::{self, Plan, Reconciliation};
use alscope_plan::show;
use alscope_plan::world::{ReadError, World};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::apply::{StepError, StepWriter};
use crate::clock::Clock;
use crate::gather::{ClusterReader, Unlisted};

/// How often is looked for what no watch reports: the ends of pauses and deadlines.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What to restart, and how.
#[derive(Clone, Debug)]
pub struct RestartOptions {
    /// The name of the resource; absent means the only one.
    pub name: Option<String>,
    /// How many workloads restart at once, unless the resource is to say it.
    pub workloads: Option<i32>,
    /// The pause between restarts, unless the resource is to say it.
    pub pause: Option<String>,
    /// How long no restart may begin or be under way before the rest is left.
    pub patience: Duration,
    /// The source of the time.
    pub clock: Clock,
}

/// How restarts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No proxy lacks the address.
    Done,
    /// Some proxies lack the address: they were listed, or something keeps their workloads from a restart.
    Left,
}

/// Why workloads can't be restarted.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The cluster could not be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The mesh can't be judged.
    #[error("{0}")]
    Refused(Refusal),
    /// The API server did not list everything in time.
    #[error(transparent)]
    Unlisted(#[from] Unlisted),
    /// There is no such resource, or there are several.
    #[error("name one of the MeshObservabilities of the cluster: {}", if found.is_empty() { "there is none".to_owned() } else { found.join(", ") })]
    NoResource {
        /// The names of those that exist.
        found: Vec<String>,
    },
    /// The resource belongs to another installation of the operator.
    #[error("{0}; give its namespace with --namespace")]
    OtherInstallation(String),
    /// A restart was refused.
    #[error("{0}")]
    Write(WriteFailure),
}

/// The cluster, read for restarts.
struct Restarter<'a> {
    gather: ClusterReader,
    changed: Arc<Notify>,
    settings: &'a OperatorSettings,
    options: &'a RestartOptions,
    /// Ends the watches.
    _ending: DropGuard,
}

/// Lists every restart that a mesh needs.
pub async fn list(
    client: &Client,
    settings: &OperatorSettings,
    options: &RestartOptions,
    tell: &mut dyn FnMut(&str),
) -> Result<Outcome, RestartError> {
    let mut restarter = Restarter::start(client, settings, options);
    let world = restarter.world().await?;
    let resource = restarter.resource(&world, None)?;
    let reconciliation = restarter.reconciliation(&world, &resource);
    let plan = plan_of(&reconciliation)?;
    if let Some(configured) = condition(&plan, MESH_CONFIGURED).filter(|one| one.status != "True") {
        tell(&format!(
            "no restart helps before mesh config is wired: {}",
            configured.message
        ));
        return Ok(Outcome::Left);
    }
    let (proxies, restarts) = reconciliation.restarts().map_err(RestartError::Refused)?;
    let text = show::restart_list(&proxies, &restarts, &resource.spec.mesh.restart_budget);
    tell(text.trim_end());
    Ok(if proxies.status.pending_restart == 0 {
        Outcome::Done
    } else {
        Outcome::Left
    })
}

/// Restarts every workload of a mesh that needs it, and tells each step.
pub async fn run(
    client: &Client,
    settings: &OperatorSettings,
    options: &RestartOptions,
    tell: &mut dyn FnMut(&str),
) -> Result<Outcome, RestartError> {
    let mut restarter = Restarter::start(client, settings, options);
    let writer = StepWriter::new(client.clone(), &settings.namespace);
    let mut memory: Option<RestartsStatus> = None;
    let mut told = Progress::default();
    loop {
        let world = restarter.world().await?;
        let resource = restarter.resource(&world, memory.as_ref())?;
        let plan = plan_of(&restarter.reconciliation(&world, &resource))?;
        let status = plan.status.restarts.clone().unwrap_or_default();
        told.tell(&status, tell);
        let steps = plan.steps.iter().filter(|step| matches!(step, Step::Restart(_)));
        for step in steps {
            match writer.step(step, resource.clone()).await {
                Ok(_) | Err(StepError::Conflict) => {}
                Err(StepError::Failed(what)) => return Err(RestartError::Write(what)),
            }
        }
        memory = Some(status);
        if let Some(outcome) = told.outcome(&plan, options.patience, tell) {
            return Ok(outcome);
        }
        tokio::select! {
            biased;
            () = restarter.changed.notified() => {}
            () = sleep(POLL_INTERVAL) => {}
        }
    }
}

impl<'a> Restarter<'a> {
    fn start(client: &Client, settings: &'a OperatorSettings, options: &'a RestartOptions) -> Self {
        let changed = Arc::new(Notify::new());
        let ending = CancellationToken::new();
        let mut gather = ClusterReader::start(client, &settings.namespace, changed.clone(), ending.clone());
        gather.watch_workloads();
        Self {
            gather,
            changed,
            settings,
            options,
            _ending: ending.drop_guard(),
        }
    }

    /// The state of the cluster, when everything is listed.
    async fn world(&mut self) -> Result<World, Unlisted> {
        self.gather
            .settled_world(&self.changed, || self.options.clock.now())
            .await
    }

    /// The resource as if the operator were to restart its workloads. `memory` is what the last look said of the restarts.
    fn resource(
        &self,
        world: &World,
        memory: Option<&RestartsStatus>,
    ) -> Result<MeshObservability, RestartError> {
        let all = world.resources.as_ref().map_err(Clone::clone)?;
        let wanted = |one: &&MeshObservability| match &self.options.name {
            Some(name) => one.name() == name,
            None => all.len() == 1,
        };
        let Some(mut resource) = all.iter().find(wanted).cloned() else {
            let found = all.iter().map(|one| one.name().to_owned()).collect();
            return Err(RestartError::NoResource { found });
        };
        let spec = &mut resource.spec;
        spec.management_state = ManagementState::Managed;
        spec.mesh.restart = Restart::Rollout;
        let budget = spec.mesh.restart_budget.clone();
        spec.mesh.restart_budget = RestartBudget {
            workloads: self.options.workloads.unwrap_or(budget.workloads),
            pause: self.options.pause.clone().unwrap_or(budget.pause),
        };
        if let Some(memory) = memory {
            resource.status.get_or_insert_default().restarts = Some(memory.clone());
        }
        Ok(resource)
    }

    fn reconciliation<'b>(&'b self, world: &'b World, resource: &'b MeshObservability) -> Reconciliation<'b> {
        Reconciliation {
            world,
            settings: self.settings,
            resource,
            failure: None,
            now: self.options.clock.now(),
        }
    }
}

/// The operator's plan, unless the resource is none of this installation.
fn plan_of(reconciliation: &Reconciliation<'_>) -> Result<Plan, RestartError> {
    let plan = plan::plan(reconciliation);
    match plan.events.first() {
        Some(event) => Err(RestartError::OtherInstallation(event.message.clone())),
        None => Ok(plan),
    }
}

/// What was told, and since when nothing happens.
#[derive(Default)]
struct Progress {
    under_way: Vec<String>,
    idle_since: Option<Instant>,
}

impl Progress {
    /// Tells which restarts have begun and ended since the last look.
    fn tell(&mut self, status: &RestartsStatus, tell: &mut dyn FnMut(&str)) {
        let total =
            status.restarted + status.outstanding + i64::try_from(status.under_way.len()).unwrap_or(0);
        for one in status
            .under_way
            .iter()
            .filter(|one| !self.under_way.contains(one))
        {
            tell(&format!("{one} restarts"));
        }
        for one in self
            .under_way
            .iter()
            .filter(|one| !status.under_way.contains(one))
        {
            tell(&format!(
                "{one} has restarted, {} of {total} workloads",
                status.restarted
            ));
        }
        self.under_way.clone_from(&status.under_way);
    }

    /// How it ended; `None` while there is something to do or to wait for.
    fn outcome(&mut self, plan: &Plan, patience: Duration, tell: &mut dyn FnMut(&str)) -> Option<Outcome> {
        let status = plan.status.restarts.clone().unwrap_or_default();
        let pending = plan
            .status
            .proxies
            .as_ref()
            .map_or(1, |proxies| proxies.pending_restart);
        if let Some(stopped) = &status.stopped {
            tell(&format!(
                "no other restart begins, because {stopped}; then run this command again"
            ));
            return Some(Outcome::Left);
        }
        if pending == 0 && status.under_way.is_empty() && plan.status.restarts.is_some() {
            tell("every proxy has the collector's address");
            return Some(Outcome::Done);
        }
        // A restart that is due begins after its pause.
        let begins = plan.steps.iter().any(|step| matches!(step, Step::Restart(_)));
        let is_pausing = status.outstanding > 0 && is_open(plan);
        if begins || is_pausing || !status.under_way.is_empty() {
            self.idle_since = None;
            return None;
        }
        let idle_since = *self.idle_since.get_or_insert_with(Instant::now);
        (idle_since.elapsed() >= patience).then(|| {
            tell(&message(plan));
            Outcome::Left
        })
    }
}

/// Whether restarts may begin, or only the pause keeps them.
fn is_open(plan: &Plan) -> bool {
    condition(plan, PROXIES_UP_TO_DATE).is_some_and(|one| one.reason == "Restarting")
}

/// Why proxies are not up to date.
fn message(plan: &Plan) -> String {
    let found = condition(plan, PROXIES_UP_TO_DATE);
    found.map(|one| one.message.clone()).unwrap_or_default()
}

fn condition<'a>(plan: &'a Plan, type_: &str) -> Option<&'a Condition> {
    plan.status.conditions.iter().find(|one| one.type_ == type_)
}
