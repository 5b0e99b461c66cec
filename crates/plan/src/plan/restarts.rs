//! Which workload the operator restarts next, so that its proxies start with the collector's address.
//!
//! Everything is decided from what the cluster holds: the annotations of a workload tell for which address and wiring it was restarted,
//! its status tells whether that restart has ended. So the next pass goes on after a crash at any request, and no workload is restarted
//! twice for the same wiring. Only the times from which the pause counts are kept in the status of the resource.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{RestartBudget, RestartsStatus, WaitingWorkloadStatus};
use crate::world::{ObjectName, Proxy, Restarted, Rollout, Workload, WorkloadKind, Workloads};

use super::proxies::PendingWorkload;
use super::proxies_condition::RestartNote;
use super::restart_obstacles::{Course, course, obstacle, obstacle_of_namespace, owns};
use super::step::WorkloadRestart;

const MAX_WAITING_LISTED: usize = 10;
const MAX_WAITING_TOLD: usize = 3;

/// What the restarts of a mesh depend on.
#[derive(Clone, Copy, Debug)]
pub struct RestartWorld<'a> {
    /// The workloads whose pods must restart.
    pub pending: &'a [PendingWorkload],
    /// The pods that have a proxy.
    pub proxies: &'a [Proxy],
    /// The workloads of the cluster, and the budgets of their pods.
    pub workloads: &'a Workloads,
    /// The address and the wiring that a restart is for.
    pub mark: &'a str,
    /// How fast restarts go.
    pub budget: &'a RestartBudget,
    /// Whether a restart may begin.
    pub is_open: bool,
    /// What an earlier pass said of the restarts.
    pub previous: Option<&'a RestartsStatus>,
    /// The current time.
    pub now: Timestamp,
}

/// What follows for the restarts of a mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restarts {
    /// The restarts that begin now.
    pub next: Vec<WorkloadRestart>,
    /// How far the restarts are.
    pub status: RestartsStatus,
    /// Every workload that can begin its restart, in the order in which they do.
    pub due: Vec<PendingWorkload>,
    /// Every workload that waits for something.
    pub waiting: Vec<WaitingWorkloadStatus>,
}

/// The restarts that have begun for this wiring.
#[derive(Default)]
struct Begun<'a> {
    restarted: usize,
    under_way: Vec<&'a Workload>,
    stopped: Vec<String>,
    /// When the last one began.
    last_began: Option<Timestamp>,
}

impl Restarts {
    /// Decides about the restarts of a mesh.
    pub fn decide(world: &RestartWorld<'_>) -> Self {
        let begun = world.begun();
        let (due, waiting) = world.due_and_waiting();
        let under_way: Vec<String> = begun.under_way.iter().map(|one| title(one)).collect();
        let last_ended = world.last_ended(&under_way);
        // What is read of a workload may be older than its restart.
        let last_began = begun.last_began.max(world.last_began());
        let pause_ends = last_ended
            .max(last_began)
            .map(|last| last.saturating_add(world.budget.pause()).unwrap_or(last));
        let may_begin =
            world.is_open && begun.stopped.is_empty() && pause_ends.is_none_or(|end| world.now >= end);
        let next = if may_begin {
            world.next(&begun, &due)
        } else {
            Vec::new()
        };
        let last_began = if next.is_empty() {
            world.last_began()
        } else {
            Some(world.now)
        };
        Self {
            next,
            status: RestartsStatus {
                restarted: count(begun.restarted),
                under_way,
                outstanding: count(due.len()),
                waiting: count(waiting.len()),
                waiting_for: waiting.iter().take(MAX_WAITING_LISTED).cloned().collect(),
                stopped: (!begun.stopped.is_empty()).then(|| begun.stopped.join("; ")),
                last_began: last_began.map(Time),
                last_ended: last_ended.map(Time),
            },
            due: due.into_iter().map(|(pending, _)| pending.clone()).collect(),
            waiting,
        }
    }

    /// What the condition says of the restarts. `closed` says why none may begin, if that is so.
    pub fn note(&self, closed: Option<&str>) -> RestartNote {
        let status = &self.status;
        let under_way = status.under_way.join(", ");
        let total = self.status.restarted + count(status.under_way.len()) + status.outstanding;
        let mut messages = vec![format!(
            "The operator has restarted {} of {total} workloads",
            status.restarted
        )];
        if !under_way.is_empty() {
            messages.push(format!("{under_way} is under way"));
        }
        let told = self.waiting.iter().take(MAX_WAITING_TOLD).map(|one| {
            let (namespace, name, kind) = (&one.namespace, &one.name, &one.kind);
            format!(
                "{namespace}/{name} ({kind}) waits: {} (`{}`)",
                one.reason, one.command
            )
        });
        messages.extend(told);
        if self.waiting.len() > MAX_WAITING_TOLD {
            messages.push(format!("{} more wait", self.waiting.len() - MAX_WAITING_TOLD));
        }
        let reason = if let Some(stopped) = &status.stopped {
            messages.push(format!(
                "no other restart begins, because {stopped}; the operator goes on by itself then"
            ));
            "RestartStopped"
        } else if let Some(closed) = closed {
            messages.push(format!("none begins now: {closed}"));
            "RestartWaiting"
        } else if status.under_way.is_empty() && status.outstanding == 0 {
            "RestartWaiting"
        } else {
            "Restarting"
        };
        RestartNote {
            reason,
            message: messages.join(". "),
        }
    }
}

