//! What else changes on a wired mesh: the operator's own chart is uninstalled first, istiod is upgraded.

use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::cluster::{kubectl, now, run, until};
use alscope_e2e::operator::{self, ADDRESS, MESH, RESOURCE, explain, reaches, until_disowned};
use anyhow::ensure;
use serde_json::json;

#[test]
fn helm_uninstall_first_leaves_nothing_behind() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    operator::apply(RESOURCE, &json!({}))?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    let begin = now();
    run(
        "helm",
        &[
            "uninstall",
            "alscope",
            "--namespace",
            operator::NAMESPACE,
            "--wait",
            "--timeout=3m",
        ],
    )
    .inspect_err(|_| explain())?;
    println!("  uninstalled after {:.1} s", begin.elapsed().as_secs_f64());
    baseline.check_mesh()?;
    operator::delete_all()?;
    let left = kubectl(&["get", "meshobs", "--output=name"])?;
    ensure!(left.trim().is_empty(), "left: {left}");
    operator::remove()
}

#[test]
fn an_upgrade_of_istiod_passes_and_is_wired_again_once() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    operator::apply(RESOURCE, &json!({}))?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    until_disowned(Duration::from_secs(10))?;
    let charts = run("helm", &["--charts"])?;
    let istiod = format!("{}/istiod", charts.trim());
    for _ in 1..3 {
        upgrade(&istiod)?;
        is_wired_again()?;
    }
    let place = operator::place()?;
    upgrade(&istiod)?;
    let fight = reaches(
        RESOURCE,
        "MeshConfigured",
        ("False", "MeshConfigContended"),
        Duration::from_secs(20),
    )?;
    ensure!(
        fight.message.contains("helm"),
        "the condition names nobody: {}",
        fight.message
    );
    let written = operator::writes_since(place)?;
    ensure!(
        written.iter().all(|write| write.name != "istio"),
        "mesh config was written during a fight: {written:?}"
    );
    // A changed spec ends it.
    operator::apply(
        RESOURCE,
        &json!({"collector": {"replicas": 1}, "mesh": {"conflictPolicy": "Overwrite"}}),
    )?;
    reaches(
        RESOURCE,
        "MeshConfigured",
        ("True", "Wired"),
        Duration::from_secs(20),
    )?;
    operator::delete_all()?;
    baseline.check()
}

fn is_wired_again() -> anyhow::Result<()> {
    let begin = now();
    until("mesh config to be wired again", Duration::from_secs(10), || {
        Ok(operator::mesh(MESH)?.contains(ADDRESS).then_some(()))
    })
    .inspect_err(|_| explain())?;
    println!(
        "  wired again {:.1} s after the upgrade",
        begin.elapsed().as_secs_f64()
    );
    reaches(
        RESOURCE,
        "MeshConfigured",
        ("True", "Wired"),
        Duration::from_secs(10),
    )
    .map(drop)
}

/// What changes in the chart's text is left to the chart: the same values again.
fn upgrade(chart: &str) -> anyhow::Result<()> {
    let arguments = [
        "upgrade",
        "istiod",
        chart,
        "--namespace",
        MESH,
        "--reuse-values",
        "--wait",
        "--timeout=90s",
    ];
    run("helm", &arguments).map(drop)
}
