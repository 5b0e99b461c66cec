//! What users do to a wired text, and to the backup, and what becomes of it.

use alscope_plan::world::MeshConfigContent;
use serde_json::json;

use crate::cluster::{Cluster, Judged, named};
use crate::invariants::{assert_deletion_leaves_nothing, assert_nothing_is_left};
use crate::mesh::{ADDRESS, CHART, FOREIGN, WIRED};
use crate::refusals::with_text;

/// Deletes the resource, and returns what the last pass told.
pub(crate) fn delete_and_listen(cluster: &mut Cluster) -> Vec<String> {
    cluster.delete();
    for _ in 0..100 {
        let plan = cluster.plan();
        if !plan.events.is_empty() {
            cluster.settle();
            return plan.events.into_iter().map(|event| event.message).collect();
        }
        cluster.pass();
        cluster.advance(5);
        if cluster.resources.is_empty() {
            break;
        }
    }
    Vec::new()
}

/// A user turns the switch off, of which the invariants know nothing. Returns the text as it would be without the operator.
fn turn_off(cluster: &mut Cluster) -> String {
    cluster.judged = Judged::Never;
    cluster.edit(|text| {
        text.replace(
            "enableEnvoyAccessLogService: true",
            "enableEnvoyAccessLogService: false",
        )
    });
    let off = format!("{CHART}\nenableEnvoyAccessLogService: false");
    cluster.foreign.insert(named("istio"), Some(off.clone()));
    off
}

/// The text with somebody else's collector is wired, and is what is restored in the end.
fn assert_foreign_is_wired_and_comes_back(cluster: &mut Cluster) {
    cluster.settle();
    assert!(cluster.text("istio").unwrap().contains(ADDRESS));
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio"), MeshConfigContent::Text(FOREIGN.to_owned()))].into()
    );
    assert_deletion_leaves_nothing(cluster);
}

#[test]
fn an_edit_of_another_key_is_kept_and_changes_nothing() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.edit(|text| {
        text.replace(
            "enablePrometheusMerge: true",
            "enablePrometheusMerge: false # by hand",
        )
    });
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(delete_and_listen(&mut cluster), Vec::<String>::new());
    assert_eq!(
        cluster.text("istio").unwrap(),
        CHART.replace(
            "enablePrometheusMerge: true",
            "enablePrometheusMerge: false # by hand"
        )
    );
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_switch_that_a_user_turns_off_before_the_deletion_stays_off_and_is_told() {
    let mut cluster = Cluster::wired(&json!({}));
    let off = turn_off(&mut cluster);
    let events = delete_and_listen(&mut cluster);
    assert_eq!(
        events,
        ["enableEnvoyAccessLogService in istio-system/istio was changed by somebody else and stays as it is"]
    );
    assert_eq!(cluster.text("istio").unwrap(), off);
    assert_eq!(cluster.resources, []);
}

#[test]
fn a_switch_that_a_user_turns_off_is_turned_on_again_and_off_in_the_end() {
    let mut cluster = Cluster::wired(&json!({}));
    let off = turn_off(&mut cluster);
    cluster.settle();
    cluster.judged = Judged::EachStep;
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio"), MeshConfigContent::Text(off))].into()
    );
    assert_eq!(delete_and_listen(&mut cluster), Vec::<String>::new());
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_text_that_a_user_breaks_is_left_alone_and_told() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    cluster.edit(|text| format!("{text}\nbroken: [\n"));
    let broken = cluster.text("istio");
    assert_eq!(cluster.plan().status.state.as_deref(), Some("MeshConfigInvalid"));
    let events = delete_and_listen(&mut cluster);
    assert_eq!(events.len(), 1);
    assert!(
        events[0].starts_with("istio-system/istio can't be restored: line ")
            && events[0].ends_with(&format!(
                "; remove enableEnvoyAccessLogService and defaultConfig.envoyAccessLogService, which send access logs to {ADDRESS}, \
                 from it by hand"
            )),
        "{}",
        events[0]
    );
    assert_eq!(cluster.text("istio"), broken);
    assert_eq!(cluster.resources, []);
}

