//! Watches.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use serde_json::json;
use tokio::time::timeout;

use super::bench::{TestBench, ensure_eq, refused, version};
use super::{Case, listed};

pub(super) const CASES: [Case; 10] = listed![
    a_watch_tells_of_every_change_in_order,
    a_watch_without_a_version_begins_with_what_is_there,
    a_watch_tells_only_what_came_after_its_version,
    a_selector_makes_what_leaves_it_deleted,
    a_watch_by_name_sees_that_one,
    a_deletion_has_a_version_of_its_own,
    a_watch_ends_in_time_with_a_bookmark,
    a_version_that_is_too_old_is_410,
    a_watch_of_an_absent_kind_is_404,
    the_clients_watcher_lists_and_follows,
];

const CONDITION_TIMEOUT: Duration = Duration::from_secs(30);

/// The first so many events but bookmarks, as `ADDED a`.
async fn events(
    api: &Api<DynamicObject>,
    parameters: &WatchParams,
    version: &str,
    count: usize,
) -> anyhow::Result<Vec<(String, DynamicObject)>> {
    let mut stream = api.watch(parameters, version).await?.boxed();
    let mut found = Vec::new();
    while found.len() < count {
        let event = timeout(CONDITION_TIMEOUT, stream.try_next())
            .await
            .context("no event in time")??
            .context("the watch has ended")?;
        let (type_, object) = match event {
            WatchEvent::Added(object) => ("ADDED", object),
            WatchEvent::Modified(object) => ("MODIFIED", object),
            WatchEvent::Deleted(object) => ("DELETED", object),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => bail!("{status:?}"),
        };
        let name = object.metadata.name.clone().unwrap_or_default();
        found.push((format!("{type_} {name}"), object));
    }
    Ok(found)
}

fn told(events: &[(String, DynamicObject)]) -> Vec<&str> {
    events.iter().map(|(told, _)| told.as_str()).collect()
}

async fn label(bench: &TestBench, name: &str, label: &str) -> anyhow::Result<DynamicObject> {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"l": label}}}));
    Ok(bench
        .api("Widget")
        .patch(name, &PatchParams::default(), &patch)
        .await?)
}

async fn now(bench: &TestBench) -> anyhow::Result<String> {
    let list = bench.api("Widget").list(&ListParams::default()).await?;
    list.metadata.resource_version.context("a list without a version")
}

async fn a_watch_tells_of_every_change_in_order(bench: TestBench) -> anyhow::Result<()> {
    let begin = now(&bench).await?;
    bench.create("Widget", "a", &json!({})).await?;
    bench.create("Widget", "b", &json!({})).await?;
    label(&bench, "a", "x").await?;
    bench.api("Widget").delete("b", &DeleteParams::default()).await?;
    let events = events(&bench.api("Widget"), &WatchParams::default(), &begin, 4).await?;
    ensure_eq(
        told(&events),
        vec!["ADDED a", "ADDED b", "MODIFIED a", "DELETED b"],
        "what was told",
    )
}

async fn a_watch_without_a_version_begins_with_what_is_there(bench: TestBench) -> anyhow::Result<()> {
    bench.create("Widget", "a", &json!({})).await?;
    label(&bench, "a", "x").await?;
    let events = events(&bench.api("Widget"), &WatchParams::default(), "0", 1).await?;
    ensure_eq(told(&events), vec!["ADDED a"], "what was told")
}

async fn a_watch_tells_only_what_came_after_its_version(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.create("Widget", "a", &json!({})).await?;
    let labelled = label(&bench, "a", "x").await?;
    let events = events(&bench.api("Widget"), &WatchParams::default(), &version(&made), 1).await?;
    ensure_eq(told(&events), vec!["MODIFIED a"], "what was told")?;
    let seen = events.first().map(|(_, object)| version(object));
    ensure_eq(seen, Some(version(&labelled)), "the version")
}

async fn a_selector_makes_what_leaves_it_deleted(bench: TestBench) -> anyhow::Result<()> {
    let begin = now(&bench).await?;
    bench.create("Widget", "a", &json!({})).await?;
    for value in ["x", "y", "x"] {
        label(&bench, "a", value).await?;
    }
    let parameters = WatchParams::default().labels("l=x");
    let events = events(&bench.api("Widget"), &parameters, &begin, 3).await?;
    ensure_eq(
        told(&events),
        vec!["ADDED a", "DELETED a", "ADDED a"],
        "what was told",
    )
}

