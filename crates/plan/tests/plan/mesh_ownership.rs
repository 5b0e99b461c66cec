//! Two resources for one mesh.

use kube::core::error_boundary::InvalidObject;
use serde_json::json;

use crate::cluster::{Cluster, condition};
use crate::mesh::{ADDRESS, CHART, WIRED, resource};
use crate::steps::names;
use alscope_plan::plan::{self, Reconciliation};

fn with_a_second(created: &str) -> Cluster {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.add(resource("second", created, &json!({})));
    cluster.settle();
    cluster
}

#[test]
fn the_younger_of_two_resources_writes_nothing_and_says_who_holds_the_mesh() {
    let cluster = with_a_second("2027-01-15T09:00:00Z");
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    let second = &cluster.resources[1];
    assert_eq!(second.metadata.finalizers, None);
    let (status, reason, message) = condition(second, "Accepted");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "MeshAlreadyClaimed")
    );
    assert_eq!(
        message,
        "the MeshObservability alscope, which is older, owns the mesh in namespace istio-system; delete one of the two"
    );
    assert_eq!(
        second.status.as_ref().unwrap().state.as_deref(),
        Some("MeshAlreadyClaimed")
    );
    assert_eq!(condition(second, "Ready").0, "False");
}

#[test]
fn the_younger_takes_over_when_the_holder_is_gone() {
    let mut cluster = with_a_second("2027-01-15T09:00:00Z");
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.resources.len(), 1);
    assert_eq!(
        cluster.text("istio").unwrap(),
        WIRED.replace("alscope-collector", "second-collector")
    );
    let place = |name: &str| cluster.log.iter().position(|step| step == name).unwrap();
    assert!(
        place("RemoveFinalizer") < place("AddFinalizer"),
        "{:?}",
        cluster.log
    );
    assert_eq!(condition(&cluster.resources[0], "Ready").0, "True");
}

#[test]
fn the_younger_goes_without_a_step() {
    let mut cluster = with_a_second("2027-01-15T09:00:00Z");
    cluster.resources[1].metadata.deletion_timestamp =
        cluster.resources[0].metadata.creation_timestamp.clone();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
}

#[test]
fn of_two_made_in_the_same_second_the_one_that_was_acted_on_goes_on() {
    let mut cluster = Cluster::wired(&json!({}));
    // By uid it would be the first.
    let mut twin = resource("a-twin", "2027-01-15T08:00:00Z", &json!({}));
    twin.metadata.uid = Some("a".to_owned());
    cluster.add(twin);
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(
        condition(&cluster.resources[1], "Accepted").1,
        "MeshAlreadyClaimed"
    );
    assert_eq!(condition(&cluster.resources[0], "Ready").0, "True");
}

#[test]
fn resources_of_two_meshes_do_not_meet() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.add(resource(
        "second",
        "2027-01-15T09:00:00Z",
        &json!({"mesh": {"namespace": "other"}}),
    ));
    let second = &cluster.resources[1];
    let plan = plan::plan(&Reconciliation {
        world: &cluster.world(),
        settings: &cluster.settings,
        resource: second,
        failure: None,
        now: cluster.now,
    });
    assert_eq!(names(&plan.steps)[0], "AddFinalizer");
    cluster.settle();
    assert!(cluster.text("istio").unwrap().contains(ADDRESS));
}

#[test]
fn a_holder_that_only_plans_still_holds() {
    let mut cluster = Cluster::stock(&json!({"managementState": "Plan"}));
    cluster.add(resource("second", "2027-01-15T09:00:00Z", &json!({})));
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
}

/// A resource that this version of the operator can't read.
fn unread(created: &str) -> InvalidObject {
    InvalidObject {
        error: "unknown variant `Observed`".to_owned(),
        metadata: resource("newer", created, &json!({})).metadata,
    }
}

#[test]
fn a_resource_waits_for_an_older_one_that_can_not_be_read() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.undecodable_resources.push(unread("2027-01-15T07:00:00Z"));
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    let (status, reason, message) = cluster.condition("Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "MeshCheckFailed"));
    assert_eq!(
        message,
        "this version of the operator can't read the MeshObservability newer, which is older and may own the mesh: \
         unknown variant `Observed`; upgrade the operator, or correct or delete that resource"
    );
    cluster.undecodable_resources.clear();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_younger_resource_that_can_not_be_read_holds_no_mesh() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.undecodable_resources.push(unread("2027-01-15T09:00:00Z"));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_wired_mesh_stays_so_beside_a_resource_that_can_not_be_read() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.undecodable_resources.push(unread("2027-01-15T07:00:00Z"));
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}
