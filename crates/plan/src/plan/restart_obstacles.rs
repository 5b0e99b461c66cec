//! How a workload stands to its restart: what keeps one from beginning, and whether one that began has ended.

use jiff::{SignedDuration, Timestamp};

use crate::world::{DisruptionBudget, Hold, PodOwner, Proxy, Restarted, Rollout, Workload, WorkloadKind};

/// The namespace whose workloads the cluster itself depends on. Nothing is restarted there.
const KUBE_SYSTEM: &str = "kube-system";
/// How long a restart may make no progress where Kubernetes sets no deadline: the default `progressDeadlineSeconds` of a Deployment.
const PROGRESS_DEADLINE: SignedDuration = SignedDuration::from_mins(10);

/// Where a restart is that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// Its pods are being replaced.
    UnderWay,
    /// It has ended.
    Ended,
    /// It does not go on, for this reason.
    Stopped(String),
}

/// Where the restart of a workload is. `newest_pending` is the newest of its pods without the address, if it has such pods.
pub fn course(
    workload: &Workload,
    restarted: &Restarted,
    newest_pending: Option<Option<Timestamp>>,
    proxies: &[Proxy],
    now: Timestamp,
) -> Course {
    if is_in_vain(restarted, newest_pending.flatten()) {
        return Course::Stopped(
            "was restarted for this address, and a pod that came after that lacks it; look whether the istiod that injects the pod reads \
             the mesh config that is wired, then restart the workload yourself"
                .to_owned(),
        );
    }
    let has_pending = newest_pending.is_some();
    let is_replaced = match workload.rollout {
        Rollout::Complete => true,
        // A DaemonSet does not tell a rollout's end from a later failure.
        Rollout::Unavailable => workload.kind != WorkloadKind::DaemonSet,
        Rollout::Rolling | Rollout::Stuck => false,
    };
    // What is read of the pods may be older than what is read of the workload.
    if is_replaced && !has_pending {
        return Course::Ended;
    }
    if let Some(hold) = workload.hold {
        return Course::Stopped(format!("can't end its restart: {}", hold_text(workload, hold)));
    }
    let is_overdue = || now > last_progress(workload, restarted, proxies) + PROGRESS_DEADLINE;
    // The Deployment controller has a deadline of its own.
    let has_own_deadline = workload.kind == WorkloadKind::Deployment && !is_replaced;
    if workload.rollout == Rollout::Stuck || (!has_own_deadline && is_overdue()) {
        return Course::Stopped(format!(
            "does not become ready after its restart; see `{}`, and mend it",
            rollout_command(workload, "status")
        ));
    }
    Course::UnderWay
}

/// Whether the restart has brought a pod without the address: another one would bring no other.
fn is_in_vain(restarted: &Restarted, newest_pending: Option<Timestamp>) -> bool {
    match (restarted.at, newest_pending) {
        (Some(at), Some(created)) => created > at,
        _ => false,
    }
}

/// When the restart last made progress: when it began, or when the newest pod was created.
fn last_progress(workload: &Workload, restarted: &Restarted, proxies: &[Proxy]) -> Timestamp {
    let own = proxies.iter().filter(|proxy| owns(workload, proxy));
    let created = own.filter_map(|proxy| proxy.created_at).max();
    created.max(restarted.at).unwrap_or(Timestamp::MIN)
}

/// Whether the pod is one of the workload.
pub fn owns(workload: &Workload, proxy: &Proxy) -> bool {
    let name = &workload.name.name;
    let is_owner = match workload.kind {
        WorkloadKind::Deployment => matches!(&proxy.owner, PodOwner::Deployment(owner) if owner == name),
        WorkloadKind::StatefulSet => matches!(&proxy.owner, PodOwner::StatefulSet(owner) if owner == name),
        WorkloadKind::DaemonSet => matches!(&proxy.owner, PodOwner::DaemonSet(owner) if owner == name),
    };
    is_owner && proxy.pod.namespace == workload.name.namespace
}

/// Why the operator restarts nothing in a namespace; `None` where it does.
pub fn obstacle_of_namespace(namespace: &str) -> Option<String> {
    (namespace == KUBE_SYSTEM)
        .then(|| "the operator restarts nothing in kube-system; run the command".to_owned())
}

/// Why the restart of a workload can't begin now, and what to do; `None` if it can.
pub fn obstacle(workload: &Workload, budgets: &[DisruptionBudget]) -> Option<String> {
    if let Some(hold) = workload.hold {
        return Some(hold_text(workload, hold));
    }
    match workload.rollout {
        Rollout::Complete => {}
        Rollout::Rolling => return Some("it rolls out already; the operator waits for the end".to_owned()),
        Rollout::Unavailable => {
            return Some("some of its pods are not available; the operator waits until all are".to_owned());
        }
        Rollout::Stuck => {
            return Some(format!(
                "its last rollout makes no progress; see `{}`, and mend it",
                rollout_command(workload, "status")
            ));
        }
    }
    let closed = budgets.iter().find(|budget| {
        !budget.allows_disruption && budget.guards(&workload.name.namespace, &workload.pod_labels)
    })?;
    Some(format!(
        "PodDisruptionBudget {} allows no disruption now; the operator waits until it does, or run the command",
        closed.name.name
    ))
}

fn hold_text(workload: &Workload, hold: Hold) -> String {
    match hold {
        Hold::Paused => format!(
            "its rollout is paused; run `{}` when it suits you",
            rollout_command(workload, "resume")
        ),
        Hold::OnDelete => {
            "its update strategy is OnDelete; restart it with the command, then delete its pods when it suits you".to_owned()
        }
        Hold::Partition => {
            "its update strategy has a partition, which keeps pods as they are; set the partition to 0 when it suits you".to_owned()
        }
    }
}

fn rollout_command(workload: &Workload, verb: &str) -> String {
    let kind = workload.kind.as_str().to_lowercase();
    let (namespace, name) = (&workload.name.namespace, &workload.name.name);
    format!("kubectl -n {namespace} rollout {verb} {kind}/{name}")
}