/// Somebody refers to the operator's own lines, so that they can't be taken out alone.
#[test]
fn an_original_is_not_given_up_for_a_text_that_can_not_be_taken_back() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    cluster.edit(|text| {
        let anchored = text.replace("envoyAccessLogService:\n", "envoyAccessLogService: &als\n");
        let off = anchored.replace("LogService: true", "LogService: false");
        format!("{off}\nmine: *als")
    });
    cluster.pass_for(20);
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio"), MeshConfigContent::Text(CHART.to_owned()))].into()
    );
    let events = delete_and_listen(&mut cluster);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("can't be restored"), "{}", events[0]);
}

#[test]
fn without_the_backup_the_operators_own_keys_are_taken_out() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    cluster.lose_the_backup();
    cluster.settle();
    assert_eq!(cluster.log, Vec::<String>::new());
    assert_eq!(delete_and_listen(&mut cluster), Vec::<String>::new());
    assert_nothing_is_left(&cluster);
}

#[test]
fn without_the_backup_another_address_is_nobodys_to_take_out() {
    let mut cluster = with_text(FOREIGN, &json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.settle();
    cluster.judged = Judged::Never;
    cluster.lose_the_backup();
    cluster.reset("helm", FOREIGN);
    assert_eq!(
        delete_and_listen(&mut cluster),
        Vec::<String>::new(),
        "who changed it is not known"
    );
    assert_eq!(cluster.text("istio").as_deref(), Some(FOREIGN));
    assert_eq!(cluster.resources, []);
}

#[test]
fn a_key_that_is_missing_is_made_and_removed_again() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.put(crate::mesh::config_map("istio", None));
    cluster.settle();
    assert_eq!(
        cluster.text("istio").unwrap(),
        format!(
            "defaultConfig:\n  envoyAccessLogService:\n    address: {ADDRESS}\nenableEnvoyAccessLogService: true\n"
        )
    );
    assert_eq!(
        cluster.backups()[0].originals,
        [(named("istio"), MeshConfigContent::KeyAbsent)].into()
    );
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio"), None);
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_key_that_is_empty_stays_empty() {
    let mut cluster = with_text("", &json!({}));
    cluster.settle();
    assert!(cluster.text("istio").unwrap().contains(ADDRESS));
    cluster.delete();
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(""));
    assert_nothing_is_left(&cluster);
}

#[test]
fn a_key_that_a_user_fills_meanwhile_keeps_what_the_user_wrote() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.put(crate::mesh::config_map("istio", None));
    cluster.settle();
    cluster.edit(|text| format!("{text}trustDomain: mine\n"));
    cluster
        .foreign
        .insert(named("istio"), Some("trustDomain: mine\n".to_owned()));
    cluster.settle();
    assert_deletion_leaves_nothing(&mut cluster);
}

/// The chart's next text turns the switch on itself, for a collector of its own.
#[test]
fn a_revert_to_a_text_with_a_switch_of_its_own_keeps_that_switch() {
    let mut cluster = Cluster::wired(&json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    cluster.reset("helm", FOREIGN);
    let mut deleted_at_once = cluster.clone();
    assert_deletion_leaves_nothing(&mut deleted_at_once);

    assert_foreign_is_wired_and_comes_back(&mut cluster);
}

#[test]
fn without_the_backup_a_text_that_is_wired_again_has_no_address_of_the_operators_in_its_new_one() {
    let mut cluster = Cluster::wired(&json!({}));
    cluster.judged = Judged::Never;
    cluster.lose_the_backup();
    cluster.edit(|text| text.replace("LogService: true", "LogService: false"));
    cluster.settle();
    assert_eq!(cluster.text("istio").as_deref(), Some(WIRED));
    cluster.delete();
    cluster.settle();
    let left = cluster.text("istio").unwrap();
    assert_eq!(left, format!("{CHART}\nenableEnvoyAccessLogService: false"));
}

/// An operator dies between backup and write; the text is changed before the next one starts.
#[test]
fn a_backup_whose_write_never_came_is_taken_anew() {
    let mut cluster = Cluster::stock(&json!({}));
    cluster.pass();
    cluster.lives_for = Some(1);
    cluster.pass();
    assert_eq!(cluster.log.last().unwrap(), "WriteBackup");
    cluster.restart();
    cluster.reset("helm", FOREIGN);
    cluster.change_spec(&json!({"mesh": {"conflictPolicy": "Overwrite"}}));
    assert_foreign_is_wired_and_comes_back(&mut cluster);
}
