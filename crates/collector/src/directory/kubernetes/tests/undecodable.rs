//! Objects of every kind that can't be decoded.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::cluster::{Cluster, Mood};
use super::*;

/// Returns an object with this name that is right except for one field.
fn broken(kind: ObjectKind, name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "demo", "uid": name});
    match kind {
        ObjectKind::Pod => {
            let env = json!([{"name": "PASSWORD", "value": "secret"}]);
            let container =
                json!({"name": "app", "env": env, "ports": [{"containerPort": 4_294_967_295_u64}]});
            json!({"metadata": metadata, "spec": {"containers": [container]}})
        }
        ObjectKind::Service => {
            json!({"metadata": metadata, "spec": {"clusterIP": "secret", "ports": [{"port": "http"}]}})
        }
        ObjectKind::EndpointSlice => json!({"metadata": metadata, "addressType": "secret", "endpoints": [7]}),
        ObjectKind::Node => json!({"metadata": metadata, "status": {"addresses": {"secret": "10.0.0.1"}}}),
        ObjectKind::ServiceEntry => {
            json!({"metadata": metadata, "spec": {"hosts": ["secret.example"], "ports": [{"number": 4_294_967_295_u64}]}})
        }
        ObjectKind::WorkloadEntry => {
            json!({"metadata": metadata, "spec": {"address": "10.0.0.1", "labels": "secret"}})
        }
    }
}

fn sound(kind: ObjectKind, name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "demo", "uid": name});
    match kind {
        ObjectKind::EndpointSlice => json!({"metadata": metadata, "addressType": "IPv4", "endpoints": []}),
        ObjectKind::Pod
        | ObjectKind::Service
        | ObjectKind::Node
        | ObjectKind::ServiceEntry
        | ObjectKind::WorkloadEntry => {
            json!({"metadata": metadata})
        }
    }
}

fn plural(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Pod => "pods",
        ObjectKind::Service => "services",
        ObjectKind::EndpointSlice => "endpointslices",
        ObjectKind::Node => "nodes",
        ObjectKind::ServiceEntry => "serviceentries",
        ObjectKind::WorkloadEntry => "workloadentries",
    }
}

/// Formats the changes by object: `+` for one that is there, `?` for one that can't be decoded, `-` for one
/// that is gone.
fn told(learnt: &[Change]) -> Vec<String> {
    let name = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
    let told = learnt.iter().filter_map(|change| match change {
        Change::Apply(record) => Some(format!("+{}", name(&record.key().id))),
        Change::Keep(key) => Some(format!("?{}", name(&key.id))),
        Change::Delete(key) => Some(format!("-{}", name(&key.id))),
        Change::BeginList(_) | Change::EndList(_) => None,
    });
    told.collect()
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_decoded_is_left_out_counted_and_never_shown(
    #[values(
        ObjectKind::Pod,
        ObjectKind::Service,
        ObjectKind::EndpointSlice,
        ObjectKind::Node,
        ObjectKind::ServiceEntry,
        ObjectKind::WorkloadEntry
    )]
    kind: ObjectKind,
) {
    let mut cluster = Cluster::new(Mood::Works);
    let plural = plural(kind);
    cluster.adds(plural, &sound(kind, "first"));
    cluster.adds(plural, &broken(kind, "bad"));
    cluster.adds(plural, &sound(kind, "last"));
    let learnt = cluster.pass(Duration::from_secs(1)).await;
    assert_eq!(told(&learnt), ["+first", "?bad", "+last"]);
    let ended = learnt
        .iter()
        .filter(|change| matches!(change, Change::EndList(_)));
    assert_eq!(ended.count(), ObjectKind::ALL.len());
    assert_eq!(cluster.freshness(kind).skipped, 1);

    cluster.says(plural, "MODIFIED", &broken(kind, "first"));
    cluster.says(plural, "DELETED", &broken(kind, "bad"));
    cluster.says(plural, "ADDED", &json!({"metadata": "secret"}));
    cluster.says(plural, "ADDED", &json!("secret"));
    cluster.says(plural, "MODIFIED", &sound(kind, "last"));
    let learnt = cluster.pass(Duration::from_secs(1)).await;
    assert_eq!(told(&learnt), ["?first", "-bad", "+last"]);
    let freshness = cluster.freshness(kind);
    assert_eq!((freshness.skipped, freshness.failures), (4, 0));

    let log = cluster.log();
    let expected = format!(
        "{} demo/bad can't be decoded and is left out; look for a field of a wrong type",
        kind.as_str()
    );
    assert_eq!(log, [expected]);
    assert!(!cluster.whole_log().contains("secret"));
}
