//! What a resource may ask for besides the default, on the real API server, in meshes whose istiod is scaled to 0.

use std::time::Duration;

use alscope_e2e::cluster::kubectl;
use alscope_e2e::meshes::{self, STOCK, config_map, istiod, istiod_with_shared, rights};
use alscope_e2e::operator::{self, apply, text};
use anyhow::ensure;
use serde_json::{Value, json};

/// Waits until a condition has a status and a reason.
fn reaches(name: &str, type_: &str, state: (&str, &str)) -> anyhow::Result<()> {
    operator::reaches(name, type_, state, Duration::from_secs(30)).map(drop)
}

/// A mesh's text, with what the operator adds for a resource's collector.
fn wired(before: &str, name: &str) -> String {
    let address = format!("{name}-collector.alscope-system.svc.cluster.local:11800");
    let below = "defaultConfig:\n";
    let with_address = before.replace(
        below,
        &format!("{below}  envoyAccessLogService:\n    address: {address}\n"),
    );
    format!("{with_address}enableEnvoyAccessLogService: true\n")
}

/// Fails unless the text says the same as another one; the places of the two additions are the edit's own affair.
fn ensure_same_lines(found: Option<&str>, wanted: &str) -> anyhow::Result<()> {
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    ensure!(
        lines(found.unwrap_or_default()) == lines(wanted),
        "the text is\n{}\nand not\n{wanted}",
        found.unwrap_or("absent")
    );
    Ok(())
}

fn collectors() -> anyhow::Result<String> {
    kubectl(&[
        "get",
        "deployments,services,configmaps",
        "--namespace",
        operator::NAMESPACE,
        "--selector=alscope.dev/owner-uid",
        "--output=name",
    ])
}

fn spec(state: &str, namespace: &str) -> Value {
    json!({"managementState": state, "mesh": {"namespace": namespace}})
}

#[test]
fn each_management_state_does_what_it_says() -> anyhow::Result<()> {
    operator::installed()?;
    let name = "states";
    let objects = [
        vec![istiod("istiod", "default"), config_map("istio", STOCK)],
        rights(),
    ]
    .concat();
    meshes::make(&[(name.to_owned(), objects)])?;

    apply(name, &spec("Plan", name))?;
    reaches(name, "MeshConfigured", ("False", "PlanOnly"))?;
    ensure!(collectors()?.is_empty(), "a plan made {}", collectors()?);
    ensure!(text(name, "istio")?.as_deref() == Some(STOCK), "a plan wrote");

    apply(name, &spec("Managed", name))?;
    reaches(name, "Ready", ("True", "Ready"))?;
    ensure_same_lines(text(name, "istio")?.as_deref(), &wired(STOCK, name))?;

    apply(name, &spec("Unmanaged", name))?;
    reaches(name, "MeshConfigured", ("True", "Wired"))?;
    kubectl(&[
        "patch",
        "configmap",
        "istio",
        "--namespace",
        name,
        "--type=merge",
        &format!("--patch={}", json!({"data": {"mesh": STOCK}})),
    ])?;
    reaches(name, "MeshConfigured", ("False", "Unmanaged"))?;
    ensure!(
        text(name, "istio")?.as_deref() == Some(STOCK),
        "Unmanaged, and yet it wrote"
    );

    apply(name, &spec("Managed", name))?;
    reaches(name, "Ready", ("True", "Ready"))?;
    ensure_same_lines(text(name, "istio")?.as_deref(), &wired(STOCK, name))?;

    apply(name, &spec("Removed", name))?;
    reaches(name, "Ready", ("False", "Removed"))?;
    ensure!(
        text(name, "istio")?.as_deref() == Some(STOCK),
        "the text is not what it was"
    );
    ensure!(collectors()?.is_empty(), "{} is left", collectors()?);
    operator::delete_all()?;
    meshes::delete(&[name])
}

#[test]
fn a_second_resource_waits_for_the_mesh_and_takes_over() -> anyhow::Result<()> {
    operator::installed()?;
    let namespace = "states-claims";
    let objects = [
        vec![istiod("istiod", "default"), config_map("istio", STOCK)],
        rights(),
    ]
    .concat();
    meshes::make(&[(namespace.to_owned(), objects)])?;
    apply("claims-first", &spec("Managed", namespace))?;
    reaches("claims-first", "Ready", ("True", "Ready"))?;
    apply("claims-second", &spec("Managed", namespace))?;
    reaches("claims-second", "Accepted", ("False", "MeshAlreadyClaimed"))?;
    ensure_same_lines(
        text(namespace, "istio")?.as_deref(),
        &wired(STOCK, "claims-first"),
    )?;

    kubectl(&["delete", "meshobs", "claims-first", "--wait", "--timeout=60s"])?;
    reaches("claims-second", "Ready", ("True", "Ready"))?;
    ensure_same_lines(
        text(namespace, "istio")?.as_deref(),
        &wired(STOCK, "claims-second"),
    )?;
    operator::delete_all()?;
    ensure!(
        text(namespace, "istio")?.as_deref() == Some(STOCK),
        "the text is not what it was"
    );
    meshes::delete(&[namespace])
}

#[test]
fn a_shared_mesh_config_is_edited_or_made_and_taken_back() -> anyhow::Result<()> {
    operator::installed()?;
    let theirs = "# theirs\ndefaultConfig:\n  concurrency: 2\n";
    let istiod = istiod_with_shared("istio-user");
    let common = [vec![istiod, config_map("istio", STOCK)], rights()].concat();
    let (absent, present) = ("states-shared-absent", "states-shared-present");
    meshes::make(&[
        (absent.to_owned(), common.clone()),
        (
            present.to_owned(),
            [common, vec![config_map("istio-user", theirs)]].concat(),
        ),
    ])?;
    // Auto takes the shared one that is absent; one of others' is taken only when it is asked for.
    apply(absent, &spec("Managed", absent))?;
    apply(
        present,
        &json!({"mesh": {"namespace": present, "configSource": "SharedConfigMap"}}),
    )?;
    for (name, before) in [(absent, "defaultConfig:\n"), (present, theirs)] {
        reaches(name, "Ready", ("True", "Ready"))?;
        ensure_same_lines(text(name, "istio-user")?.as_deref(), &wired(before, name))?;
        ensure!(
            text(name, "istio")?.as_deref() == Some(STOCK),
            "{name}: the revision's own text was written"
        );
    }
    operator::delete_all()?;
    ensure!(text(absent, "istio-user")?.is_none(), "istio-user is left");
    ensure!(
        text(present, "istio-user")?.as_deref() == Some(theirs),
        "the text is not what it was"
    );
    meshes::delete(&[absent, present])
}
