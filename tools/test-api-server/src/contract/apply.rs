//! Server-side apply.

use anyhow::ensure;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::bench::{TestBench, ensure_eq, ensure_refused, owned, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 12] = listed![
    an_apply_creates,
    the_same_apply_keeps_the_version,
    what_is_no_longer_applied_goes,
    what_others_own_stays,
    another_value_conflicts,
    another_value_conflicts_with_an_updater,
    force_takes_the_field,
    the_same_value_is_shared,
    an_apply_needs_a_manager,
    an_apply_of_an_old_version_conflicts,
    an_apply_leaves_the_status,
    finalizers_and_owners_merge,
];

/// Applies a ConfigMap `a`.
async fn apply(
    bench: &TestBench,
    manager: &str,
    force: bool,
    rest: &Value,
) -> Result<DynamicObject, kube::Error> {
    apply_to(bench, "ConfigMap", manager, force, rest).await
}

async fn apply_to(
    bench: &TestBench,
    kind: &str,
    manager: &str,
    force: bool,
    rest: &Value,
) -> Result<DynamicObject, kube::Error> {
    let api_version = if kind == "ConfigMap" {
        "v1"
    } else {
        "contract.alscope.dev/v1"
    };
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
    json_patch::merge(&mut object, rest);
    let mut parameters = PatchParams::apply(manager);
    parameters.force = force;
    bench
        .api(kind)
        .patch("a", &parameters, &Patch::Apply(object))
        .await
}

async fn an_apply_creates(bench: TestBench) -> anyhow::Result<()> {
    let made = apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    ensure_eq(&made.data["data"], &json!({"a": "1"}), "the data")?;
    ensure_eq(
        owned(&made, "one", "Apply"),
        Some(json!({"f:data": {"f:a": {}}})),
        "what it owns",
    )
}

async fn the_same_apply_keeps_the_version(bench: TestBench) -> anyhow::Result<()> {
    let object = json!({"metadata": {"labels": {"l": "1"}}, "data": {"a": "1"}});
    let made = apply(&bench, "one", true, &object).await?;
    let again = apply(&bench, "one", true, &object).await?;
    ensure_eq(version(&again), version(&made), "the version")
}

async fn what_is_no_longer_applied_goes(bench: TestBench) -> anyhow::Result<()> {
    apply(
        &bench,
        "one",
        false,
        &json!({"metadata": {"annotations": {"n": "1"}}, "data": {"a": "1", "b": "1"}}),
    )
    .await?;
    let applied = apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    ensure_eq(&applied.data["data"], &json!({"a": "1"}), "the data")?;
    ensure_eq(applied.metadata.annotations, None, "the annotations")
}

async fn what_others_own_stays(bench: TestBench) -> anyhow::Result<()> {
    apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    apply(&bench, "two", false, &json!({"data": {"b": "2"}})).await?;
    let applied = apply(&bench, "one", false, &json!({"data": {"a": "3"}})).await?;
    ensure_eq(&applied.data["data"], &json!({"a": "3", "b": "2"}), "the data")?;
    ensure_eq(
        owned(&applied, "two", "Apply"),
        Some(json!({"f:data": {"f:b": {}}})),
        "what the second owns",
    )
}

async fn another_value_conflicts(bench: TestBench) -> anyhow::Result<()> {
    apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    let refused = apply(&bench, "two", false, &json!({"data": {"a": "2"}})).await;
    let message = ensure_refused(refused, 409, "Conflict")?;
    ensure_eq(
        message.as_str(),
        "Apply failed with 1 conflict: conflict with \"one\": .data.a",
        "the message",
    )
}

async fn another_value_conflicts_with_an_updater(bench: TestBench) -> anyhow::Result<()> {
    apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    let parameters = PatchParams {
        field_manager: Some("editor".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"data": {"a": "2"}}));
    let edited = bench.config_maps().patch("a", &parameters, &patch).await?;
    ensure_eq(owned(&edited, "one", "Apply"), None, "what the applier owns")?;
    let refused = apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await;
    let message = ensure_refused(refused, 409, "Conflict")?;
    ensure!(
        message.contains("conflict with \"editor\" using v1: .data.a"),
        "{message}"
    );
    Ok(())
}

