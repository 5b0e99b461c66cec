//! Installs: finalizer, objects, collector available, backup, mesh config, and then nothing more.

use alscope_plan::plan::step::Step;
use alscope_plan::world::MeshConfigContent;
use serde_json::json;

use crate::cluster::{Cluster, Ended, Rollout, named};
use crate::mesh::{ADDRESS, CHART, FINALIZER, WIRED};
use crate::steps::names;

const OBJECTS: [&str; 5] = [
    "Apply ConfigMap",
    "Apply Service",
    "Apply Deployment",
    "Apply PodDisruptionBudget",
    "Apply NetworkPolicy",
];

#[test]
fn a_stock_mesh_is_wired_in_order_and_then_nothing_is_written() {
    let mut cluster = Cluster::stock(&json!({}));
    assert_eq!(cluster.settle(), Ended::Done);
    let wanted = [
        &["AddFinalizer"][..],
        &OBJECTS,
        &["WriteBackup", "WriteMesh istio", "ReleaseFieldOwnership istio"],
    ];
    assert_eq!(cluster.log, wanted.concat());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.plan().steps, []);
    assert!(!cluster.is_owner_of("istio"));
}

#[test]
fn nothing_of_the_mesh_is_written_before_the_collector_is_available() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.rollout = Rollout::Held;
    cluster.settle();
    assert_eq!(cluster.log[0], "AddFinalizer");
    assert_eq!(cluster.log[1..], OBJECTS);
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
    let (status, reason, message) = cluster.condition("MeshConfigured");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "WaitingForCollector")
    );
    assert_eq!(
        message,
        "mesh config is written as soon as the collector is available: 0 of 1 replicas of the Deployment alscope-collector \
         are available, 0 of the newest template"
    );
    assert_eq!(cluster.status().state.as_deref(), Some("CollectorProgressing"));

    cluster.roll_out();
    assert_eq!(names(&cluster.plan().steps), ["WriteBackup", "WriteMesh istio"]);
}

#[test]
fn the_backup_and_the_write_are_what_they_say() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.pass();
    let version = cluster.version_of(&named("istio"));
    let steps = cluster.plan().steps;
    let [Step::WriteBackup(backup), Step::WriteMesh(edit)] = &steps[..] else {
        unreachable!("{:?}", names(&steps));
    };
    assert_eq!(backup.resource, "alscope");
    assert_eq!(backup.address, ADDRESS);
    assert_eq!(backup.resource_version, None);
    assert_eq!(
        backup.originals,
        [(named("istio"), MeshConfigContent::Text(CHART.to_owned()))].into()
    );
    assert_eq!(edit.config_map, named("istio"));
    assert_eq!(edit.resource_version, version);
    assert_eq!(edit.before.as_deref(), Some(CHART));
    assert_eq!(edit.after, MeshConfigContent::Text(WIRED.to_owned()));
}

