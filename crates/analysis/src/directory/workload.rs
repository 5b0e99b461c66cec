//! Finds the names that Istio gives a pod, by its labels and its controller.

use std::collections::BTreeMap;

use super::records::{Controller, PodRecord};
use crate::pod_labels::{
    APP_NAME, APP_VERSION, CANONICAL_NAME, CANONICAL_REVISION, DEPLOYMENT_CONFIG, GATEWAY_MANAGED,
    POD_TEMPLATE_HASH, ROLLOUTS_POD_TEMPLATE_HASH, WORKLOAD_NAME,
};
use crate::role::Role;

/// The role for which istiod created a pod (Istio `pkg/config/constants` `ManagedGateway…`).
pub fn role(labels: &BTreeMap<String, String>) -> Role {
    match first_label(labels, &[GATEWAY_MANAGED]) {
        Some("istio.io-mesh-controller") => Role::Waypoint,
        Some("istio.io-gateway-controller" | "istio.io-eastwest-controller") => Role::Gateway,
        _ => Role::Sidecar,
    }
}

/// The value of the first of `keys` that is set and not empty.
pub fn first_label<'a>(labels: &'a BTreeMap<String, String>, keys: &[&str]) -> Option<&'a str> {
    keys.iter()
        .filter_map(|key| labels.get(*key))
        .map(String::as_str)
        .find(|value| !value.is_empty())
}

/// The name of a pod's workload (Istio `pkg/kube` `GetWorkloadMetaFromPod`):
///
/// | pod | workload |
/// |---|---|
/// | is a `WorkloadEntry` that a proxy registered in a `WorkloadGroup` (Istio `WorkloadNameFromWorkloadEntry`) | the group |
/// | has the label `service.istio.io/workload-name` | the label |
/// | has no `generateName`, or no controller | the pod: nobody made it by a template |
/// | of a `ReplicaSet` whose name ends in the pod's `pod-template-hash` | the Deployment |
/// | of a `ReplicaSet` whose name ends in the pod's `rollouts-pod-template-hash` | the Rollout |
/// | of a `ReplicationController`, with the label `deploymentconfig` | the `DeploymentConfig` |
/// | of a Job whose name ends in a scheduled time | the `CronJob` |
/// | of any other controller | the controller |
pub fn workload(pod: &PodRecord) -> &str {
    let label = |key| first_label(&pod.labels, &[key]);
    if let Some(group) = pod.controller.as_ref().filter(|_| pod.is_workload_entry) {
        return &group.name;
    }
    if let Some(name) = label(WORKLOAD_NAME) {
        return name;
    }
    let Some(Controller { kind, name }) = pod.controller.as_ref().filter(|_| pod.is_generated) else {
        return &pod.name;
    };
    let without = |hash| name.strip_suffix(label(hash)?)?.strip_suffix('-');
    let owner = match kind.as_str() {
        "ReplicaSet" => without(POD_TEMPLATE_HASH).or_else(|| without(ROLLOUTS_POD_TEMPLATE_HASH)),
        "ReplicationController" => label(DEPLOYMENT_CONFIG),
        "Job" => cron_job(name),
        _ => None,
    };
    [owner, Some(name)]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
        .unwrap_or(&pod.name)
}

/// The `CronJob` of a Job whose name ends with the scheduled time: 8 to 10 digits (minutes or seconds since the epoch).
fn cron_job(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let is_time = (8..=10).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    (is_time && !name.is_empty()).then_some(name)
}

/// Istio's canonical service: the label, else `app.kubernetes.io/name`, else `app`, else the workload.
pub fn canonical_service(labels: &BTreeMap<String, String>, workload: &str) -> String {
    first_label(labels, &[CANONICAL_NAME, APP_NAME, "app"])
        .unwrap_or(workload)
        .to_owned()
}