impl<'a> RestartWorld<'a> {
    fn begun(&self) -> Begun<'a> {
        let mut begun = Begun::default();
        for workload in &self.workloads.all {
            let Some(restarted) = self.restarted(workload) else {
                continue;
            };
            begun.last_began = begun.last_began.max(restarted.at);
            let pending = self.pending.iter().find(|pending| is_of(pending, workload));
            let newest_pending = pending.map(|pending| pending.newest_pod);
            match course(workload, restarted, newest_pending, self.proxies, self.now) {
                Course::Ended => begun.restarted += 1,
                Course::UnderWay => begun.under_way.push(workload),
                Course::Stopped(why) => {
                    begun.under_way.push(workload);
                    begun.stopped.push(format!("{} {why}", title(workload)));
                }
            }
        }
        begun
    }

    /// The restart of a workload for this wiring.
    fn restarted<'b>(&self, workload: &'b Workload) -> Option<&'b Restarted> {
        workload
            .restarted
            .as_ref()
            .filter(|restarted| restarted.mark == self.mark)
    }

    /// The workloads that can begin their restart, and those that can't, with the reason.
    fn due_and_waiting(
        &self,
    ) -> (
        Vec<(&'a PendingWorkload, &'a Workload)>,
        Vec<WaitingWorkloadStatus>,
    ) {
        let known: BTreeMap<(WorkloadKind, &ObjectName), &Workload> = self
            .workloads
            .all
            .iter()
            .map(|workload| ((workload.kind, &workload.name), workload))
            .collect();
        let (mut due, mut waiting) = (Vec::new(), Vec::new());
        for pending in self.pending {
            let name = ObjectName::new(&pending.workload.namespace, &pending.workload.name);
            let kind = WorkloadKind::parse(&pending.workload.kind);
            let found = kind.and_then(|kind| known.get(&(kind, &name)).copied());
            if found.is_some_and(|workload| self.restarted(workload).is_some()) {
                continue;
            }
            let reason = match (kind, found) {
                (None, _) => Some("the operator does not restart this kind; run the command".to_owned()),
                (Some(_), None) => Some("the operator does not know this workload yet".to_owned()),
                (Some(_), Some(workload)) => obstacle_of_namespace(&name.namespace)
                    .or_else(|| obstacle(workload, &self.workloads.budgets)),
            };
            match (reason, found) {
                (None, Some(workload)) => due.push((pending, workload)),
                (reason, _) => waiting.push(waiting_status(pending, reason.unwrap_or_default())),
            }
        }
        (due, waiting)
    }

    /// The restarts that begin now, where nothing else keeps them: in each namespace at most one workload rolls out.
    fn next(&self, begun: &Begun<'_>, due: &[(&PendingWorkload, &Workload)]) -> Vec<WorkloadRestart> {
        let allowed = usize::try_from(self.budget.workloads).unwrap_or(0);
        let free = allowed.saturating_sub(begun.under_way.len());
        let mut busy: BTreeSet<&str> = begun
            .under_way
            .iter()
            .map(|one| one.name.namespace.as_str())
            .collect();
        let rolling = self.workloads.all.iter().filter(|workload| {
            workload.rollout == Rollout::Rolling && self.proxies.iter().any(|proxy| owns(workload, proxy))
        });
        busy.extend(rolling.map(|workload| workload.name.namespace.as_str()));
        let workloads = due.iter().map(|(_, workload)| workload);
        workloads
            .filter(|workload| busy.insert(&workload.name.namespace))
            .take(free)
            .map(|workload| WorkloadRestart {
                kind: workload.kind,
                name: workload.name.clone(),
                resource_version: workload.resource_version.clone(),
                mark: self.mark.to_owned(),
                at: self.now,
            })
            .collect()
    }

    /// When an earlier pass began a restart.
    fn last_began(&self) -> Option<Timestamp> {
        let time = self.previous?.last_began.as_ref()?;
        Some(time.0)
    }

    /// When a restart was last seen to have ended: now, if one that was under way is not any more.
    fn last_ended(&self, under_way: &[String]) -> Option<Timestamp> {
        let previous = self.previous?;
        let has_ended = previous.under_way.iter().any(|one| !under_way.contains(one));
        if has_ended {
            return Some(self.now);
        }
        previous.last_ended.as_ref().map(|time| time.0)
    }
}

fn is_of(pending: &PendingWorkload, workload: &Workload) -> bool {
    let one = &pending.workload;
    one.kind == workload.kind.as_str()
        && one.namespace == workload.name.namespace
        && one.name == workload.name.name
}

fn waiting_status(pending: &PendingWorkload, reason: String) -> WaitingWorkloadStatus {
    let workload = &pending.workload;
    WaitingWorkloadStatus {
        kind: workload.kind.clone(),
        namespace: workload.namespace.clone(),
        name: workload.name.clone(),
        reason,
        command: workload.command.clone(),
    }
}

fn title(workload: &Workload) -> String {
    format!("{} ({})", workload.name, workload.kind.as_str())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
