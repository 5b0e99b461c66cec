//! Whole objects for others.

use anyhow::ensure;
use kube::api::PostParams;
use serde_json::json;

use super::bench::{TestBench, ensure_eq, ensure_refused, owned, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 13] = listed![
    an_update_gives_a_new_version,
    an_update_of_an_old_version_conflicts,
    an_update_without_a_version_overwrites,
    a_custom_object_needs_a_version,
    a_lease_needs_a_version,
    an_update_of_an_absent_object_is_not_found,
    an_update_of_another_uid_conflicts,
    an_update_under_another_name_is_refused,
    the_same_again_keeps_the_version,
    a_spec_raises_the_generation,
    labels_do_not_raise_the_generation,
    an_update_leaves_the_status,
    an_update_takes_ownership_of_what_it_changes,
];

async fn an_update_gives_a_new_version(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.config_map("a").await?;
    let before = version(&object);
    object.data["data"]["a"] = json!("2");
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure!(version(&written) != before, "the version is the same");
    ensure_eq(written.metadata.uid, object.metadata.uid, "the uid")
}

async fn an_update_of_an_old_version_conflicts(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.config_map("a").await?;
    object.data["data"]["a"] = json!("2");
    bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await?;
    object.data["data"]["a"] = json!("3");
    let again = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await;
    let message = ensure_refused(again, 409, "Conflict")?;
    let wanted = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; \
                  please apply your changes to the latest version and try again";
    ensure_eq(message.as_str(), wanted, "the message")
}

async fn an_update_without_a_version_overwrites(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let object = bench.object("ConfigMap", "a", &json!({"data": {"b": "2"}}))?;
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(&written.data["data"], &json!({"b": "2"}), "the data")
}

async fn a_custom_object_needs_a_version(bench: TestBench) -> anyhow::Result<()> {
    bench.create("Widget", "a", &json!({})).await?;
    let object = bench.object("Widget", "a", &json!({"spec": {"a": 1}}))?;
    let written = bench
        .api("Widget")
        .replace("a", &PostParams::default(), &object)
        .await;
    let message = ensure_refused(written, 422, "Invalid")?;
    ensure!(message.contains("must be specified for an update"), "{message}");
    Ok(())
}

async fn a_lease_needs_a_version(bench: TestBench) -> anyhow::Result<()> {
    let rest = json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}});
    let mut lease = bench.create("Lease", "a", &rest).await?;
    lease.data["spec"]["holderIdentity"] = json!("b");
    bench
        .api("Lease")
        .replace("a", &PostParams::default(), &lease)
        .await?;
    let late = bench
        .api("Lease")
        .replace("a", &PostParams::default(), &lease)
        .await;
    ensure_refused(late, 409, "Conflict")?;
    lease.metadata.resource_version = None;
    let blind = bench
        .api("Lease")
        .replace("a", &PostParams::default(), &lease)
        .await;
    ensure_refused(blind, 422, "Invalid").map(drop)
}

async fn an_update_of_an_absent_object_is_not_found(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.object("ConfigMap", "a", &json!({}))?;
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await;
    ensure_refused(written, 404, "NotFound").map(drop)
}

async fn an_update_of_another_uid_conflicts(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let other = json!({"metadata": {"uid": "00000000-0000-4000-8000-00000000ffff"}});
    let object = bench.object("ConfigMap", "a", &other)?;
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await;
    let message = ensure_refused(written, 409, "Conflict")?;
    ensure!(message.contains("UID in precondition"), "{message}");
    Ok(())
}

async fn an_update_under_another_name_is_refused(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let object = bench.object("ConfigMap", "b", &json!({}))?;
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await;
    ensure_refused(written, 400, "BadRequest").map(drop)
}

async fn the_same_again_keeps_the_version(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.config_map("a").await?;
    let written = bench
        .config_maps()
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(version(&written), version(&object), "the version")
}

async fn a_spec_raises_the_generation(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?;
    object.data["spec"]["a"] = json!(2);
    let written = bench
        .api("Widget")
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(written.metadata.generation, Some(2), "the generation")
}

async fn labels_do_not_raise_the_generation(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?;
    object.metadata.labels = Some([("l".to_owned(), "1".to_owned())].into());
    object.metadata.finalizers = Some(vec!["contract.alscope.dev/f".to_owned()]);
    let written = bench
        .api("Widget")
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(written.metadata.generation, Some(1), "the generation")?;
    let free = json!({"metadata": {"finalizers": null}});
    let patch = kube::api::Patch::Merge(free);
    bench.api("Widget").patch("a", &<_>::default(), &patch).await?;
    Ok(())
}

async fn an_update_leaves_the_status(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?;
    object.data["status"] = json!({"state": "Ready"});
    let written = bench
        .api("Widget")
        .replace("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(written.data.get("status"), None, "the status after an update")?;
    let written = bench
        .api("Widget")
        .replace_status("a", &PostParams::default(), &object)
        .await?;
    ensure_eq(&written.data["status"], &json!({"state": "Ready"}), "the status")?;
    ensure_eq(written.metadata.generation, Some(1), "the generation")
}

async fn an_update_takes_ownership_of_what_it_changes(bench: TestBench) -> anyhow::Result<()> {
    let by = |manager: &str| PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    let object = bench.object(
        "ConfigMap",
        "a",
        &json!({"data": {"kept": "1", "taken": "1", "gone": "1"}}),
    )?;
    let mut made = bench.config_maps().create(&by("first"), &object).await?;
    made.data["data"] = json!({"kept": "1", "taken": "2"});
    let written = bench.config_maps().replace("a", &by("second"), &made).await?;
    ensure_eq(
        owned(&written, "first", "Update"),
        Some(json!({"f:data": {".": {}, "f:kept": {}}})),
        "what the first still owns",
    )?;
    ensure_eq(
        owned(&written, "second", "Update"),
        Some(json!({"f:data": {"f:taken": {}}})),
        "what the second owns",
    )
}
