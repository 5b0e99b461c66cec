//! A backup is understood whole or not at all: nothing of a newer one is lost.

use std::collections::BTreeMap;

use alscope_plan::world::{Backup, MeshConfigContent, ObjectName, ReadError};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::cluster::Cluster;
use crate::invariants::assert_nothing_is_left;
use crate::mesh::{self, CHART, WIRED};

const VERSION: &str = "alscope.dev/backup-version";

fn name() -> ObjectName {
    ObjectName::new("alscope-system", "alscope-backup-uid-alscope")
}

/// Changes the backup of the resource `alscope`.
fn change(cluster: &mut Cluster, change: impl Fn(&mut ConfigMap)) {
    let version = cluster.next_version();
    let stored = cluster.config_maps.get_mut(&name()).unwrap();
    change(&mut stored.object);
    stored.object.metadata.resource_version = Some(version);
}

fn annotate(config_map: &mut ConfigMap, name: &str, value: &str) {
    let annotations = config_map.metadata.annotations.get_or_insert_default();
    annotations.insert(name.to_owned(), value.to_owned());
}

fn newer(config_map: &mut ConfigMap) {
    annotate(config_map, VERSION, "2");
}

fn with_an_annotation(config_map: &mut ConfigMap) {
    annotate(config_map, "alscope.dev/provider", "als");
}

fn with_a_kind(config_map: &mut ConfigMap) {
    let data = config_map.data.get_or_insert_default();
    data.insert("provider.istio-system.istio".to_owned(), "als".to_owned());
}

fn with_a_key(config_map: &mut ConfigMap) {
    let data = config_map.data.get_or_insert_default();
    data.insert("provider".to_owned(), "als".to_owned());
}

fn binary(config_map: &mut ConfigMap) {
    config_map.binary_data = Some([("text.istio-system.istio".to_owned(), ByteString(vec![1]))].into());
}

#[rstest]
#[case::version(newer, "its version is 2, this operator reads version 1")]
#[case::annotation(with_an_annotation, "it has the annotation alscope.dev/provider")]
#[case::kind(with_a_kind, "it has the key provider.istio-system.istio")]
#[case::key(with_a_key, "it has the key provider")]
#[case::binary(binary, "it has the binary key text.istio-system.istio")]
fn what_a_newer_operator_kept_is_not_replaced_by_less(
    #[case] new: fn(&mut ConfigMap),
    #[case] what: &str,
    #[values("up", "down")] way: &str,
) {
    let mut cluster = Cluster::wired(&json!({}));
    let old = cluster.config_maps[&name()].object.clone();
    change(&mut cluster, new);
    let kept = cluster.config_maps[&name()].object.clone();
    // An install has something to write.
    if way == "up" {
        cluster.reset("helm", CHART);
    } else {
        cluster.delete();
    }
    let text = cluster.text("istio");
    cluster.judged = crate::cluster::Judged::Never;
    cluster.settle();
    let message = format!(
        "the backup alscope-system/alscope-backup-uid-alscope was written by a newer operator: {what}; upgrade the operator \
         again, until then nothing of its mesh is written and nothing is deleted"
    );
    let reason = if way == "up" {
        "BackupNotUnderstood"
    } else {
        "Terminating"
    };
    assert_eq!(
        cluster.condition("MeshConfigured"),
        ("False".to_owned(), reason.to_owned(), message)
    );
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio"), text);
    assert_eq!(cluster.config_maps[&name()].object, kept);

    // The newer operator is there again, here in the shape of a backup that this one understands.
    change(&mut cluster, |config_map| {
        config_map.data = old.data.clone();
        config_map.binary_data = None;
        config_map.metadata.annotations = old.metadata.annotations.clone();
    });
    if way == "up" {
        cluster.change_spec(&json!({}));
        cluster.settle();
        assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
        cluster.delete();
    }
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_newer_backup_whose_resource_is_gone_is_left_alone() {
    let mut cluster = Cluster::wired(&json!({}));
    change(&mut cluster, newer);
    cluster.judged = crate::cluster::Judged::Never;
    cluster.force_delete();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert!(cluster.config_maps.contains_key(&name()));
}

/// Whose mesh it is for can't be read, so it may be for this one.
#[test]
fn a_mesh_waits_until_the_newer_backup_of_a_resource_that_is_gone_is_understood() {
    let mut cluster = Cluster::wired(&json!({}));
    change(&mut cluster, newer);
    cluster.judged = crate::cluster::Judged::Never;
    cluster.force_delete();
    let mut again = mesh::resource("alscope", "2027-01-15T08:10:00Z", &json!({}));
    again.metadata.uid = Some("uid-again".to_owned());
    cluster.add(again);
    cluster.reset("helm", CHART);
    cluster.settle();
    let (status, reason, _) = cluster.condition("MeshConfigured");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "BackupNotUnderstood")
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(CHART));
    assert!(
        !cluster.log.iter().any(|step| step.contains("Mesh")),
        "{:?}",
        cluster.log
    );

    change(&mut cluster, |config_map| annotate(config_map, VERSION, "1"));
    cluster.settle();
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
}