async fn force_takes_the_field(bench: TestBench) -> anyhow::Result<()> {
    apply(&bench, "one", false, &json!({"data": {"a": "1", "b": "1"}})).await?;
    let applied = apply(&bench, "two", true, &json!({"data": {"a": "2"}})).await?;
    ensure_eq(&applied.data["data"], &json!({"a": "2", "b": "1"}), "the data")?;
    ensure_eq(
        owned(&applied, "one", "Apply"),
        Some(json!({"f:data": {"f:b": {}}})),
        "what the first owns",
    )?;
    ensure_eq(
        owned(&applied, "two", "Apply"),
        Some(json!({"f:data": {"f:a": {}}})),
        "what the second owns",
    )
}

async fn the_same_value_is_shared(bench: TestBench) -> anyhow::Result<()> {
    apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    apply(&bench, "two", false, &json!({"data": {"a": "1"}})).await?;
    let applied = apply(&bench, "one", false, &json!({"metadata": {"labels": {"l": "1"}}})).await?;
    ensure_eq(
        &applied.data["data"],
        &json!({"a": "1"}),
        "what the second still applies",
    )
}

async fn an_apply_needs_a_manager(bench: TestBench) -> anyhow::Result<()> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let patch = Patch::Apply(object);
    let refused = bench
        .config_maps()
        .patch("a", &PatchParams::default(), &patch)
        .await;
    let message = ensure_refused(refused, 422, "Invalid")?;
    ensure!(message.contains("is required for apply patch"), "{message}");
    Ok(())
}

async fn an_apply_of_an_old_version_conflicts(bench: TestBench) -> anyhow::Result<()> {
    let made = apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    apply(&bench, "one", false, &json!({"data": {"a": "2"}})).await?;
    let late = json!({"metadata": {"resourceVersion": version(&made)}, "data": {"a": "3"}});
    ensure_refused(apply(&bench, "one", true, &late).await, 409, "Conflict").map(drop)
}

async fn an_apply_leaves_the_status(bench: TestBench) -> anyhow::Result<()> {
    apply_to(&bench, "Widget", "one", false, &json!({"spec": {"a": 1}})).await?;
    let patch = Patch::Merge(json!({"status": {"state": "Ready"}}));
    bench
        .api("Widget")
        .patch_status("a", &PatchParams::default(), &patch)
        .await?;
    let rest = json!({"spec": {"a": 2}, "status": {"state": "Other"}});
    let applied = apply_to(&bench, "Widget", "one", true, &rest).await?;
    ensure_eq(&applied.data["status"], &json!({"state": "Ready"}), "the status")?;
    ensure_eq(applied.metadata.generation, Some(2), "the generation")
}

async fn finalizers_and_owners_merge(bench: TestBench) -> anyhow::Result<()> {
    let owner = bench.config_map("owner").await?;
    let reference = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner.metadata.uid});
    let first = json!({"metadata": {"ownerReferences": [reference("owner")], "finalizers": ["contract.alscope.dev/one"]}});
    apply(&bench, "one", false, &first).await?;
    let second = json!({"metadata": {"finalizers": ["contract.alscope.dev/two"]}});
    apply(&bench, "two", false, &second).await?;
    let applied = apply(&bench, "one", false, &json!({"data": {"a": "1"}})).await?;
    ensure_eq(applied.metadata.owner_references, None, "the owners")?;
    ensure_eq(
        applied.metadata.finalizers,
        Some(vec!["contract.alscope.dev/two".to_owned()]),
        "the finalizers",
    )?;
    apply(&bench, "two", false, &json!({"metadata": {"labels": {"l": "1"}}})).await?;
    Ok(())
}
