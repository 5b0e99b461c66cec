//! Wherever it dies, the next operator goes on: the end is the same as without a fault.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alscope_e2e::cluster::{kubectl, until};
use alscope_e2e::collector::load_images;
use alscope_e2e::faults::Operators;
use alscope_e2e::operator::{self, ADDRESS, RESOURCE, until_condition};
use anyhow::ensure;
use serde_json::json;

const MESH: (&str, &str) = ("istio-system", "istio");

fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/alscope-operator")
}

/// The chart's rights and definition, without its operator.
fn installed_without_operator() -> anyhow::Result<()> {
    load_images()?;
    operator::remove()?;
    operator::install()?;
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
    let (mesh, objects) = (operator::mesh(MESH.0, MESH.1)?, operator::objects()?);
    ensure!(
        !mesh.contains(ADDRESS),
        "the mesh is wired before the test: {mesh}"
    );
    operator::apply(RESOURCE, &json!({}))?;
    until_condition(RESOURCE, "Ready", ("True", "Ready"), Duration::from_mins(2))?;
    ensure!(
        operator::mesh(MESH.0, MESH.1)?.contains(ADDRESS),
        "Ready, but the mesh is not wired"
    );
    until(
        "the operator's mark to go from managedFields",
        Duration::from_secs(20),
        || {
            let managers = operator::managers(MESH.0, MESH.1)?;
            Ok((!managers.iter().any(|manager| manager == "alscope-operator")).then_some(()))
        },
    )?;
    let resets = operator::resource(RESOURCE)?["status"]["mesh"]["resets"].clone();
    ensure!(resets.is_null(), "the operator fought itself: {resets}");
    operator::delete_all()?;
    let after = operator::mesh(MESH.0, MESH.1)?;
    ensure!(after == mesh, "mesh config was\n{mesh}\nand is\n{after}");
    until("the objects from before", Duration::from_secs(20), || {
        let found = operator::objects()?;
        let different: Vec<&String> = found.symmetric_difference(&objects).collect();
        ensure!(different.is_empty(), "{different:?}");
        Ok(Some(()))
    })
}

#[test]
fn killed_at_each_of_its_writes_it_converges_to_the_same_end() -> anyhow::Result<()> {
    installed_without_operator()?;
    let operators = Operators::behind_a_proxy(program(), true)?;
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
    let operators = Operators::behind_a_proxy(program(), false)?;
    let both = [operators.supervise("one"), operators.supervise("other")];
    up_and_down()?;
    drop(both);
    operator::remove()
}
