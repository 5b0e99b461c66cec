//! What can't be read, and what can't be written.

use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::Step;
use alscope_plan::world::{ObjectName, OwnedKind, ReadError};
use rstest::rstest;
use serde_json::json;

use crate::cluster::{Cluster, Unreadable, named};
use crate::mesh::{CHART, WIRED};

fn forbidden() -> ReadError {
    ReadError::Forbidden {
        verb: "watch",
        resource: "telemetries.telemetry.istio.io".to_owned(),
        namespace: None,
    }
}

fn failed() -> ReadError {
    ReadError::Failed {
        what: "configmaps in namespace istio-system".to_owned(),
        message: "connection refused".to_owned(),
    }
}

fn unreadable(what: &str, error: ReadError) -> Unreadable {
    let mut unreadable = Unreadable::default();
    match what {
        "control planes" => unreadable.control_planes = Some(error),
        "telemetries" => unreadable.telemetries = Some(error),
        "gateways" => unreadable.managed_gateways = Some(error),
        "backups" => unreadable.backups = Some(error),
        _ => {
            unreadable.config_maps.insert(named("istio"), error);
        }
    }
    unreadable
}

#[rstest]
fn without_a_right_nothing_is_guessed(
    #[values("control planes", "telemetries", "gateways", "backups", "mesh")] what: &str,
) {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.unreadable = unreadable(what, forbidden());
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "Forbidden".to_owned(),
            "the operator may not watch telemetries.telemetry.istio.io; give its service account this right, as the chart's \
             ClusterRole and Role do"
                .to_owned()
        )
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
    cluster.unreadable = Unreadable::default();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[rstest]
fn what_could_not_be_read_is_unknown(
    #[values("control planes", "telemetries", "gateways", "backups", "mesh")] what: &str,
) {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.unreadable = unreadable(what, failed());
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "Unknown".to_owned(),
            "MeshConfigCheckFailed".to_owned(),
            "configmaps in namespace istio-system can't be read: connection refused; the operator tries again by itself, look \
             at the API server if this stays"
                .to_owned()
        )
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
}

#[rstest]
fn an_outage_of_the_api_server_changes_nothing_of_a_wired_mesh(
    #[values("control planes", "telemetries", "backups", "mesh")] what: &str,
) {
    let mut cluster = Cluster::wired(&json!({}));
    let before = cluster.status().mesh;
    cluster.unreadable = unreadable(what, failed());
    cluster.settle();
    cluster.unreadable = Unreadable::default();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.status().mesh, before, "nobody has reset anything");
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}

#[test]
fn a_collector_that_can_not_be_read_is_unknown_and_the_mesh_waits() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.unreadable.collectors = Some(failed());
    cluster.settle();
    let (status, reason, _) = cluster.condition("CollectorAvailable");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("Unknown", "CollectorCheckFailed")
    );
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "WaitingForCollector".to_owned())
    );
    assert_eq!(cluster.log, ["AddFinalizer"]);
}

#[test]
fn a_missing_right_to_write_names_verb_and_resource() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.refuses = Some(forbids_mesh);
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "Forbidden".to_owned(),
            "the operator may not patch configmaps istio-system/istio; give its service account this right: the chart's \
             values mesh.namespace, mesh.revisions and mesh.sharedConfigMap decide it"
                .to_owned()
        )
    );
    assert_eq!(cluster.condition("CollectorAvailable").0, "True");
    assert_eq!(cluster.status().state.as_deref(), Some("Forbidden"));
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));

    cluster.refuses = None;
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
}

#[test]
fn a_deployment_that_can_not_be_written_is_the_collectors_matter() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.refuses = Some(|step| match step {
        Step::Apply(desired) if desired.kind == OwnedKind::Deployment => Some(WriteFailure::Failed {
            verb: "patch",
            resource: "deployments".to_owned(),
            name: ObjectName::new("alscope-system", &desired.name),
            message: "exceeded quota".to_owned(),
        }),
        _ => None,
    });
    cluster.settle();
    let (status, _, message) = cluster.condition("CollectorAvailable");
    assert_eq!(status, "False");
    assert_eq!(
        message,
        "patch of deployments alscope-system/alscope-collector failed: exceeded quota; the operator tries again by itself"
    );
    assert_eq!(
        cluster.mesh_configured(),
        ("False".to_owned(), "WaitingForCollector".to_owned())
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
}

/// A write of mesh config that the operator has no right for.
pub(crate) fn forbids_mesh(step: &Step) -> Option<WriteFailure> {
    match step {
        Step::WriteMesh(edit) => Some(WriteFailure::Forbidden {
            verb: "patch",
            resource: "configmaps".to_owned(),
            name: edit.config_map.clone(),
        }),
        _ => None,
    }
}
