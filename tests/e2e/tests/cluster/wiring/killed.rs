//! Wherever it dies, the next operator goes on: the end is the same as without a fault.

use std::time::Duration;

use alscope_e2e::baseline::{self, Baseline};
use alscope_e2e::cluster::{kubectl, until};
use alscope_e2e::faults::Operators;
use alscope_e2e::operator::{self, ADDRESS, MESH, RESOURCE, reaches, until_disowned};
use anyhow::ensure;
use serde_json::json;

/// The chart's rights and definition, without its operator.
fn installed_without_operator() -> anyhow::Result<()> {
    operator::install_anew()?;
    let scale = [
        "scale",
        "deployment",
        "alscope-operator",
        "--namespace",
        operator::NAMESPACE,
    ];
    kubectl(&[&scale[..], &["--replicas=0"]].concat())?;
    until("the chart's operator to end", Duration::from_secs(40), || {
        let selector = "--selector=app.kubernetes.io/name=alscope-operator";
        let pods = kubectl(&[
            "get",
            "pods",
            "--namespace",
            operator::NAMESPACE,
            selector,
            "--output=name",
        ])?;
        Ok(pods.trim().is_empty().then_some(()))
    })
}

/// Up and down; the end must be the beginning.
fn up_and_down() -> anyhow::Result<()> {
    let baseline = Baseline::now()?;
    ensure!(
        !baseline.mesh.contains(ADDRESS),
        "the mesh is wired before the test: {}",
        baseline.mesh
    );
    operator::apply(RESOURCE, &json!({}))?;
    reaches(RESOURCE, "Ready", ("True", "Ready"), Duration::from_mins(2))?;
    ensure!(
        operator::mesh(MESH)?.contains(ADDRESS),
        "Ready, but the mesh is not wired"
    );
    until_disowned(Duration::from_secs(20))?;
    let resets = operator::resource(RESOURCE)?["status"]["mesh"]["resets"].clone();
    ensure!(resets.is_null(), "the operator fought itself: {resets}");
    operator::delete_all()?;
    baseline.check_mesh()?;
    until("the objects from before", Duration::from_secs(20), || {
        let found = baseline::objects()?;
        let different: Vec<&String> = found.symmetric_difference(&baseline.objects).collect();
        ensure!(different.is_empty(), "{different:?}");
        Ok(Some(()))
    })
}

#[test]
fn killed_at_each_of_its_writes_it_converges_to_the_same_end() -> anyhow::Result<()> {
    installed_without_operator()?;
    let operators = Operators::behind_a_proxy(true)?;
    let supervised = operators.supervise("killed");
    up_and_down()?;
    drop(supervised);
    let kills = operators.kills();
    println!("  killed {kills} times");
    ensure!(kills >= 20, "only {kills} kills");
    operator::remove()
}

#[test]
fn two_operators_at_once_come_to_the_same_end() -> anyhow::Result<()> {
    installed_without_operator()?;
    let operators = Operators::behind_a_proxy(false)?;
    let both = [operators.supervise("one"), operators.supervise("other")];
    up_and_down()?;
    drop(both);
    operator::remove()
}