/// Istio's canonical revision: the label, else `app.kubernetes.io/version`, else `version`, else `latest`.
pub fn canonical_revision(labels: &BTreeMap<String, String>) -> String {
    first_label(labels, &[CANONICAL_REVISION, APP_VERSION, "version"])
        .unwrap_or("latest")
        .to_owned()
}

/// The value of Istio's label `source_app` or `destination_app`.
pub fn app(labels: &BTreeMap<String, String>) -> Option<&str> {
    first_label(labels, &[APP_NAME, "app"])
}

/// The value of Istio's label `source_version` or `destination_version`.
pub fn version(labels: &BTreeMap<String, String>) -> Option<&str> {
    first_label(labels, &[APP_VERSION, "version"])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// A pod of this controller whose name was made by a template.
    fn generated(controller: (&str, &str), pairs: &[(&str, &str)]) -> PodRecord {
        let (kind, name) = controller;
        PodRecord {
            name: "pod-0".into(),
            labels: labels(pairs),
            is_generated: true,
            controller: Some(Controller {
                kind: kind.into(),
                name: name.into(),
            }),
            ..PodRecord::default()
        }
    }

    #[rstest]
    // proves: workload/deployment
    #[case::deployment(("ReplicaSet", "reviews-v1-5d4f"), &[("pod-template-hash", "5d4f")], "reviews-v1")]
    // proves: workload/rollout
    #[case::rollout(("ReplicaSet", "reviews-5d4f"), &[("rollouts-pod-template-hash", "5d4f")], "reviews")]
    // proves: workload/rollout
    #[case::rollout_with_another_hash(("ReplicaSet", "reviews-5d4f"),
        &[("pod-template-hash", "77aa"), ("rollouts-pod-template-hash", "5d4f")], "reviews")]
    // proves: workload/controller
    #[case::bare_replica_set(("ReplicaSet", "reviews-abc"), &[], "reviews-abc")]
    #[case::hash_of_another(("ReplicaSet", "reviews-abc"), &[("pod-template-hash", "5d4f")], "reviews-abc")]
    #[case::hash_alone(("ReplicaSet", "-5d4f"), &[("pod-template-hash", "5d4f")], "-5d4f")]
    // proves: workload/controller
    #[case::stateful_set(("StatefulSet", "mongodb"), &[("pod-template-hash", "5d4f")], "mongodb")]
    // proves: workload/controller
    #[case::daemon_set(("DaemonSet", "agent"), &[], "agent")]
    // proves: workload/controller
    #[case::replication_controller(("ReplicationController", "web-3"), &[], "web-3")]
    // proves: workload/controller
    #[case::of_another_api(("CloneSet", "web"), &[], "web")]
    // proves: workload/deployment-config
    #[case::deployment_config(("ReplicationController", "web-3"), &[("deploymentconfig", "web")], "web")]
    // proves: workload/deployment-config
    #[case::no_deployment_config(("ReplicaSet", "web-3"), &[("deploymentconfig", "web")], "web-3")]
    // proves: workload/cron-job
    #[case::cron_job(("Job", "backup-29381040"), &[], "backup")]
    // proves: workload/cron-job
    #[case::cron_job_of_seconds(("Job", "backup-daily-1764331200"), &[], "backup-daily")]
    #[case::longer_than_a_time(("Job", "backup-17643312000"), &[], "backup-17643312000")]
    // proves: workload/controller
    #[case::job(("Job", "migrate-2024"), &[], "migrate-2024")]
    #[case::job_of_digits(("Job", "-29381040"), &[], "-29381040")]
    #[case::controller_without_a_name(("Job", ""), &[], "pod-0")]
    // proves: workload/label
    #[case::label(("ReplicaSet", "reviews-v1-5d4f"), &[("pod-template-hash", "5d4f"), (WORKLOAD_NAME, "reviews")], "reviews")]
    #[case::empty_label(("DaemonSet", "agent"), &[(WORKLOAD_NAME, "")], "agent")]
    fn the_workload_is_who_made_the_pod(
        #[case] controller: (&str, &str),
        #[case] pairs: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        assert_eq!(workload(&generated(controller, pairs)), expected);
    }

    // proves: workload/group
    #[test]
    fn a_workload_entry_of_a_group_is_the_group() {
        let label = &[(WORKLOAD_NAME, "labelled")];
        let in_group = PodRecord {
            is_workload_entry: true,
            is_generated: false,
            ..generated(("WorkloadGroup", "virtual-machines"), label)
        };
        assert_eq!(workload(&in_group), "virtual-machines");
        let alone = PodRecord {
            controller: None,
            ..in_group.clone()
        };
        assert_eq!(workload(&alone), "labelled");
        let unlabelled = PodRecord {
            labels: labels(&[]),
            ..alone
        };
        assert_eq!(workload(&unlabelled), "pod-0");
    }

    // proves: workload/pod
    #[test]
    fn a_pod_that_nobody_made_by_a_template_is_its_own_workload() {
        let bare = PodRecord {
            controller: None,
            ..generated(("", ""), &[("app", "x")])
        };
        assert_eq!(workload(&bare), "pod-0");
        let of_node = PodRecord {
            is_generated: false,
            ..generated(("Node", "node0"), &[])
        };
        assert_eq!(workload(&of_node), "pod-0");
        let labelled = PodRecord {
            labels: labels(&[(WORKLOAD_NAME, "scheduler")]),
            ..of_node
        };
        assert_eq!(workload(&labelled), "scheduler");
    }

    #[rstest]
    // proves: workload/canonical-service
    #[case(&[(CANONICAL_NAME, "a"), (APP_NAME, "b"), ("app", "c")], "a")]
    #[case(&[(APP_NAME, "b"), ("app", "c")], "b")]
    #[case(&[("app", "c")], "c")]
    // proves: workload/canonical-service
    #[case(&[("app", "")], "the-workload")]
    fn the_canonical_service_falls_back(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
        assert_eq!(canonical_service(&labels(pairs), "the-workload"), expected);
    }

    #[rstest]
    // proves: workload/canonical-revision
    #[case(&[(CANONICAL_REVISION, "a"), (APP_VERSION, "b"), ("version", "c")], "a")]
    #[case(&[(APP_VERSION, "b"), ("version", "c")], "b")]
    #[case(&[("version", "c")], "c")]
    // proves: workload/canonical-revision
    #[case(&[], "latest")]
    fn the_canonical_revision_falls_back(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
        assert_eq!(canonical_revision(&labels(pairs)), expected);
    }

    #[rstest]
    // proves: node/gateway-pod
    #[case(&[(GATEWAY_MANAGED, "istio.io-gateway-controller")], Role::Gateway)]
    #[case(&[(GATEWAY_MANAGED, "istio.io-eastwest-controller")], Role::Gateway)]
    // proves: node/waypoint
    #[case(&[(GATEWAY_MANAGED, "istio.io-mesh-controller")], Role::Waypoint)]
    #[case(&[(GATEWAY_MANAGED, "somebody-else")], Role::Sidecar)]
    #[case(&[], Role::Sidecar)]
    fn a_pod_that_istiod_made_is_a_gateway_or_a_waypoint(
        #[case] pairs: &[(&str, &str)],
        #[case] expected: Role,
    ) {
        assert_eq!(role(&labels(pairs)), expected);
    }

    // proves: workload/app-and-version
    #[test]
    fn app_and_version_prefer_the_recommended_labels() {
        let both = labels(&[
            (APP_NAME, "b"),
            ("app", "c"),
            (APP_VERSION, "2"),
            ("version", "1"),
        ]);
        assert_eq!((app(&both), version(&both)), (Some("b"), Some("2")));
        let plain = labels(&[("app", "c"), ("version", "1")]);
        assert_eq!((app(&plain), version(&plain)), (Some("c"), Some("1")));
    }
}
