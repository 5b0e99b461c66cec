//! The shared mesh config: istiod merges it below the revision's own.

use alscope_plan::world::MeshConfigContent;
use serde_json::{Value, json};

use crate::cluster::{Cluster, named};
use crate::invariants::{assert_deletion_leaves_nothing, assert_nothing_is_left};
use crate::mesh::{self, ADDRESS, CHART, FOREIGN, WIRED, config_map, istiod};

const MADE: &str = "defaultConfig:\n  envoyAccessLogService:\n    address: \
                    alscope-collector.alscope-system.svc.cluster.local:11800\nenableEnvoyAccessLogService: true\n";

/// istiod names `istio-user`, and so does the chart.
fn named_shared(spec: &Value) -> Cluster {
    let mut cluster = Cluster::stock(spec);
    cluster.istiods = vec![istiod("default", "1.30.3", Some("istio-user"))];
    cluster.settings.shared_config_map = Some("istio-user".to_owned());
    cluster
}

fn shared_only() -> Value {
    json!({"mesh": {"configSource": "SharedConfigMap"}})
}

#[test]
fn an_absent_shared_config_map_is_made_and_deleted_again() {
    let mut cluster = named_shared(&json!({}));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.text("istio-user").as_deref(), Some(MADE));
    assert_eq!(cluster.condition("Ready").0, "True");
    assert_eq!(
        cluster.log[6..],
        ["WriteBackup", "WriteMesh istio-user"],
        "an object of the operator's own is not disowned"
    );
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio-user"), MeshConfigContent::ObjectAbsent)].into()
    );
    cluster.log.clear();
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.log[0], "WriteMesh istio-user");
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_shared_config_map_of_others_is_taken_only_when_it_is_asked_for() {
    let theirs = "accessLogFile: /dev/stdout # theirs\n";
    let mut cluster = named_shared(&json!({}));
    cluster.put(config_map("istio-user", Some(theirs)));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(cluster.text("istio-user").as_deref(), Some(theirs));

    let mut cluster = named_shared(&shared_only());
    cluster.put(config_map("istio-user", Some(theirs)));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.text("istio-user").unwrap(), format!("{theirs}{MADE}"));
    assert!(!cluster.is_owner_of("istio-user"));
    assert_deletion_leaves_nothing(&mut cluster);
}

#[test]
fn a_shared_config_map_that_the_chart_does_not_name_is_not_touched() {
    let mut cluster = named_shared(&json!({}));
    cluster.settings.shared_config_map = None;
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert!(!cluster.config_maps.contains_key(&named("istio-user")));
}

#[test]
fn an_istiod_that_names_none_has_none() {
    let mut cluster = Cluster::stock(&shared_only());
    cluster.settle();
    assert_eq!(
        cluster.condition("MeshConfigured"),
        (
            "False".to_owned(),
            "MeshConfigMapNotFound".to_owned(),
            "spec.mesh.configSource is SharedConfigMap, and istiod istio-system/istiod names none; set Istio's chart value \
             env.SHARED_MESH_CONFIG, or configSource: Auto"
                .to_owned()
        )
    );
    assert_eq!(cluster.backups(), []);
}

#[test]
fn an_address_in_the_shared_text_is_foreign_too() {
    for spec in [json!({"mesh": {"configSource": "ConfigMap"}}), shared_only()] {
        let mut cluster = named_shared(&spec);
        cluster.put(config_map("istio-user", Some(FOREIGN)));
        cluster.settle();
        assert_eq!(
            cluster.condition("MeshConfigured"),
            (
                "False".to_owned(),
                "ForeignAddress".to_owned(),
                "istio-system/istio-user already sends access logs to audit.logs:9000; remove \
                 defaultConfig.envoyAccessLogService there, or set spec.mesh.conflictPolicy: Overwrite to replace it until \
                 this resource is deleted"
                    .to_owned()
            )
        );
        assert_eq!(cluster.backups(), []);
    }
}

#[test]
fn a_foreign_address_in_the_shared_text_is_replaced_and_restored_when_that_is_wished() {
    let mut cluster =
        named_shared(&json!({"mesh": {"configSource": "SharedConfigMap", "conflictPolicy": "Overwrite"}}));
    cluster.put(config_map("istio-user", Some(FOREIGN)));
    cluster.settle();
    assert_eq!(
        cluster.text("istio-user").unwrap(),
        FOREIGN.replace("\"audit.logs:9000\"", ADDRESS)
    );
    assert_deletion_leaves_nothing(&mut cluster);
}

