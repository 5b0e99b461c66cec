//! From a pod's labels and controller to the names that Istio gives it.

use std::collections::BTreeMap;

use super::records::{Controller, PodRecord};
use crate::analyze::role::Role;

/// The pod labels that any rule reads; sources drop the others.
pub const LABELS: &[&str] = &[
    CANONICAL_NAME,
    CANONICAL_REVISION,
    APP_NAME,
    APP_VERSION,
    "app",
    "version",
    POD_TEMPLATE_HASH,
    ROLLOUTS_POD_TEMPLATE_HASH,
    MANAGED,
];

/// The label of Istio's canonical service.
pub const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
/// The label of Istio's canonical revision.
pub const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
/// Kubernetes' recommended label of an application's name.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' recommended label of an application's version.
pub const APP_VERSION: &str = "app.kubernetes.io/version";
const POD_TEMPLATE_HASH: &str = "pod-template-hash";
const ROLLOUTS_POD_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";
/// The label of pods that istiod made for a Gateway.
const MANAGED: &str = "gateway.istio.io/managed";

/// Whether istiod made a pod as a waypoint or a gateway (Istio `pkg/config/constants` `ManagedGateway…`).
pub fn role(labels: &BTreeMap<String, String>) -> Role {
    match first_label(labels, &[MANAGED]) {
        Some("istio.io-mesh-controller") => Role::Waypoint,
        Some("istio.io-gateway-controller" | "istio.io-eastwest-controller") => Role::Gateway,
        _ => Role::Sidecar,
    }
}

/// The first of `keys` that is set and not empty.
pub fn first_label<'a>(labels: &'a BTreeMap<String, String>, keys: &[&str]) -> Option<&'a str> {
    keys.iter()
        .filter_map(|key| labels.get(*key))
        .map(String::as_str)
        .find(|value| !value.is_empty())
}

/// The workload that owns a pod: its controller, a `ReplicaSet`'s Deployment or Rollout, a Job's `CronJob`; a bare pod is its
/// own workload (Istio `pkg/kube/controllers` deployment metadata).
pub fn workload(pod: &PodRecord) -> String {
    match &pod.controller {
        Some(Controller { kind, name }) if kind == "ReplicaSet" => {
            let hash = first_label(&pod.labels, &[POD_TEMPLATE_HASH, ROLLOUTS_POD_TEMPLATE_HASH]);
            hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'))
                .unwrap_or(name)
                .to_owned()
        }
        Some(Controller { kind, name }) if kind == "Job" => cron_job(name).unwrap_or(name).to_owned(),
        Some(Controller { name, .. }) => name.clone(),
        None => pod.name.clone(),
    }
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

    #[rstest]
    // proves: workload/deployment
    #[case::deployment(Some(("ReplicaSet", "reviews-v1-5d4f")), &[("pod-template-hash", "5d4f")], "reviews-v1")]
    // proves: workload/rollout
    #[case::rollout(Some(("ReplicaSet", "reviews-5d4f")), &[("rollouts-pod-template-hash", "5d4f")], "reviews")]
    // proves: workload/controller
    #[case::bare_replica_set(Some(("ReplicaSet", "reviews-abc")), &[], "reviews-abc")]
    #[case::hash_of_another(Some(("ReplicaSet", "reviews-abc")), &[("pod-template-hash", "5d4f")], "reviews-abc")]
    // proves: workload/controller
    #[case::stateful_set(Some(("StatefulSet", "mongodb")), &[], "mongodb")]
    // proves: workload/cron-job
    #[case::cron_job(Some(("Job", "backup-29381040")), &[], "backup")]
    // proves: workload/controller
    #[case::job(Some(("Job", "migrate-2024")), &[], "migrate-2024")]
    #[case::job_of_digits(Some(("Job", "-29381040")), &[], "-29381040")]
    // proves: workload/pod
    #[case::bare_pod(None, &[("app", "x")], "pod-0")]
    fn the_workload_is_the_owner(
        #[case] controller: Option<(&str, &str)>,
        #[case] pairs: &[(&str, &str)],
        #[case] expected: &str,
    ) {
        let controller = controller.map(|(kind, name)| Controller {
            kind: kind.into(),
            name: name.into(),
        });
        let pod = PodRecord {
            name: "pod-0".into(),
            namespace: "demo".into(),
            uid: "1".into(),
            labels: labels(pairs),
            annotations: [].into(),
            controller,
            addresses: vec![],
            host_network: false,
            ports: vec![],
            started: None,
            finished: None,
        };
        assert_eq!(workload(&pod), expected);
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
    #[case(&[(MANAGED, "istio.io-gateway-controller")], Role::Gateway)]
    #[case(&[(MANAGED, "istio.io-eastwest-controller")], Role::Gateway)]
    // proves: node/waypoint
    #[case(&[(MANAGED, "istio.io-mesh-controller")], Role::Waypoint)]
    #[case(&[(MANAGED, "somebody-else")], Role::Sidecar)]
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
