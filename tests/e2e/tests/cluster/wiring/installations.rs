//! Two installations in one cluster: each has its own resources, and goes without those of the other.

use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::cluster::{kubectl, now, run};
use alscope_e2e::meshes::{self, STOCK, config_map, istiod};
use alscope_e2e::operator::{
    self, NAMESPACE, RESOURCE, apply, apply_object, explain, reaches, text, until_disowned,
};
use alscope_e2e::wired::{Wired, event, ready_again};
use anyhow::ensure;
use serde_json::json;

/// The second team's operator, resource and mesh.
const SECOND: &str = "team-b-alscope";
const SECONDS: &str = "team-b";
const MESH: &str = "team-b-mesh";

#[test]
fn two_installations_leave_each_others_resources_alone() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    apply(RESOURCE, &json!({}))?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    until_disowned(Duration::from_secs(10))?;
    let wired = Wired::now()?;

    let place = operator::place()?;
    let mesh = vec![istiod("istiod", "default"), config_map("istio", STOCK)];
    meshes::make(&[(MESH.to_owned(), mesh)])?;
    operator::install_in(SECOND, &[&format!("mesh.namespace={MESH}")])?;
    apply_object(&json!({
        "apiVersion": "alscope.dev/v1alpha1",
        "kind": "MeshObservability",
        "metadata": {"name": SECONDS, "annotations": {"alscope.dev/operator": SECOND}},
        "spec": {"mesh": {"namespace": MESH}},
    }))?;
    reaches(SECONDS, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    each_has_its_own()?;
    each_says_that_the_other_ones_is_not_its_own()?;
    for (installation, others) in [(NAMESPACE, SECONDS), (SECOND, RESOURCE)] {
        let written: Vec<_> = operator::writes_of(installation, place)?
            .into_iter()
            .filter(|write| write.resource.starts_with("meshobservabilities") && write.name == others)
            .collect();
        ensure!(written.is_empty(), "{installation} wrote {written:?}");
    }

    let begin = now();
    let second = [
        "uninstall",
        "alscope",
        "--namespace",
        SECOND,
        "--wait",
        "--timeout=3m",
    ];
    run("helm", &second).inspect_err(|_| explain())?;
    println!("  uninstalled after {:.1} s", begin.elapsed().as_secs_f64());
    let left = kubectl(&["get", "meshobs", "--output=name"])?;
    ensure!(
        left.trim() == format!("meshobservability.alscope.dev/{RESOURCE}"),
        "left: {left}"
    );
    let restored = text(MESH, "istio")?;
    ensure!(
        restored.as_deref() == Some(STOCK),
        "the second mesh is {restored:?}"
    );
    ready_again(RESOURCE, Duration::from_secs(10))?;
    wired.check()?;
    meshes::delete(&[SECOND, MESH])?;
    operator::delete_all()?;
    baseline.check()?;
    operator::remove()
}

fn each_has_its_own() -> anyhow::Result<()> {
    for (name, installation) in [(RESOURCE, NAMESPACE), (SECONDS, SECOND)] {
        let status = operator::resource(name)?["status"].clone();
        let address = status["collector"]["address"].as_str().unwrap_or_default();
        ensure!(
            status["operator"]["namespace"] == installation && address.contains(&format!(".{installation}.")),
            "{name} is not of {installation}: {status}"
        );
    }
    let text = text(MESH, "istio")?.unwrap_or_default();
    ensure!(
        text.contains(&format!("{SECONDS}-collector.{SECOND}.svc")),
        "the second mesh has\n{text}"
    );
    Ok(())
}

fn each_says_that_the_other_ones_is_not_its_own() -> anyhow::Result<()> {
    for (name, of, other) in [(RESOURCE, NAMESPACE, SECOND), (SECONDS, SECOND, NAMESPACE)] {
        let whose = format!("operator in namespace {of}, so the one in namespace {other} leaves it alone");
        event(
            name,
            "BelongsToAnotherOperator",
            &[&whose],
            Duration::from_secs(20),
        )?;
    }
    Ok(())
}
