//! The workloads whose pods a restart replaces: how far their rollouts are, and what must not be disturbed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;

use super::disruption_budget::DisruptionBudget;
use super::object_name::ObjectName;

/// The annotation of a workload with the address, and the wiring, for which Alscope has restarted it.
pub const RESTARTED_FOR: &str = "alscope.dev/restarted-for";
/// The annotation of a workload with the time of that restart.
pub const RESTARTED_AT: &str = "alscope.dev/restarted-at";

/// What is known for restarts: the workloads, and the budgets of their pods. Both are read, or neither is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workloads {
    /// Every Deployment, StatefulSet and DaemonSet.
    pub all: Vec<Workload>,
    /// Every `PodDisruptionBudget`.
    pub budgets: Vec<DisruptionBudget>,
}

/// A workload whose controller replaces its pods when the pod template changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The kind.
    pub kind: WorkloadKind,
    /// The namespace and the name.
    pub name: ObjectName,
    /// The resourceVersion that guards a restart.
    pub resource_version: String,
    /// How far the newest rollout is.
    pub rollout: Rollout,
    /// Why a change of the pod template would not replace every pod; absent when it would.
    pub hold: Option<Hold>,
    /// The last restart by Alscope.
    pub restarted: Option<Restarted>,
    /// The labels of the pod template, by which budgets select the pods.
    pub pod_labels: BTreeMap<String, String>,
}

/// The kind of a workload that can be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet];

    /// The name of the kind, as the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// The plural with its group.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments.apps",
            Self::StatefulSet => "statefulsets.apps",
            Self::DaemonSet => "daemonsets.apps",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How far the newest rollout of a workload is, as `kubectl rollout status` judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// All pods are of the newest template and available.
    Complete,
    /// Pods are being replaced.
    Rolling,
    /// All pods are of the newest template, and some are not available. For a DaemonSet, the rollout may not have ended yet.
    Unavailable,
    /// The Deployment controller has seen no progress for the Deployment's `progressDeadlineSeconds`.
    Stuck,
}

/// Why a change of the pod template does not replace every pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The Deployment is paused (`spec.paused`).
    Paused,
    /// The update strategy is `OnDelete`.
    OnDelete,
    /// A StatefulSet's `partition` leaves pods as they are.
    Partition,
}

/// A restart by Alscope, as the workload's annotations have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// What it was for.
    pub mark: String,
    /// When it was; absent when the annotation is not a time.
    pub at: Option<Timestamp>,
}

impl Workload {
    /// Reads a Deployment.
    pub fn of_deployment(deployment: &Deployment) -> Self {
        let spec = deployment.spec.clone().unwrap_or_default();
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = spec.replicas.unwrap_or(1);
        let updated = status.updated_replicas.unwrap_or(0);
        let progressing = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "Progressing");
        let reason = progressing.and_then(|condition| condition.reason.as_deref());
        let is_replaced = updated >= wanted && status.replicas.unwrap_or(0) <= updated;
        let is_available = status.available_replicas.unwrap_or(0) >= wanted;
        let rollout = if !is_observed(deployment, status.observed_generation) {
            Rollout::Rolling
        } else if is_replaced && is_available {
            Rollout::Complete
        } else if reason == Some("ProgressDeadlineExceeded") {
            Rollout::Stuck
        } else if is_replaced && reason == Some("NewReplicaSetAvailable") {
            Rollout::Unavailable
        } else {
            Rollout::Rolling
        };
        let hold = (spec.paused == Some(true)).then_some(Hold::Paused);
        Self::new(
            WorkloadKind::Deployment,
            deployment,
            rollout,
            hold,
            &spec.template,
        )
    }

    /// Reads a StatefulSet.
    pub fn of_stateful_set(stateful_set: &StatefulSet) -> Self {
        let spec = stateful_set.spec.clone().unwrap_or_default();
        let status = stateful_set.status.clone().unwrap_or_default();
        let strategy = spec.update_strategy.unwrap_or_default();
        let partition = strategy.rolling_update.and_then(|update| update.partition);
        let hold = match strategy.type_.as_deref() {
            Some("OnDelete") => Some(Hold::OnDelete),
            _ if partition.is_some_and(|partition| partition > 0) => Some(Hold::Partition),
            _ => None,
        };
        // A partition or `OnDelete` leaves pods of the old template for good.
        let is_replaced = hold.is_some() || status.current_revision == status.update_revision;
        let is_available = status.available_replicas.unwrap_or(0) >= spec.replicas.unwrap_or(1);
        let rollout = match (
            is_observed(stateful_set, status.observed_generation) && is_replaced,
            is_available,
        ) {
            (false, _) => Rollout::Rolling,
            (true, false) => Rollout::Unavailable,
            (true, true) => Rollout::Complete,
        };
        Self::new(
            WorkloadKind::StatefulSet,
            stateful_set,
            rollout,
            hold,
            &spec.template,
        )
    }

    /// Reads a DaemonSet.
    pub fn of_daemon_set(daemon_set: &DaemonSet) -> Self {
        let spec = daemon_set.spec.clone().unwrap_or_default();
        let status = daemon_set.status.clone().unwrap_or_default();
        let strategy = spec.update_strategy.unwrap_or_default();
        let hold = (strategy.type_.as_deref() == Some("OnDelete")).then_some(Hold::OnDelete);
        let wanted = status.desired_number_scheduled;
        let is_replaced = hold.is_some() || status.updated_number_scheduled.unwrap_or(0) >= wanted;
        let is_available = status.number_available.unwrap_or(0) >= wanted;
        let rollout = match (
            is_observed(daemon_set, status.observed_generation) && is_replaced,
            is_available,
        ) {
            (false, _) => Rollout::Rolling,
            (true, false) => Rollout::Unavailable,
            (true, true) => Rollout::Complete,
        };
        Self::new(WorkloadKind::DaemonSet, daemon_set, rollout, hold, &spec.template)
    }

    fn new<K: Resource>(
        kind: WorkloadKind,
        object: &K,
        rollout: Rollout,
        hold: Option<Hold>,
        template: &PodTemplateSpec,
    ) -> Self {
        let labels = template.metadata.as_ref().and_then(|one| one.labels.clone());
        Self {
            kind,
            name: ObjectName::of(object),
            resource_version: object.meta().resource_version.clone().unwrap_or_default(),
            rollout,
            hold,
            restarted: restarted(object.meta()),
            pod_labels: labels.unwrap_or_default(),
        }
    }
}

/// Whether the controller has seen the newest spec.
fn is_observed(object: &impl Resource, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) >= object.meta().generation.unwrap_or(0)
}

fn restarted(metadata: &ObjectMeta) -> Option<Restarted> {
    let annotations = metadata.annotations.as_ref()?;
    Some(Restarted {
        mark: annotations.get(RESTARTED_FOR)?.clone(),
        at: annotations.get(RESTARTED_AT).and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests;