#[test]
fn a_backup_without_a_version_is_of_the_first() {
    let mut cluster = Cluster::wired(&json!({}));
    let written = &cluster.config_maps[&name()].object.metadata.annotations;
    assert_eq!(written.as_ref().unwrap()[VERSION], "1");
    change(&mut cluster, |config_map| {
        config_map.metadata.annotations.as_mut().unwrap().remove(VERSION);
        // Those of other tools are theirs.
        annotate(
            config_map,
            "kubectl.kubernetes.io/last-applied-configuration",
            "{}",
        );
    });
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(cluster.mesh_configured(), ("True".to_owned(), "Wired".to_owned()));
    cluster.delete();
    cluster.settle();
    assert_nothing_is_left(&cluster);
}

fn original() -> impl Strategy<Value = MeshConfigContent> {
    prop_oneof![
        ".*".prop_map(MeshConfigContent::Text),
        Just(MeshConfigContent::KeyAbsent),
        Just(MeshConfigContent::ObjectAbsent),
    ]
}

fn backup() -> impl Strategy<Value = Backup> {
    // As the API server takes names.
    let names = ("[a-z][a-z0-9-]{0,8}", "[a-z][a-z0-9.-]{0,8}");
    let names = || names.prop_map(|(namespace, name)| ObjectName::new(&namespace, &name));
    let originals = btree_map(names(), original(), 0..4);
    let inherited = btree_map(names(), vec("[a-z-]{1,8}", 0..3), 0..3);
    (
        "[a-z0-9-]{1,12}",
        "[a-z-]{1,8}",
        "[a-z.:0-9]{0,12}",
        originals,
        inherited,
        any::<bool>(),
    )
        .prop_map(
            |(uid, resource, address, originals, inherited, allows_rollout)| Backup {
                uid,
                resource,
                address,
                originals,
                inherited,
                allows_rollout,
                config_map_uid: None,
                resource_version: None,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backup_is_read_as_it_was_written_and_with_anything_more_not_at_all(
        backup in backup(),
        key in "[a-z-]{1,8}(\\.[a-z]{1,4}){0,3}",
    ) {
        let mut config_map = backup.config_map("alscope-system");
        prop_assert_eq!(Backup::of(&config_map), Some(Ok(backup)));
        let data: &mut BTreeMap<String, String> = config_map.data.get_or_insert_default();
        let known = ["text.", "key-absent.", "object-absent.", "inherited-providers."];
        prop_assume!(!known.iter().any(|kind| key.starts_with(kind)));
        data.insert(key, String::new());
        let is_refused = matches!(Backup::of(&config_map), Some(Err(ReadError::NewerBackup { .. })));
        prop_assert!(is_refused);
    }
}
