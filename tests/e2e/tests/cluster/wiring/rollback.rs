//! The operator is rolled back to a version that knows less than the resource says: what that mesh has stays, others go on.

use std::time::Duration;

use alscope_e2e::baseline::Baseline;
use alscope_e2e::cluster::{kubectl, until};
use alscope_e2e::meshes::{self, STOCK, config_map, istiod, rights};
use alscope_e2e::operator::{self, RESOURCE, apply, reaches, until_disowned};
use alscope_e2e::programs::root;
use alscope_e2e::wired::{Wired, event, operator_metrics, ready_again, restart_operator};
use anyhow::ensure;
use serde_json::json;

/// A value that a newer version has, and its place in the definition.
const NEWER: &str = "Negotiate";
const VALUES: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/mesh/properties/conflictPolicy/enum/-";
/// The namespace of another mesh, and the name of its resource.
const OTHER: &str = "rollback";

#[test]
fn a_resource_that_an_older_version_can_not_read_keeps_its_mesh() -> anyhow::Result<()> {
    let baseline = Baseline::installed()?;
    let objects = [
        vec![istiod("istiod", "default"), config_map("istio", STOCK)],
        rights(),
    ]
    .concat();
    meshes::make(&[(OTHER.to_owned(), objects)])?;
    apply(RESOURCE, &json!({}))?;
    apply(OTHER, &json!({"mesh": {"namespace": OTHER}}))?;
    for name in [RESOURCE, OTHER] {
        reaches(name, "Ready", ("True", "Ready"), Duration::from_secs(30))?;
    }
    until_disowned(Duration::from_secs(10))?;
    let wired = Wired::now()?;

    let place = operator::place()?;
    set_as_a_newer_version_would()?;
    definition_of_the_chart()?;
    restart_operator()?;
    event(
        RESOURCE,
        "NotUnderstood",
        &[NEWER, "leaves its mesh and collector as they are", "upgrade"],
        Duration::from_secs(20),
    )?;
    operator_metrics("the resource to be counted", Duration::from_secs(20), |all| {
        let of = [("resource", "meshobservabilities.alscope.dev")];
        all.sum("alscope_operator_unreadable_objects", &of) == 1
    })?;
    others_go_on()?;
    wired.check()?;
    let written: Vec<_> = operator::writes_since(place)?
        .into_iter()
        .filter(|write| write.name == RESOURCE || write.namespace == operator::MESH)
        .filter(|write| write.resource != "events")
        .collect();
    ensure!(written.is_empty(), "written for what can't be read: {written:?}");

    // Who corrects it, or upgrades, has all back.
    kubectl(&[
        "patch",
        "meshobs",
        RESOURCE,
        "--type=merge",
        r#"--patch={"spec": {"mesh": {"conflictPolicy": "Refuse"}}}"#,
    ])?;
    ready_again(RESOURCE, Duration::from_secs(20))?;
    reaches(
        "younger",
        "Accepted",
        ("False", "MeshNotFound"),
        Duration::from_secs(20),
    )?;
    wired.check()?;
    operator::delete_all()?;
    meshes::delete(&[OTHER])?;
    baseline.check()?;
    operator::remove()
}

/// With a definition that knows one value more, the resource gets it.
fn set_as_a_newer_version_would() -> anyhow::Result<()> {
    let patch = json!([{"op": "add", "path": VALUES, "value": NEWER}]).to_string();
    let definition = "meshobservabilities.alscope.dev";
    kubectl(&["patch", "crd", definition, "--type=json", "--patch", &patch])?;
    let patch = json!({"spec": {"mesh": {"conflictPolicy": NEWER}}}).to_string();
    // A definition is in force a moment after it is written.
    until("the newer value to be taken", Duration::from_secs(20), || {
        kubectl(&["patch", "meshobs", RESOURCE, "--type=merge", "--patch", &patch]).map(Some)
    })
    .map(drop)
}

/// As the documentation of an upgrade says it, for the version that is there again.
fn definition_of_the_chart() -> anyhow::Result<()> {
    let file = root().join("charts/alscope/crds");
    kubectl(&[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename",
        &file.to_string_lossy(),
    ])
    .map(drop)
}

/// A resource of another mesh is looked after as ever. What the unread one is for is not known, so a younger one waits.
fn others_go_on() -> anyhow::Result<()> {
    apply(
        OTHER,
        &json!({"mesh": {"namespace": OTHER}, "collector": {"replicas": 2}}),
    )?;
    apply("younger", &json!({"mesh": {"namespace": "younger"}}))?;
    let waits = reaches(
        "younger",
        "Accepted",
        ("Unknown", "MeshCheckFailed"),
        Duration::from_secs(20),
    )?;
    ensure!(waits.message.contains(RESOURCE), "{}", waits.message);
    ready_again(OTHER, Duration::from_secs(30))?;
    until("its second replica", Duration::from_secs(30), || {
        let collector = operator::resource(OTHER)?["status"]["collector"].clone();
        ensure!(collector["readyReplicas"] == 2, "it has {collector}");
        Ok(Some(()))
    })
}
