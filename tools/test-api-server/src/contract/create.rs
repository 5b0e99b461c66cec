//! New objects.

use anyhow::ensure;
use kube::api::PostParams;
use serde_json::json;

use super::bench::{TestBench, ensure_eq, ensure_refused, owned};
use super::{Case, listed};

pub(super) const CASES: [Case; 11] = listed![
    a_new_object_has_uid_version_and_time,
    a_new_object_has_what_was_sent,
    a_name_is_taken_once,
    a_namespace_must_exist,
    a_name_must_be_one,
    a_name_can_be_made,
    a_status_is_not_created,
    a_custom_object_begins_with_generation_1,
    a_dry_run_stores_nothing,
    the_kind_must_be_the_paths,
    the_creator_owns_its_fields,
];

async fn a_new_object_has_uid_version_and_time(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.config_map("a").await?;
    ensure!(
        made.metadata.uid.is_some_and(|uid| uid.len() == 36),
        "the uid is no uid"
    );
    ensure!(made.metadata.creation_timestamp.is_some(), "it has no time");
    let version: u64 = made.metadata.resource_version.unwrap_or_default().parse()?;
    ensure!(version > 0, "the version is 0");
    ensure_eq(made.metadata.generation, None, "a ConfigMap's generation")
}

async fn a_new_object_has_what_was_sent(bench: TestBench) -> anyhow::Result<()> {
    let rest =
        json!({"metadata": {"labels": {"l": "1"}, "annotations": {"n": "2"}}, "data": {"mesh": "a: 1\n"}});
    bench.create("ConfigMap", "a", &rest).await?;
    let found = bench.config_maps().get("a").await?;
    ensure_eq(&found.data["data"], &json!({"mesh": "a: 1\n"}), "the data")?;
    let labels = found.metadata.labels.unwrap_or_default();
    ensure_eq(labels.get("l").map(String::as_str), Some("1"), "the label")?;
    let annotations = found.metadata.annotations.unwrap_or_default();
    ensure_eq(
        annotations.get("n").map(String::as_str),
        Some("2"),
        "the annotation",
    )
}

async fn a_name_is_taken_once(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    let object = bench.object("ConfigMap", "a", &json!({}))?;
    let again = bench.config_maps().create(&PostParams::default(), &object).await;
    let message = ensure_refused(again, 409, "AlreadyExists")?;
    ensure_eq(message.as_str(), "configmaps \"a\" already exists", "the message")
}

async fn a_namespace_must_exist(bench: TestBench) -> anyhow::Result<()> {
    let elsewhere = TestBench {
        namespace: format!("{}-absent", bench.namespace),
        client: bench.client,
    };
    let object = elsewhere.object("ConfigMap", "a", &json!({}))?;
    let made = elsewhere
        .config_maps()
        .create(&PostParams::default(), &object)
        .await;
    let message = ensure_refused(made, 404, "NotFound")?;
    let wanted = format!("namespaces \"{}\" not found", elsewhere.namespace);
    ensure_eq(message, wanted, "the message")
}

async fn a_name_must_be_one(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.object("ConfigMap", "No_Name", &json!({}))?;
    let made = bench.config_maps().create(&PostParams::default(), &object).await;
    let message = ensure_refused(made, 422, "Invalid")?;
    ensure!(
        message.contains("metadata.name: Invalid value: \"No_Name\""),
        "{message}"
    );
    Ok(())
}

async fn a_name_can_be_made(bench: TestBench) -> anyhow::Result<()> {
    let mut object = bench.object("ConfigMap", "a", &json!({}))?;
    object.metadata.name = None;
    object.metadata.generate_name = Some("made-".to_owned());
    let parameters = PostParams::default();
    let one = bench.config_maps().create(&parameters, &object).await?;
    let other = bench.config_maps().create(&parameters, &object).await?;
    let (one, other) = (
        one.metadata.name.unwrap_or_default(),
        other.metadata.name.unwrap_or_default(),
    );
    ensure!(one.starts_with("made-") && one.len() == 10, "{one}");
    ensure!(one != other, "{one} twice");
    Ok(())
}

async fn a_status_is_not_created(bench: TestBench) -> anyhow::Result<()> {
    let rest = json!({"spec": {"a": 1}, "status": {"state": "Ready"}});
    let made = bench.create("Widget", "a", &rest).await?;
    ensure_eq(made.data.get("status"), None, "the status")
}

async fn a_custom_object_begins_with_generation_1(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.create("Widget", "a", &json!({"spec": {"a": 1}})).await?;
    ensure_eq(made.metadata.generation, Some(1), "the generation")
}

async fn a_dry_run_stores_nothing(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.object("ConfigMap", "a", &json!({}))?;
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    bench.config_maps().create(&parameters, &object).await?;
    ensure_eq(bench.config_maps().get_opt("a").await?.is_none(), true, "absence")
}

async fn the_kind_must_be_the_paths(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.object("Widget", "a", &json!({}))?;
    let made = bench.config_maps().create(&PostParams::default(), &object).await;
    ensure_refused(made, 400, "BadRequest").map(drop)
}

async fn the_creator_owns_its_fields(bench: TestBench) -> anyhow::Result<()> {
    let object = bench.object(
        "ConfigMap",
        "a",
        &json!({"metadata": {"labels": {"l": "1"}}, "data": {"mesh": "x"}}),
    )?;
    let parameters = PostParams {
        field_manager: Some("maker".to_owned()),
        ..PostParams::default()
    };
    let made = bench.config_maps().create(&parameters, &object).await?;
    let wanted = json!({
        "f:data": {".": {}, "f:mesh": {}},
        "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
    });
    ensure_eq(
        owned(&made, "maker", "Update"),
        Some(wanted),
        "what its maker owns",
    )
}