async fn a_watch_by_name_sees_that_one(bench: TestBench) -> anyhow::Result<()> {
    let begin = now(&bench).await?;
    bench.create("Widget", "a", &json!({})).await?;
    bench.create("Widget", "b", &json!({})).await?;
    label(&bench, "b", "x").await?;
    let parameters = WatchParams::default().fields("metadata.name=b");
    let events = events(&bench.api("Widget"), &parameters, &begin, 2).await?;
    ensure_eq(told(&events), vec!["ADDED b", "MODIFIED b"], "what was told")
}

async fn a_deletion_has_a_version_of_its_own(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.create("Widget", "a", &json!({})).await?;
    bench.api("Widget").delete("a", &DeleteParams::default()).await?;
    let events = events(&bench.api("Widget"), &WatchParams::default(), &version(&made), 1).await?;
    ensure_eq(told(&events), vec!["DELETED a"], "what was told")?;
    let last: u64 = events
        .first()
        .map(|(_, object)| version(object))
        .unwrap_or_default()
        .parse()?;
    ensure!(
        last > version(&made).parse()?,
        "the deletion has the version {last}"
    );
    Ok(())
}

async fn a_watch_ends_in_time_with_a_bookmark(bench: TestBench) -> anyhow::Result<()> {
    let made = bench.create("Widget", "a", &json!({})).await?;
    let parameters = WatchParams::default().timeout(75);
    let stream = bench.api("Widget").watch(&parameters, &version(&made)).await?;
    let seen: Vec<WatchEvent<DynamicObject>> = timeout(3 * CONDITION_TIMEOUT, stream.try_collect())
        .await
        .context("it does not end")??;
    let bookmarks: Vec<String> = seen
        .into_iter()
        .filter_map(|event| match event {
            WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
            _ => None,
        })
        .collect();
    let last: u64 = bookmarks.last().context("no bookmark")?.parse()?;
    ensure!(last >= version(&made).parse()?, "the bookmark is at {last}");
    Ok(())
}

async fn a_version_that_is_too_old_is_410(bench: TestBench) -> anyhow::Result<()> {
    let mut stream = bench
        .api("Widget")
        .watch(&WatchParams::default(), "1")
        .await?
        .boxed();
    let first = timeout(CONDITION_TIMEOUT, stream.try_next())
        .await
        .context("no event in time")??;
    match first {
        Some(WatchEvent::Error(status)) => {
            ensure_eq(
                (status.code, status.reason.as_str()),
                (410, "Expired"),
                "the error",
            )?;
            ensure!(
                status.message.contains("too old resource version"),
                "{}",
                status.message
            );
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn a_watch_of_an_absent_kind_is_404(bench: TestBench) -> anyhow::Result<()> {
    let watch = bench.api("Absentee").watch(&WatchParams::default(), "0").await;
    ensure_eq(refused(watch.map(|_| ()))?.code, 404, "the code")
}

async fn the_clients_watcher_lists_and_follows(bench: TestBench) -> anyhow::Result<()> {
    for name in ["a", "b", "c"] {
        bench.create("Widget", name, &json!({})).await?;
    }
    let config = watcher::Config::default().page_size(2);
    let mut stream = watcher::watcher(bench.api("Widget"), config).boxed();
    let mut seen = String::new();
    while !seen.ends_with("a'") {
        let event = timeout(CONDITION_TIMEOUT, stream.try_next())
            .await
            .context("no event in time")??;
        let name = |object: &DynamicObject| object.metadata.name.clone().unwrap_or_default();
        match event.context("the watcher has ended")? {
            Event::Init => seen.push('('),
            Event::InitApply(object) => seen.push_str(&name(&object)),
            Event::InitDone => {
                seen.push(')');
                label(&bench, "a", "x").await?;
            }
            Event::Apply(object) => seen.extend([name(&object).as_str(), "'"]),
            Event::Delete(object) => seen.extend(["-", &name(&object)]),
        }
    }
    ensure_eq(seen.as_str(), "(abc)a'", "what the watcher saw")
}
