//! Deletion: preconditions, finalizers, and what goes along.

use anyhow::ensure;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use serde_json::{Value, json};

use super::bench::{self, TestBench, ensure_eq, ensure_refused, names, until, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 13] = listed![
    what_is_deleted_is_gone,
    what_is_absent_is_not_found,
    a_precondition_of_uid_is_kept,
    a_precondition_of_version_is_kept,
    a_finalizer_is_waited_for,
    a_deletion_raises_the_generation,
    a_second_deletion_changes_nothing,
    no_finalizer_is_added_to_what_ends,
    an_update_without_finalizers_ends_it,
    dependents_go_after_their_owner,
    dependents_go_before_their_owner_in_the_foreground,
    many_are_deleted_by_label,
    a_namespace_takes_everything_along,
];

const FINALIZER: &str = "contract.alscope.dev/waits";

async fn with_finalizer(bench: &TestBench, kind: &str) -> anyhow::Result<DynamicObject> {
    bench
        .create(kind, "a", &json!({"metadata": {"finalizers": [FINALIZER]}}))
        .await
}

async fn let_go(bench: &TestBench, kind: &str) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    bench
        .api(kind)
        .patch("a", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

async fn is_gone(bench: &TestBench, kind: &str, name: &str) -> anyhow::Result<bool> {
    Ok(bench.api(kind).get_opt(name).await?.is_none())
}

fn with(preconditions: Preconditions) -> DeleteParams {
    DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    }
}

async fn what_is_deleted_is_gone(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    bench.config_maps().delete("a", &DeleteParams::default()).await?;
    ensure!(is_gone(&bench, "ConfigMap", "a").await?, "it is still there");
    Ok(())
}

async fn what_is_absent_is_not_found(bench: TestBench) -> anyhow::Result<()> {
    let deleted = bench.config_maps().delete("a", &DeleteParams::default()).await;
    ensure_refused(deleted.map(|_| ()), 404, "NotFound").map(drop)
}

async fn a_precondition_of_uid_is_kept(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.config_map("a").await?;
    let other = with(Preconditions {
        uid: Some("00000000-0000-4000-8000-00000000ffff".to_owned()),
        resource_version: None,
    });
    let refused = bench.config_maps().delete("a", &other).await;
    ensure_refused(refused.map(|_| ()), 409, "Conflict")?;
    let same = with(Preconditions {
        uid: made.metadata.uid,
        resource_version: None,
    });
    bench.config_maps().delete("a", &same).await?;
    ensure!(is_gone(&bench, "ConfigMap", "a").await?, "it is still there");
    Ok(())
}

async fn a_precondition_of_version_is_kept(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.config_map("a").await?;
    let patch = Patch::Merge(json!({"data": {"a": "2"}}));
    let newest = bench
        .config_maps()
        .patch("a", &PatchParams::default(), &patch)
        .await?;
    let at = |object: &DynamicObject| {
        with(Preconditions {
            uid: None,
            resource_version: Some(version(object)),
        })
    };
    let refused = bench.config_maps().delete("a", &at(&made)).await;
    ensure_refused(refused.map(|_| ()), 409, "Conflict")?;
    bench.config_maps().delete("a", &at(&newest)).await?;
    Ok(())
}

async fn a_finalizer_is_waited_for(bench: TestBench) -> anyhow::Result<()> {
    with_finalizer(&bench, "Widget").await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let ending = bench.api("Widget").get("a").await?;
    ensure!(ending.metadata.deletion_timestamp.is_some(), "it is not ending");
    let_go(&bench, "Widget").await?;
    ensure!(is_gone(&bench, "Widget", "a").await?, "it is still there");
    Ok(())
}

async fn a_deletion_raises_the_generation(bench: TestBench) -> anyhow::Result<()> {
    with_finalizer(&bench, "Widget").await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let ending = bench.api("Widget").get("a").await?;
    ensure_eq(ending.metadata.generation, Some(2), "the generation")?;
    let_go(&bench, "Widget").await
}

async fn a_second_deletion_changes_nothing(bench: TestBench) -> anyhow::Result<()> {
    with_finalizer(&bench, "Widget").await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let first = bench.api("Widget").get("a").await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let second = bench.api("Widget").get("a").await?;
    ensure_eq(version(&second), version(&first), "the version")?;
    let_go(&bench, "Widget").await
}

async fn no_finalizer_is_added_to_what_ends(bench: TestBench) -> anyhow::Result<()> {
    with_finalizer(&bench, "Widget").await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let patch = Patch::Merge(json!({"metadata": {"finalizers": [FINALIZER, "contract.alscope.dev/late"]}}));
    let refused = bench
        .api("Widget")
        .patch("a", &PatchParams::default(), &patch)
        .await;
    let message = ensure_refused(refused, 422, "Invalid")?;
    ensure!(
        message.contains("no new finalizers can be added if the object is being deleted"),
        "{message}"
    );
    let_go(&bench, "Widget").await
}

