//! `CollectorAvailable`: whether the collector takes entries, with the newest configuration.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use crate::api::CollectorSpec;
use crate::world::Collector;

use super::conditions::ConditionState;

/// How far the Deployment of a collector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// The state of `CollectorAvailable`.
    pub condition: ConditionState,
    /// Whether there is a Deployment.
    pub exists: bool,
    /// Whether every pod was made from the newest template.
    pub rolled_out: bool,
    /// How many replicas there are to be.
    pub replicas: i32,
    /// How many replicas take entries.
    pub ready_replicas: i32,
}

/// Judges a collector. Beside an autoscaler, the Deployment says how many replicas there are to be.
pub fn assess(collector: &Collector, spec: &CollectorSpec) -> Availability {
    let Some(deployment) = collector.deployment() else {
        return Availability {
            condition: ConditionState::unmet(
                "CollectorProgressing",
                "the collector's Deployment does not exist yet; the operator is about to make it",
            ),
            exists: false,
            rolled_out: false,
            replicas: spec
                .autoscaling
                .as_ref()
                .map_or(spec.replicas, |autoscaling| autoscaling.min_replicas),
            ready_replicas: 0,
        };
    };
    let scaled = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let replicas = match spec.autoscaling {
        Some(_) => scaled.unwrap_or(1),
        None => spec.replicas,
    };
    let status = deployment.status.clone().unwrap_or_default();
    let is_current = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0);
    let all = status.replicas.unwrap_or(0);
    Availability {
        condition: match replicas {
            0 => scaled_to_zero(&deployment, spec),
            replicas => condition(&deployment, &status, collector.ready_endpoints, replicas),
        },
        exists: true,
        rolled_out: is_current && updated == replicas && all == replicas,
        replicas,
        ready_replicas: status.ready_replicas.unwrap_or(0),
    }
}

fn scaled_to_zero(deployment: &Deployment, spec: &CollectorSpec) -> ConditionState {
    let message = if spec.autoscaling.is_some() {
        let name = deployment.metadata.name.as_deref().unwrap_or_default();
        format!(
            "the Deployment {name} has 0 replicas, which turns its autoscaler off, so nothing is collected; scale it to 1 with kubectl \
             scale"
        )
    } else {
        "spec.collector.replicas is 0, so nothing is collected; set it to at least 1, or managementState: Removed to restore mesh config"
            .to_owned()
    };
    ConditionState::unmet("CollectorScaledToZero", message)
}

/// The collector is available when the Deployment controller has observed the newest template, enough pods of it are available, and
/// the Service has a ready endpoint.
fn condition(
    deployment: &Deployment,
    status: &DeploymentStatus,
    endpoints: usize,
    replicas: i32,
) -> ConditionState {
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let is_current = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    if is_current && updated >= replicas && available >= replicas {
        return if endpoints > 0 {
            ConditionState::met(
                "Available",
                format!("{available} of {replicas} replicas take entries"),
            )
        } else {
            ConditionState::unmet(
                "CollectorProgressing",
                format!("the Service {name} has no ready endpoint yet"),
            )
        };
    }
    let condition = |type_: &str, state: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == type_ && condition.status == state)
    };
    let stuck = condition("Progressing", "False").or_else(|| condition("ReplicaFailure", "True"));
    match stuck {
        Some(stuck) => ConditionState::unmet(
            "ProgressDeadlineExceeded",
            format!(
                "the Deployment {name} does not progress: {}; look at its pods' events",
                stuck.message.as_deref().unwrap_or("no message")
            ),
        ),
        None => ConditionState::unmet(
            "CollectorProgressing",
            format!(
                "{available} of {replicas} replicas of the Deployment {name} are available, {updated} of the newest template"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::world::{OwnedKind, OwnedObject};

    use super::super::conditions::ConditionStatus;
    use super::*;

    fn with_replicas(replicas: i32) -> CollectorSpec {
        CollectorSpec {
            replicas,
            ..CollectorSpec::default()
        }
    }

    fn judged(status: &Value, endpoints: usize, replicas: i32) -> Availability {
        let collector = Collector {
            owned: vec![OwnedObject {
                kind: OwnedKind::Deployment,
                name: "alscope-collector".to_owned(),
                object: json!({"metadata": {"name": "alscope-collector", "generation": 2}, "status": status}),
            }],
            ready_endpoints: endpoints,
            ..Collector::default()
        };
        assess(&collector, &with_replicas(replicas))
    }

    #[rstest]
    #[case::complete(json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), 1, "Available", true)]
    #[case::an_older_generation(json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), 1, "CollectorProgressing", false)]
    #[case::old_pods_only(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 0, "availableReplicas": 1}), 1, "CollectorProgressing", false)]
    #[case::no_endpoint(json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), 0, "CollectorProgressing", true)]
    #[case::an_old_pod_ends(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}), 1, "Available", false)]
    #[case::stuck(json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "message": "timed out"}]}), 0, "ProgressDeadlineExceeded", false)]
    #[case::rolling_out(json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "True"}, {"type": "Available", "status": "False"}]}), 0, "CollectorProgressing", false)]
    #[case::quota(json!({"observedGeneration": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]}), 0, "ProgressDeadlineExceeded", false)]
    fn availability_is_of_the_newest_template(
        #[case] status: Value,
        #[case] endpoints: usize,
        #[case] reason: &str,
        #[case] rolled_out: bool,
    ) {
        let availability = judged(&status, endpoints, 1);
        assert_eq!(availability.condition.reason, reason);
        assert_eq!(
            availability.condition.status == ConditionStatus::True,
            reason == "Available"
        );
        assert_eq!(availability.rolled_out, rolled_out);
    }

    #[test]
    fn none_wanted_is_not_available() {
        let availability = judged(&json!({"observedGeneration": 2}), 0, 0);
        assert_eq!(availability.condition.reason, "CollectorScaledToZero");
        assert!(availability.rolled_out);
    }

    #[test]
    fn no_deployment_is_not_available() {
        assert_eq!(
            assess(&Collector::default(), &with_replicas(1)).condition.reason,
            "CollectorProgressing"
        );
    }
}
