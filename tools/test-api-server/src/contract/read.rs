//! Single objects and lists.

use anyhow::{Context as _, ensure};
use kube::api::{DynamicObject, ListParams, ObjectList};
use kube::core::params::VersionMatch;
use serde_json::{Value, json};

use super::bench::{TestBench, ensure_eq, ensure_refused, names, refused, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 13] = listed![
    an_absent_object_is_not_found,
    an_absent_kind_is_404,
    an_absent_group_is_404,
    a_list_is_in_the_order_of_names,
    a_list_is_of_its_namespace,
    labels_select,
    a_selector_that_is_none_is_refused,
    names_select,
    other_fields_do_not_select,
    a_list_comes_in_pages,
    pages_are_of_one_version,
    an_old_version_can_be_listed,
    a_built_in_list_names_its_kind_once,
];

async fn an_absent_object_is_not_found(bench: TestBench) -> anyhow::Result<()> {
    let message = ensure_refused(bench.config_maps().get("a").await, 404, "NotFound")?;
    ensure_eq(message.as_str(), "configmaps \"a\" not found", "the message")?;
    let message = ensure_refused(bench.api("Widget").get("a").await, 404, "NotFound")?;
    ensure_eq(
        message.as_str(),
        "widgets.contract.alscope.dev \"a\" not found",
        "the message",
    )
}

async fn an_absent_kind_is_404(bench: TestBench) -> anyhow::Result<()> {
    let refused = refused(bench.api("Absentee").list(&ListParams::default()).await)?;
    ensure_eq(refused.code, 404, "the code")?;
    ensure!(
        refused.reason != "NotFound",
        "an absent kind is answered as an absent object is"
    );
    Ok(())
}

async fn an_absent_group_is_404(bench: TestBench) -> anyhow::Result<()> {
    let request = http::Request::get("/apis/absent.alscope.dev/v1/things").body(Vec::new())?;
    let refused = refused(bench.client.request::<Value>(request).await)?;
    ensure_eq(refused.code, 404, "the code")
}

async fn a_list_is_in_the_order_of_names(bench: TestBench) -> anyhow::Result<()> {
    for name in ["c", "a", "b"] {
        bench.create("Widget", name, &json!({})).await?;
    }
    let list = bench.api("Widget").list(&ListParams::default()).await?;
    ensure_eq(
        names(&list),
        vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        "the names",
    )
}

async fn a_list_is_of_its_namespace(bench: TestBench) -> anyhow::Result<()> {
    let other = TestBench::new(bench.client.clone(), &format!("{}-", bench.namespace)).await?;
    bench.create("Widget", "here", &json!({})).await?;
    other.create("Widget", "there", &json!({})).await?;
    let list = bench.api("Widget").list(&ListParams::default()).await?;
    ensure_eq(names(&list), vec!["here".to_owned()], "the names")?;
    let all = super::bench::everywhere(&bench.client, "Widget")
        .list(&ListParams::default())
        .await?;
    let all = names(&all);
    ensure!(
        all.contains(&"here".to_owned()) && all.contains(&"there".to_owned()),
        "{all:?}"
    );
    super::bench::remove(&super::bench::namespaces(&bench.client), &other.namespace).await
}

async fn labels_select(bench: TestBench) -> anyhow::Result<()> {
    for (name, labels) in [
        ("a", json!({"app": "web", "tier": "front"})),
        ("b", json!({"app": "api"})),
        ("c", json!({})),
    ] {
        bench
            .create("Widget", name, &json!({"metadata": {"labels": labels}}))
            .await?;
    }
    for (selector, wanted) in [
        ("app=web", "a"),
        ("app==api", "b"),
        ("app!=web", "bc"),
        ("app", "ab"),
        ("!app", "c"),
        ("app in (web,api)", "ab"),
        ("app notin (web)", "bc"),
        ("app=web,tier=front", "a"),
        ("app=web,tier=back", ""),
    ] {
        let list = bench
            .api("Widget")
            .list(&ListParams::default().labels(selector))
            .await?;
        ensure_eq(names(&list).concat().as_str(), wanted, selector)?;
    }
    Ok(())
}