async fn an_update_without_finalizers_ends_it(bench: TestBench) -> anyhow::Result<()> {
    with_finalizer(&bench, "ConfigMap").await?;
    bench.config_maps().delete("a", &DeleteParams::default()).await?;
    let mut ending = bench.config_maps().get("a").await?;
    ending.metadata.finalizers = None;
    bench
        .config_maps()
        .replace("a", &PostParams::default(), &ending)
        .await?;
    ensure!(is_gone(&bench, "ConfigMap", "a").await?, "it is still there");
    Ok(())
}

/// A ConfigMap and a Widget that it owns.
async fn family(bench: &TestBench) -> anyhow::Result<DynamicObject> {
    let owner = bench.config_map("owner").await?;
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid,
        "controller": true, "blockOwnerDeletion": true,
    });
    let rest = json!({"metadata": {"ownerReferences": [reference]}});
    bench.create("ConfigMap", "child", &rest).await?;
    Ok(owner)
}

async fn dependents_go_after_their_owner(bench: TestBench) -> anyhow::Result<()> {
    family(&bench).await?;
    bench
        .config_maps()
        .delete("owner", &DeleteParams::background())
        .await?;
    ensure!(
        is_gone(&bench, "ConfigMap", "owner").await?,
        "the owner is still there"
    );
    until("the dependent is gone", async || {
        is_gone(&bench, "ConfigMap", "child").await
    })
    .await
}

async fn dependents_go_before_their_owner_in_the_foreground(bench: TestBench) -> anyhow::Result<()> {
    family(&bench).await?;
    let hold = Patch::Merge(json!({"metadata": {"finalizers": [FINALIZER]}}));
    bench
        .config_maps()
        .patch("child", &PatchParams::default(), &hold)
        .await?;
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    bench.config_maps().delete("owner", &parameters).await?;
    let owner = bench.config_maps().get("owner").await?;
    ensure_eq(
        owner.metadata.finalizers,
        Some(vec!["foregroundDeletion".to_owned()]),
        "the owner's finalizers",
    )?;
    until("the dependent is ending", async || {
        let child = bench.config_maps().get("child").await?;
        Ok(child.metadata.deletion_timestamp.is_some())
    })
    .await?;
    ensure!(
        !is_gone(&bench, "ConfigMap", "owner").await?,
        "the owner went first"
    );
    // Its own finalizer, and the garbage collector's while the dependent is looked at.
    let child = bench.config_maps().get("child").await?;
    let left: Vec<String> = child.metadata.finalizers.unwrap_or_default();
    let left: Vec<Value> = left
        .into_iter()
        .filter(|one| one != FINALIZER)
        .map(Value::String)
        .collect();
    let patch = Patch::Merge(json!({"metadata": {"finalizers": left}}));
    bench
        .config_maps()
        .patch("child", &PatchParams::default(), &patch)
        .await?;
    until("both are gone", async || {
        Ok(is_gone(&bench, "ConfigMap", "child").await? && is_gone(&bench, "ConfigMap", "owner").await?)
    })
    .await
}

async fn many_are_deleted_by_label(bench: TestBench) -> anyhow::Result<()> {
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let rest = json!({"metadata": {"labels": {"l": label}}});
        bench.create("Widget", name, &rest).await?;
    }
    let selected = ListParams::default().labels("l=x");
    bench
        .api("Widget")
        .delete_collection(&DeleteParams::default(), &selected)
        .await?;
    until("two are gone", async || {
        let left = bench.api("Widget").list(&ListParams::default()).await?;
        Ok(names(&left).concat() == "c")
    })
    .await
}

async fn a_namespace_takes_everything_along(bench: TestBench) -> anyhow::Result<()> {
    let inner = TestBench::new(bench.client.clone(), &format!("{}-", bench.namespace)).await?;
    with_finalizer(&inner, "ConfigMap").await?;
    bench::namespaces(&bench.client)
        .delete(&inner.namespace, &DeleteParams::default())
        .await?;
    let late = inner.object("ConfigMap", "late", &json!({}))?;
    let refused = inner.config_maps().create(&PostParams::default(), &late).await;
    let message = ensure_refused(refused, 403, "Forbidden")?;
    ensure!(message.contains("because it is being terminated"), "{message}");
    until("its ConfigMap is ending", async || {
        let found = inner.config_maps().get("a").await?;
        Ok(found.metadata.deletion_timestamp.is_some())
    })
    .await?;
    let_go(&inner, "ConfigMap").await?;
    let namespaces = bench::namespaces(&bench.client);
    until("the namespace is gone", async || {
        Ok(namespaces.get_opt(&inner.namespace).await?.is_none())
    })
    .await
}