#[test]
fn a_wired_mesh_is_ready_with_proxies_that_have_yet_to_restart() {
    let cluster = Cluster::wired(&json!({}));
    let status = cluster.status();
    let conditions: Vec<(&str, &str, &str)> = status
        .conditions
        .iter()
        .map(|one| (one.type_.as_str(), one.status.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        conditions,
        [
            ("Accepted", "True", "Accepted"),
            ("CollectorAvailable", "True", "Available"),
            ("MeshConfigured", "True", "Wired"),
            ("ProxiesUpToDate", "False", "RestartNeeded"),
            ("DataFlowing", "Unknown", "NoReplicaAnswered"),
            ("Ready", "True", "Ready"),
        ]
    );
    assert_eq!(
        cluster.condition("ProxiesUpToDate").2,
        "1 of 1 proxies started before the mesh was wired and learn the collector's address when their pods restart \
         (shop/web-5d8f-x): kubectl -n shop rollout restart deployment/web"
    );
    assert_eq!(
        cluster.condition("MeshConfigured").2,
        format!("istio-system/istio sends access logs to {ADDRESS}")
    );
    assert_eq!(status.state.as_deref(), Some("Ready"));
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(
        status.backup.unwrap().config_map,
        "alscope-system/alscope-backup-uid-alscope"
    );
    assert_eq!(status.proxies.unwrap().summary, "0/1");
    assert_eq!(
        cluster.resource().metadata.finalizers.as_deref(),
        Some(&[FINALIZER.to_owned()][..])
    );
}

#[test]
fn a_mesh_without_istiod_is_not_accepted_and_not_written() {
    let mut cluster = Cluster::stock(&json!({"mesh": {"namespace": "elsewhere"}}));
    cluster.settle();
    let (status, reason, message) = cluster.condition("Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "MeshNotFound"));
    assert_eq!(
        message,
        "no istiod runs in namespace elsewhere; set spec.mesh.namespace to the namespace of its Deployment (label app: istiod)"
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.backups(), []);
}

#[test]
fn a_write_that_was_overtaken_is_planned_anew() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.pass();
    let stale = cluster.plan().steps;
    cluster.edit(|text| format!("# mine\n{text}"));
    for step in &stale {
        cluster.run("uid-alscope", step);
    }
    assert_eq!(
        cluster.text("istio").unwrap(),
        format!("# mine\n{CHART}"),
        "the user's text stays"
    );
    cluster.settle();
    assert_eq!(cluster.text("istio").unwrap(), format!("# mine\n{WIRED}"));
    assert_eq!(
        cluster.backups()[0].originals,
        [(
            named("istio"),
            MeshConfigContent::Text(format!("# mine\n{CHART}"))
        )]
        .into()
    );
}

#[test]
fn only_our_entry_of_managed_fields_is_taken_out_and_on_every_pass_that_finds_it() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.edit(|text| format!("{text}\n# theirs"));
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new(), "another's entry is not ours");
    // An apply by hand with the operator's name.
    let stored = cluster.config_maps.get_mut(&named("istio")).unwrap();
    for entry in stored.object.metadata.managed_fields.iter_mut().flatten() {
        if entry.manager.as_deref() == Some("kubectl-edit") {
            entry.manager = Some("alscope-operator".to_owned());
        }
    }
    cluster.settle();
    assert_eq!(cluster.log, ["ReleaseFieldOwnership istio"]);
    assert!(!cluster.is_owner_of("istio"));
}

#[test]
fn plan_and_unmanaged_write_nothing_and_say_what_is_so() {
    for (state, reason) in [("Plan", "PlanOnly"), ("Unmanaged", "Unmanaged")] {
        let mut cluster = Cluster::stock(&json!({"managementState": state}));
        cluster.settle();
        assert_eq!(cluster.log, Vec::<String>::new(), "{state}");
        assert_eq!(cluster.mesh_configured(), ("False".to_owned(), reason.to_owned()));
        assert_eq!(cluster.status().state.as_deref(), Some(state));
        assert_eq!(cluster.resource().metadata.finalizers, None);
    }
}

#[test]
fn plan_and_unmanaged_leave_a_wired_mesh_alone_whatever_happens_to_it() {
    for state in ["Plan", "Unmanaged"] {
        let mut cluster = Cluster::wired(&json!({}));
        cluster.change_spec(&json!({"managementState": state, "collector": {"image": "other:1"}}));
        cluster.settle();
        assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
        cluster.reset("helm", CHART);
        cluster.break_collector();
        cluster.settle();
        assert_eq!(cluster.log, Vec::<String>::new(), "{state}");
        assert_eq!(cluster.status().state.as_deref(), Some(state));
    }
}

#[test]
fn the_first_write_is_not_waited_for() {
    let mut cluster = Cluster::stock(&json!({}));
    let mut plans = (0..10).map(|_| {
        let plan = cluster.plan();
        cluster.pass();
        plan
    });
    let writing = plans
        .find(|plan| plan.steps.iter().any(|step| matches!(step, Step::WriteMesh(_))))
        .unwrap();
    let conditions = writing.status.conditions;
    let configured = conditions
        .iter()
        .find(|one| one.type_ == "MeshConfigured")
        .unwrap();
    assert_eq!(
        (configured.reason.as_str(), configured.message.as_str()),
        ("Writing", "istio-system/istio is being wired")
    );
}