async fn a_selector_that_is_none_is_refused(bench: TestBench) -> anyhow::Result<()> {
    let list = bench
        .api("Widget")
        .list(&ListParams::default().labels("a b"))
        .await;
    ensure_refused(list, 400, "BadRequest").map(drop)
}

async fn names_select(bench: TestBench) -> anyhow::Result<()> {
    for name in ["a", "b"] {
        bench.config_map(name).await?;
    }
    let list = bench
        .config_maps()
        .list(&ListParams::default().fields("metadata.name=b"))
        .await?;
    ensure_eq(names(&list), vec!["b".to_owned()], "the names")
}

async fn other_fields_do_not_select(bench: TestBench) -> anyhow::Result<()> {
    let list = bench
        .config_maps()
        .list(&ListParams::default().fields("data.a=1"))
        .await;
    let message = ensure_refused(list, 400, "BadRequest")?;
    ensure_eq(
        message.as_str(),
        "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        "the message",
    )
}

/// The first two of three objects, and what asks for the third.
async fn first_page(bench: &TestBench) -> anyhow::Result<(ObjectList<DynamicObject>, ListParams)> {
    for name in ["a", "b", "c"] {
        bench.create("Widget", name, &json!({})).await?;
    }
    let parameters = ListParams::default().limit(2);
    let first = bench.api("Widget").list(&parameters).await?;
    let token = first.metadata.continue_.clone().context("no continue token")?;
    Ok((first, parameters.continue_token(&token)))
}

async fn a_list_comes_in_pages(bench: TestBench) -> anyhow::Result<()> {
    let (first, next) = first_page(&bench).await?;
    ensure_eq(names(&first).concat().as_str(), "ab", "the first page")?;
    ensure_eq(first.metadata.remaining_item_count, Some(1), "what is left")?;
    let second = bench.api("Widget").list(&next).await?;
    ensure_eq(names(&second).concat().as_str(), "c", "the second page")?;
    ensure_eq(
        second.metadata.continue_.unwrap_or_default().as_str(),
        "",
        "the next token",
    )
}

async fn pages_are_of_one_version(bench: TestBench) -> anyhow::Result<()> {
    let (first, next) = first_page(&bench).await?;
    bench.create("Widget", "d", &json!({})).await?;
    let second = bench.api("Widget").list(&next).await?;
    ensure_eq(names(&second).concat().as_str(), "c", "the second page")?;
    ensure_eq(
        second.metadata.resource_version,
        first.metadata.resource_version,
        "the second page's version",
    )
}

async fn an_old_version_can_be_listed(bench: TestBench) -> anyhow::Result<()> {
    let first = bench.create("Widget", "a", &json!({})).await?;
    bench.create("Widget", "b", &json!({})).await?;
    let parameters = ListParams {
        resource_version: Some(version(&first)),
        version_match: Some(VersionMatch::Exact),
        ..ListParams::default()
    };
    let list = bench.api("Widget").list(&parameters).await?;
    ensure_eq(names(&list).concat().as_str(), "a", "what was there")
}

async fn a_built_in_list_names_its_kind_once(bench: TestBench) -> anyhow::Result<()> {
    bench.config_map("a").await?;
    bench.create("Widget", "a", &json!({})).await?;
    for (kind, wanted) in [("ConfigMap", None), ("Widget", Some("Widget"))] {
        let request = http::Request::get(bench.path(kind)).body(Vec::new())?;
        let list: Value = bench.client.request(request).await?;
        let item = list["items"].as_array().and_then(|items| items.last()).cloned();
        let item = item.context("an empty list")?;
        ensure_eq(
            list["kind"].as_str(),
            Some(format!("{kind}List").as_str()),
            "the list's kind",
        )?;
        ensure_eq(item["kind"].as_str(), wanted, "an item's kind")?;
    }
    Ok(())
}
