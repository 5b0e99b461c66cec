//! Managed gateways: their pods are rolled only when that is allowed, by an install and by an uninstall.

use alscope_plan::plan::uninstall::restore_orphan;
use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Unreadable, named};
use crate::invariants::assert_nothing_is_left;
use crate::mesh::{self, CHART, WIRED, knows_the_address};

/// A pod of the managed gateway `gateway`.
pub(crate) fn gateway_pod(proxy_config: &Value) -> Value {
    let mut pod = mesh::pod("gateway", proxy_config);
    pod["metadata"]["labels"]["gateway.istio.io/managed"] = json!("istio.io-gateway-controller");
    pod["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] = json!("gateway");
    pod
}

/// A wired mesh, in which somebody makes a gateway afterwards.
fn with_a_gateway() -> Cluster {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.gateways.push(mesh::managed_gateway("gateway"));
    cluster.pods.push(gateway_pod(&knows_the_address()));
    cluster
}

const WHICH: &str = "the pods of 1 managed gateways and waypoints (shop/gateway)";

#[rstest]
#[case::deleted(true)]
#[case::removed(false)]
fn a_restore_that_rolls_gateways_waits_for_leave(#[case] is_deleted: bool) {
    let mut cluster = with_a_gateway();
    if is_deleted {
        cluster.delete();
    } else {
        cluster.change_spec(&json!({"managementState": "Removed"}));
    }
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        format!(
            "mesh config is not restored yet: istiod would roll {WHICH}; set spec.mesh.allowGatewayRollout: true to allow it"
        )
    );

    cluster.change_spec(&json!({"managementState": "Removed", "mesh": {"allowGatewayRollout": true}}));
    cluster.pass();
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        format!("restoring mesh config; istiod rolls {WHICH}")
    );
    cluster.delete();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_gateway_without_the_address_is_not_rolled_and_holds_nobody_up() {
    let mut cluster = with_a_gateway();
    cluster.pods = vec![gateway_pod(&json!({}))];
    cluster.delete();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn without_its_resource_leave_is_given_on_the_backup() {
    let mut cluster = with_a_gateway();
    cluster.judged = crate::cluster::Judged::Never;
    cluster.force_delete();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    let backup = cluster.backups().remove(0);
    let progress = restore_orphan(&cluster.world(), &cluster.settings, &backup, cluster.now);
    assert_eq!(
        progress.message,
        format!(
            "mesh config is not restored yet: istiod would roll {WHICH}; allow it: kubectl -n alscope-system annotate configmap \
             alscope-backup-uid-alscope alscope.dev/allow-gateway-rollout=true"
        )
    );

    cluster.allow_rollouts();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

/// Else the earlier one's restore would take the later one's wiring out.
#[test]
fn a_resource_of_the_same_mesh_waits_until_an_earlier_one_is_restored() {
    let mut cluster = with_a_gateway();
    cluster.force_delete();
    let mut again = mesh::resource(
        "alscope",
        "2027-01-15T08:10:00Z",
        &json!({"mesh": {"allowGatewayRollout": true}}),
    );
    again.metadata.uid = Some("uid-again".to_owned());
    cluster.add(again);
    cluster.reset("helm", mesh::FOREIGN);
    cluster.edit(|text| text.replace("audit.logs:9000", mesh::ADDRESS));
    cluster.judged = crate::cluster::Judged::Never;
    cluster.settle();
    let (status, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "RestorePending"));
    assert!(
        message.starts_with(
            "istio-system/istio is first restored for the MeshObservability alscope, which was deleted without its finalizer. mesh \
             config is not restored yet: istiod would roll"
        ) && message.ends_with("kubectl -n alscope-system delete configmap alscope-backup-uid-alscope"),
        "{message}"
    );
    assert!(
        !cluster.log.iter().any(|step| step.contains("Mesh")),
        "{:?}",
        cluster.log
    );
    cluster.allow_rollouts();
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    let uids: Vec<String> = cluster.backups().into_iter().map(|backup| backup.uid).collect();
    assert_eq!(uids, ["uid-again"]);
}

/// Who would be rolled is not known without the pods.
#[test]
fn what_a_restore_rolls_is_not_guessed() {
    let error = alscope_plan::world::ReadError::Failed {
        what: "pods".to_owned(),
        message: "timed out".to_owned(),
    };
    let mut cluster = with_a_gateway();
    cluster.unreadable.proxies = Some(error.clone());
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        format!("mesh config is not restored until it is known which gateways that rolls: {error}")
    );

    // A cluster without managed gateways has none to roll.
    cluster.gateways.clear();
    cluster.pass();
    assert_eq!(cluster.log, ["WriteMesh istio"]);

    cluster.unreadable = Unreadable::default();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert!(!cluster.is_owner_of("istio"));
    assert_eq!(cluster.foreign.keys().collect::<Vec<_>>(), [&named("istio")]);
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_restore_that_may_roll_gateways_does_not_wait_until_they_are_known() {
    let mut cluster = with_a_gateway();
    cluster.unreadable.proxies = Some(alscope_plan::world::ReadError::Failed {
        what: "pods".to_owned(),
        message: "timed out".to_owned(),
    });
    cluster.change_spec(&json!({"managementState": "Removed", "mesh": {"allowGatewayRollout": true}}));
    cluster.pass();
    assert_eq!(cluster.log, ["WriteMesh istio"]);
}

/// A gateway's pods that started before the wiring, of an istiod of this version, and the Gateway's Deployment.
fn before_the_wiring(version: &str) -> Cluster {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.istiods = vec![mesh::istiod("default", version, None)];
    cluster.gateways = vec![mesh::managed_gateway("gateway")];
    cluster.pods = vec![gateway_pod(&json!({}))];
    cluster
}

#[rstest]
#[case("1.25.5", true)]
#[case("1.26.4", true)]
#[case("1.26.5", false)]
#[case("1.27.1", true)]
#[case("1.27.2", false)]
#[case("1.28.0", false)]
#[case("1.30.3", false)]
#[case("latest", false)]
fn leave_is_asked_for_where_istiod_may_roll_gateways(#[case] version: &str, #[case] is_wired: bool) {
    let mut cluster = before_the_wiring(version);
    cluster.settle();
    let expected = if is_wired {
        ("True".to_owned(), "Wired".to_owned())
    } else {
        ("False".to_owned(), "WouldRestartGateways".to_owned())
    };
    assert_eq!(cluster.mesh_configured(), expected);
}

#[rstest]
#[case("1.27.1", true)]
#[case("latest", true)]
#[case("1.27.2", false)]
#[case("1.30.3", false)]
fn gateways_that_istiod_does_not_roll_belong_to_the_pods_that_must_restart(
    #[case] version: &str,
    #[case] must_restart: bool,
) {
    let mut cluster = before_the_wiring(version);
    cluster.change_spec(&json!({"mesh": {"allowGatewayRollout": true}}));
    cluster.settle();
    let proxies = cluster.status().proxies.unwrap();
    let skipped: Vec<&str> = proxies.skipped.iter().map(|one| one.reason.as_str()).collect();
    if must_restart {
        assert_eq!((proxies.pending_restart, skipped), (1, vec![]));
        let workload = &proxies.workloads[0];
        assert_eq!(
            (workload.kind.as_str(), workload.name.as_str()),
            ("Gateway", "gateway")
        );
        assert_eq!(
            workload.command,
            "kubectl -n shop annotate gateways.gateway.networking.k8s.io gateway --overwrite alscope.dev/rendered-at=\"$(date +%s)\""
        );
        assert_eq!(cluster.condition("ProxiesUpToDate").1, "RestartNeeded");
    } else {
        assert_eq!(proxies.pending_restart, 0);
        assert_eq!(skipped, ["istiod rolls the gateways that it manages by itself"]);
    }
}

#[rstest]
#[case("1.27.1", true)]
#[case("latest", false)]
#[case("1.30.3", false)]
fn a_restore_that_rolls_nothing_needs_no_leave(#[case] version: &str, #[case] is_restored: bool) {
    let mut cluster = with_a_gateway();
    cluster.istiods = vec![mesh::istiod("default", version, None)];
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.resources.is_empty(), is_restored);
    assert_eq!(
        cluster.text("istio").as_deref(),
        Some(if is_restored { CHART } else { WIRED })
    );
}
