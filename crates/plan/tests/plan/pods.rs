//! What a resource adds to the collector's pods and to its Service.

use alscope_plan::world::OwnedKind;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The collector's object of a kind, for this `spec.collector`.
fn object(collector: &Value, kind: OwnedKind) -> Value {
    let cluster = Cluster::wired(&json!({"collector": collector}));
    let mut owned = cluster.owned.iter().filter(|owned| owned.kind == kind);
    owned.next().unwrap().object.clone()
}

#[rstest]
#[case::labels(json!({"pods": {"labels": {"team": "a"}}}), "/metadata/labels/team", json!("a"))]
#[case::annotations(json!({"pods": {"annotations": {"a/b": "c"}}}), "/metadata/annotations", json!({"a/b": "c"}))]
#[case::variables(
    json!({"pods": {"env": [{"name": "A", "value": "b"}]}, "logLevel": "debug"}),
    "/spec/containers/0/env",
    json!([{"name": "A", "value": "b"}, {"name": "RUST_LOG", "value": "debug"}]),
)]
#[case::secrets(
    json!({"pods": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}}),
    "/spec/containers/0/env",
    json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
)]
#[case::volumes(
    json!({"pods": {"volumes": [{"name": "own", "emptyDir": {"sizeLimit": "1Gi"}}]}}),
    "/spec/volumes/1",
    json!({"name": "own", "emptyDir": {"sizeLimit": "1Gi"}}),
)]
#[case::mounts(
    json!({"pods": {"volumeMounts": [{"name": "own", "mountPath": "/own"}]}}),
    "/spec/containers/0/volumeMounts/1",
    json!({"name": "own", "mountPath": "/own"}),
)]
#[case::security(
    json!({"pods": {"securityContext": {"fsGroup": 7, "seccompProfile": {"type": "Unconfined"}}}}),
    "/spec/securityContext",
    json!({"runAsNonRoot": true, "fsGroup": 7, "seccompProfile": {"type": "Unconfined"}}),
)]
#[case::security_of_the_container(
    json!({"pods": {"containerSecurityContext": {"readOnlyRootFilesystem": false}}}),
    "/spec/containers/0/securityContext",
    json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": false}),
)]
#[case::account(json!({"pods": {"serviceAccountName": "own"}}), "/spec/serviceAccountName", json!("own"))]
#[case::policy(json!({"pods": {"imagePullPolicy": "Never"}}), "/spec/containers/0/imagePullPolicy", json!("Never"))]
#[case::pull(json!({"pods": {"imagePullSecrets": [{"name": "s"}]}}), "/spec/imagePullSecrets", json!([{"name": "s"}]))]
#[case::digest(json!({"image": "a/b@sha256:0123"}), "/spec/containers/0/image", json!("a/b@sha256:0123"))]
#[case::priority(json!({"scheduling": {"priorityClassName": "high"}}), "/spec/priorityClassName", json!("high"))]
#[case::end(json!({"ending": {"accept": "30s", "scrape": "90s"}}), "/spec/terminationGracePeriodSeconds", json!(145))]
#[case::part_of_a_second(json!({"ending": {"accept": "500ms", "scrape": "0s"}}), "/spec/terminationGracePeriodSeconds", json!(26))]
fn a_pod_has_what_is_added(#[case] collector: Value, #[case] pointer: &str, #[case] expected: Value) {
    let deployment = object(&collector, OwnedKind::Deployment);
    assert_eq!(deployment["spec"]["template"].pointer(pointer), Some(&expected));
    let plain = object(&json!({}), OwnedKind::Deployment);
    assert_ne!(plain["spec"]["template"].pointer(pointer), Some(&expected));
    // The operator's own stay.
    for pointer in [
        "/metadata/labels/app.kubernetes.io~1name",
        "/spec/volumes/0/name",
        "/spec/containers/0/volumeMounts/0",
    ] {
        assert_eq!(
            deployment["spec"]["template"].pointer(pointer),
            plain["spec"]["template"].pointer(pointer)
        );
    }
}

#[rstest]
#[case::type_(json!({"service": {"type": "LoadBalancer"}}), "/spec/type", json!("LoadBalancer"))]
#[case::families(json!({"service": {"ipFamilies": ["IPv6", "IPv4"]}}), "/spec/ipFamilies", json!(["IPv6", "IPv4"]))]
#[case::family_policy(json!({"service": {"ipFamilyPolicy": "PreferDualStack"}}), "/spec/ipFamilyPolicy", json!("PreferDualStack"))]
#[case::annotations(json!({"service": {"annotations": {"a/b": "c"}}}), "/metadata/annotations/a~1b", json!("c"))]
#[case::page(
    json!({"web": {"expose": true}}),
    "/spec/ports/2",
    json!({"name": "http-web", "port": 8080, "targetPort": "web", "protocol": "TCP"}),
)]
fn the_service_has_what_is_asked_for(
    #[case] collector: Value,
    #[case] pointer: &str,
    #[case] expected: Value,
) {
    let service = object(&collector, OwnedKind::Service);
    assert_eq!(service.pointer(pointer), Some(&expected));
    let plain = object(&json!({}), OwnedKind::Service);
    assert_ne!(plain.pointer(pointer), Some(&expected));
    assert_eq!(service["spec"]["selector"], plain["spec"]["selector"]);
    let applied = "/metadata/annotations/alscope.dev~1applied";
    assert_ne!(service.pointer(applied), plain.pointer(applied));
}

#[test]
fn what_is_no_longer_asked_for_is_taken_out_again() {
    let mut cluster = Cluster::wired(
        &json!({"collector": {"service": {"annotations": {"a/b": "c"}}, "logLevel": "debug"}}),
    );
    cluster.change_spec(&json!({}));
    cluster.settle();
    assert_eq!(cluster.log, ["Apply Service", "Apply Deployment"]);
    cluster.settle();
    assert_eq!(cluster.log.len(), 2);
}
