//! What is read for restarts: the workloads of the cluster and their budgets, without what no rule reads of them.

use alscope_plan::world::{DisruptionBudget, RESTARTED_AT, RESTARTED_FOR, ReadResult, Workload, Workloads};
use alscope_watch::Selector;
use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec, StatefulSet, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cache::{Cache, Watches};

/// The watches of workloads and budgets in all namespaces.
pub(super) struct WorkloadWatches {
    deployments: Cache<Deployment>,
    stateful_sets: Cache<StatefulSet>,
    daemon_sets: Cache<DaemonSet>,
    budgets: Cache<PodDisruptionBudget>,
}

impl WorkloadWatches {
    /// Starts the watches.
    pub(super) fn start(watches: &mut Watches) -> Self {
        Self {
            deployments: watches.pruned(Selector::default(), |one: &mut Deployment| {
                prune_metadata(&mut one.metadata);
                if let Some(spec) = &mut one.spec {
                    *spec = DeploymentSpec {
                        paused: spec.paused,
                        replicas: spec.replicas,
                        template: with_labels(&mut spec.template),
                        ..DeploymentSpec::default()
                    };
                }
            }),
            stateful_sets: watches.pruned(Selector::default(), |one: &mut StatefulSet| {
                prune_metadata(&mut one.metadata);
                if let Some(spec) = &mut one.spec {
                    *spec = StatefulSetSpec {
                        replicas: spec.replicas,
                        update_strategy: spec.update_strategy.take(),
                        template: with_labels(&mut spec.template),
                        ..StatefulSetSpec::default()
                    };
                }
            }),
            daemon_sets: watches.pruned(Selector::default(), |one: &mut DaemonSet| {
                prune_metadata(&mut one.metadata);
                if let Some(spec) = &mut one.spec {
                    *spec = DaemonSetSpec {
                        update_strategy: spec.update_strategy.take(),
                        template: with_labels(&mut spec.template),
                        ..DaemonSetSpec::default()
                    };
                }
            }),
            budgets: watches.pruned(Selector::default(), |one: &mut PodDisruptionBudget| {
                prune_metadata(&mut one.metadata);
            }),
        }
    }

    /// What is known. It is an error if anything could not be read: a budget that is not known may forbid a restart.
    pub(super) fn read(&self) -> ReadResult<Workloads> {
        let mut all = self.deployments.read(|one| Some(Workload::of_deployment(one)))?;
        all.extend(
            self.stateful_sets
                .read(|one| Some(Workload::of_stateful_set(one)))?,
        );
        all.extend(self.daemon_sets.read(|one| Some(Workload::of_daemon_set(one)))?);
        Ok(Workloads {
            all,
            budgets: self.budgets.read(|one| Some(DisruptionBudget::of(one)))?,
        })
    }

    /// How many objects of each resource can't be decoded.
    pub(super) fn undecodable_counts(&self) -> [(&str, usize); 4] {
        [
            self.deployments.undecodable_count(),
            self.stateful_sets.undecodable_count(),
            self.daemon_sets.undecodable_count(),
            self.budgets.undecodable_count(),
        ]
    }
}

fn prune_metadata(metadata: &mut ObjectMeta) {
    let mut annotations = metadata.annotations.take().unwrap_or_default();
    annotations.retain(|name, _| matches!(name.as_str(), RESTARTED_FOR | RESTARTED_AT));
    *metadata = ObjectMeta {
        annotations: Some(annotations),
        generation: metadata.generation,
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        resource_version: metadata.resource_version.take(),
        ..ObjectMeta::default()
    };
}

/// A pod template with its labels alone.
fn with_labels(template: &mut PodTemplateSpec) -> PodTemplateSpec {
    let labels = template.metadata.take().and_then(|metadata| metadata.labels);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels,
            ..ObjectMeta::default()
        }),
        spec: None,
    }
}

#[cfg(test)]
mod tests;