/// What the revision's own text says wins, so an edit of the shared one would change nothing.
#[test]
fn an_address_in_the_revisions_own_text_wins_over_the_shared_one() {
    for policy in ["Refuse", "Overwrite"] {
        let mut cluster =
            named_shared(&json!({"mesh": {"configSource": "SharedConfigMap", "conflictPolicy": policy}}));
        cluster.put(config_map("istio", Some(FOREIGN)));
        cluster.settle();
        assert_eq!(
            cluster.condition("MeshConfigured"),
            (
                "False".to_owned(),
                "ForeignAddress".to_owned(),
                "istio-system/istio sends access logs to audit.logs:9000 and wins over the shared mesh config; remove \
                 defaultConfig.envoyAccessLogService there, or set spec.mesh.configSource: ConfigMap"
                    .to_owned()
            )
        );
        assert!(!cluster.config_maps.contains_key(&named("istio-user")));
    }
}

#[test]
fn a_switch_in_the_revisions_own_text_wins_over_the_shared_one() {
    for own in [
        "enableEnvoyAccessLogService: false\n",
        "defaultConfig:\n  envoyAccessLogService:\n    tlsSettings: {mode: ISTIO_MUTUAL}\n",
    ] {
        let mut cluster = named_shared(&shared_only());
        cluster.put(config_map("istio", Some(own)));
        cluster.settle();
        assert_eq!(
            cluster.condition("MeshConfigured"),
            (
                "False".to_owned(),
                "ForeignAddress".to_owned(),
                "istio-system/istio sets enableEnvoyAccessLogService or defaultConfig.envoyAccessLogService itself and wins \
                 over the shared mesh config; remove them there, or set spec.mesh.configSource: ConfigMap"
                    .to_owned()
            )
        );
        assert!(!cluster.config_maps.contains_key(&named("istio-user")));
        assert_eq!(cluster.backups(), []);
    }
}

#[test]
fn a_tracked_config_map_is_avoided_by_the_shared_one() {
    let mut cluster = named_shared(&json!({}));
    let mut tracked = config_map("istio", Some(CHART));
    tracked["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "x"});
    cluster.put(tracked);
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert_eq!(cluster.text("istio-user").as_deref(), Some(MADE));
    assert_eq!(cluster.condition("Ready").0, "True");
}

#[test]
fn what_others_add_to_the_operators_own_shared_config_map_stays() {
    let mut cluster = named_shared(&json!({}));
    cluster.settle();
    let stored = cluster.config_maps.get_mut(&named("istio-user")).unwrap();
    let text = format!("{MADE}trustDomain: mine\n");
    stored
        .object
        .data
        .as_mut()
        .unwrap()
        .insert("mesh".to_owned(), text);
    cluster
        .foreign
        .insert(named("istio-user"), Some("trustDomain: mine\n".to_owned()));
    cluster.delete();
    for _ in 0..30 {
        cluster.pass();
        cluster.advance(5);
    }
    assert_eq!(cluster.text("istio-user").as_deref(), Some("trustDomain: mine\n"));
    assert_eq!(cluster.resources, []);
}

#[test]
fn an_emptied_shared_config_map_of_the_operators_is_deleted_in_the_end() {
    let mut cluster = named_shared(&json!({}));
    cluster.settle();
    let version = cluster.next_version();
    let stored = cluster.config_maps.get_mut(&named("istio-user")).unwrap();
    stored.object.data = None;
    stored.object.metadata.resource_version = Some(version);
    cluster.settle();
    assert_eq!(cluster.text("istio-user").as_deref(), Some(MADE));
    assert_deletion_leaves_nothing(&mut cluster);
    assert_eq!(mesh::CHART, cluster.text("istio").unwrap());
}

#[test]
fn a_text_that_another_source_left_behind_is_disowned_too() {
    let mut cluster = named_shared(&json!({"mesh": {"configSource": "ConfigMap"}}));
    while !cluster.log.contains(&"WriteMesh istio".to_owned()) {
        cluster.pass();
    }
    assert!(cluster.is_owner_of("istio"));
    cluster.change_spec(&shared_only());
    cluster.settle();
    assert!(!cluster.is_owner_of("istio"));
    cluster.delete();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}
