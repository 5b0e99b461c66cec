//! Kinds: definitions, scopes, and the events that the client's recorder writes.

use anyhow::ensure;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{ListParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::json;

use super::bench::{self, TestBench, ensure_eq, refused, until, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 5] = listed![
    a_definition_serves_a_kind_until_it_is_deleted,
    a_cluster_wide_object_has_no_namespace,
    a_built_in_spec_raises_the_generation,
    a_version_is_one_for_all_kinds,
    the_clients_recorder_writes_and_counts,
];

async fn a_definition_serves_a_kind_until_it_is_deleted(bench: TestBench) -> anyhow::Result<()> {
    bench::define(&bench.client, "absentees", "Absentee", "Namespaced").await?;
    bench.create("Absentee", "a", &json!({})).await?;
    bench::undefine(&bench.client, "absentees").await?;
    until("the kind is gone", async || {
        let list = bench.api("Absentee").list(&ListParams::default()).await;
        Ok(refused(list).is_ok_and(|refused| refused.code == 404))
    })
    .await
}

async fn a_cluster_wide_object_has_no_namespace(bench: TestBench) -> anyhow::Result<()> {
    let made = bench
        .create("Gadget", &bench.namespace, &json!({"spec": {}}))
        .await?;
    ensure_eq(made.metadata.namespace, None, "the namespace")?;
    bench::remove(&bench.api("Gadget"), &bench.namespace).await
}

async fn a_built_in_spec_raises_the_generation(bench: TestBench) -> anyhow::Result<()> {
    let labels = json!({"app": "a"});
    let rest = json!({"spec": {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
    }});
    let made = bench.create("Deployment", "a", &rest).await?;
    ensure_eq(made.metadata.generation, Some(1), "the generation")?;
    let patch = kube::api::Patch::Merge(json!({"spec": {"paused": true}}));
    let patched = bench
        .api("Deployment")
        .patch("a", &<_>::default(), &patch)
        .await?;
    ensure_eq(
        patched.metadata.generation,
        Some(2),
        "the generation of another spec",
    )
}

async fn a_version_is_one_for_all_kinds(bench: TestBench) -> anyhow::Result<()> {
    let first: u64 = version(&bench.config_map("a").await?).parse()?;
    let second: u64 = version(&bench.create("Widget", "a", &json!({})).await?).parse()?;
    ensure!(first < second, "{first} is before {second}");
    Ok(())
}

async fn the_clients_recorder_writes_and_counts(bench: TestBench) -> anyhow::Result<()> {
    let about = bench.config_map("a").await?;
    let reference = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        name: Some("a".to_owned()),
        namespace: Some(bench.namespace.clone()),
        uid: about.metadata.uid,
        ..ObjectReference::default()
    };
    let reporter = Reporter {
        controller: "contract".to_owned(),
        instance: Some("contract-1".to_owned()),
    };
    let recorder = Recorder::new(bench.client.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: "Seen".to_owned(),
        note: Some("it was seen".to_owned()),
        action: "Look".to_owned(),
        secondary: None,
    };
    recorder.publish(&event, &reference).await?;
    recorder.publish(&event, &reference).await?;
    let list = bench.api("Event").list(&ListParams::default()).await?;
    let seen: Vec<_> = list
        .iter()
        .filter(|event| event.data["reason"] == "Seen")
        .collect();
    ensure_eq(seen.len(), 1, "the events")?;
    let counted = seen.first().map(|event| event.data["series"]["count"].clone());
    ensure_eq(counted, Some(json!(2)), "the count")?;
    // An object of events goes with its namespace.
    let again = bench.object("ConfigMap", "a", &json!({}))?;
    bench
        .config_maps()
        .replace("a", &PostParams::default(), &again)
        .await?;
    Ok(())
}
