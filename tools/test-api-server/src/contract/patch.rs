//! Merge patches and JSON patches.

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::bench::{TestBench, ensure_eq, ensure_refused, owned, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 12] = listed![
    a_merge_patch_sets_and_null_removes,
    a_merge_patch_of_an_old_version_conflicts,
    a_merge_patch_of_an_absent_object_is_not_found,
    a_merge_patch_that_changes_nothing_keeps_the_version,
    a_merge_patch_belongs_to_its_manager,
    a_status_patch_leaves_the_spec,
    a_status_patch_of_an_old_version_conflicts,
    a_kind_without_status_has_no_status_path,
    a_json_patch_tests_and_removes,
    a_json_patch_whose_test_fails_is_unprocessable,
    a_json_patch_takes_an_entry_out_of_managed_fields,
    a_json_patch_of_what_is_not_there_is_unprocessable,
];

type Patched = Result<DynamicObject, kube::Error>;

async fn merge(bench: &TestBench, kind: &str, patch: Value) -> Patched {
    let patch = Patch::Merge(patch);
    bench.api(kind).patch("a", &PatchParams::default(), &patch).await
}

async fn json(bench: &TestBench, patch: Value) -> anyhow::Result<Patched> {
    let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
    Ok(bench
        .config_maps()
        .patch("a", &PatchParams::default(), &patch)
        .await)
}

async fn a_merge_patch_sets_and_null_removes(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let patched = merge(&bench, "ConfigMap", json!({"data": {"a": null, "b": "2"}})).await?;
    ensure_eq(&patched.data["data"], &json!({"b": "2"}), "the data")
}

async fn a_merge_patch_of_an_old_version_conflicts(bench: TestBench) -> anyhow::Result<()> {
    let old = version(&bench.config_map("a").await?);
    merge(&bench, "ConfigMap", json!({"data": {"a": "2"}})).await?;
    let late = json!({"metadata": {"resourceVersion": old}, "data": {"a": "3"}});
    ensure_refused(merge(&bench, "ConfigMap", late).await, 409, "Conflict")?;
    let found = bench.config_maps().get("a").await?;
    ensure_eq(&found.data["data"]["a"], &json!("2"), "the data")
}

async fn a_merge_patch_of_an_absent_object_is_not_found(bench: TestBench) -> anyhow::Result<()> {
    ensure_refused(
        merge(&bench, "ConfigMap", json!({"data": {}})).await,
        404,
        "NotFound",
    )
    .map(drop)
}

async fn a_merge_patch_that_changes_nothing_keeps_the_version(bench: TestBench) -> anyhow::Result<()> {
    let before = version(&bench.config_map("a").await?);
    let patched = merge(&bench, "ConfigMap", json!({"data": {"a": "1"}})).await?;
    ensure_eq(version(&patched), before, "the version")
}

async fn a_merge_patch_belongs_to_its_manager(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let parameters = PatchParams {
        field_manager: Some("patcher".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"data": {"b": "2"}}));
    let patched = bench.config_maps().patch("a", &parameters, &patch).await?;
    ensure_eq(
        owned(&patched, "patcher", "Update"),
        Some(json!({"f:data": {"f:b": {}}})),
        "what it owns",
    )
}

async fn a_status_patch_leaves_the_spec(bench: TestBench) -> anyhow::Result<()> {
    bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?;
    let patch = Patch::Merge(
        json!({"spec": {"a": 2}, "metadata": {"labels": {"l": "1"}}, "status": {"state": "Ready"}}),
    );
    let patched = bench
        .api("Widget")
        .patch_status("a", &PatchParams::default(), &patch)
        .await?;
    ensure_eq(&patched.data["spec"], &json!({"a": 1}), "the spec")?;
    ensure_eq(&patched.data["status"], &json!({"state": "Ready"}), "the status")?;
    ensure_eq(patched.metadata.generation, Some(1), "the generation")?;
    ensure_eq(patched.metadata.labels, None, "the labels")
}

async fn a_status_patch_of_an_old_version_conflicts(bench: TestBench) -> anyhow::Result<()> {
    let old = version(&bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?);
    merge(&bench, "Widget", json!({"spec": {"a": 2}})).await?;
    let patch = Patch::Merge(json!({"metadata": {"resourceVersion": old}, "status": {"state": "Ready"}}));
    let late = bench
        .api("Widget")
        .patch_status("a", &PatchParams::default(), &patch)
        .await;
    ensure_refused(late, 409, "Conflict").map(drop)
}

async fn a_kind_without_status_has_no_status_path(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let patch = Patch::Merge(json!({"status": {}}));
    let patched = bench
        .config_maps()
        .patch_status("a", &PatchParams::default(), &patch)
        .await;
    ensure_eq(super::bench::refused(patched)?.code, 404, "the code")
}

async fn a_json_patch_tests_and_removes(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.config_map("a").await?;
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version(&made)},
        {"op": "remove", "path": "/data/a"},
        {"op": "add", "path": "/data/b", "value": "2"},
    ]);
    let patched = json(&bench, patch).await??;
    ensure_eq(&patched.data["data"], &json!({"b": "2"}), "the data")
}

async fn a_json_patch_whose_test_fails_is_unprocessable(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let patch = json!([
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "remove", "path": "/data/a"},
    ]);
    let message = ensure_refused(json(&bench, patch).await?, 422, "Invalid")?;
    // It does not say which test failed.
    ensure_eq(
        message.as_str(),
        "the server rejected our request due to an error in our request",
        "the message",
    )
}

async fn a_json_patch_takes_an_entry_out_of_managed_fields(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let parameters = PatchParams {
        field_manager: Some("leaving".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"data": {"b": "2"}}));
    let patched = bench.config_maps().patch("a", &parameters, &patch).await?;
    let entries = patched.metadata.managed_fields.clone().unwrap_or_default();
    let place = entries
        .iter()
        .position(|entry| entry.manager.as_deref() == Some("leaving"));
    let entry = format!("/metadata/managedFields/{}", place.unwrap_or(usize::MAX));
    let patch = json!([
        {"op": "test", "path": format!("{entry}/manager"), "value": "leaving"},
        {"op": "remove", "path": entry},
    ]);
    let patched = json(&bench, patch).await??;
    ensure_eq(owned(&patched, "leaving", "Update"), None, "what it owns")?;
    ensure_eq(&patched.data["data"], &json!({"a": "1", "b": "2"}), "the data")?;
    ensure_eq(
        patched.metadata.managed_fields.unwrap_or_default().len(),
        entries.len() - 1,
        "the entries left",
    )
}

async fn a_json_patch_of_what_is_not_there_is_unprocessable(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let patch = json!([{"op": "remove", "path": "/data/absent"}]);
    ensure_refused(json(&bench, patch).await?, 422, "Invalid").map(drop)
}
