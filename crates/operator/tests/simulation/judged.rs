//! Small histories by hand, each breaking one invariant, and those that break none.

use std::sync::Arc;

use alscope_plan::api::FINALIZER;
use alscope_test_api_server::{START_TIME, Verb, Write};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use crate::acts::{BACKUP_VERSION, NEWER_POLICY};
use crate::cluster::OWN;
use crate::history::judge;
use crate::mesh;

const OPERATOR: &str = "operator-a";
const LEASE: (&str, &str) = ("leases.coordination.k8s.io", "alscope-operator");
const RESOURCE: (&str, &str) = ("meshobservabilities.alscope.dev", "alscope");
const BACKUP: (&str, &str) = ("configmaps", "alscope-backup-1");
const ISTIO: (&str, &str) = ("configmaps", "istio");
/// The name of the collector's objects.
const COLLECTOR: &str = "alscope-collector";

/// Writes in order of time; each object is before one as the last one left it.
struct History(Vec<Write>);

impl History {
    /// Somebody makes an object what it is after, or takes it away (null), at a second.
    fn write(mut self, second: i64, user: &str, (resource, name): (&str, &str), after: Value) -> Self {
        let namespace = match (resource, name) {
            RESOURCE => "",
            ISTIO => mesh::MESH,
            _ => OWN,
        };
        let previous = self
            .0
            .iter()
            .rfind(|write| write.resource == resource && write.name == name);
        let before = previous.and_then(|write| write.after.clone());
        let after = (!after.is_null()).then(|| Arc::new(after));
        let verb = match (&before, &after) {
            (None, _) => Verb::Create,
            (_, Some(_)) => Verb::Patch,
            (_, None) => Verb::Delete,
        };
        self.0.push(Write {
            version: self.0.len() as u64 + 1,
            at: START_TIME + SignedDuration::from_secs(second),
            user: user.to_owned(),
            verb,
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            is_status: false,
            before,
            after,
        });
        self
    }

    fn lease(self, second: i64, holder: &str) -> Self {
        let lease = json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}});
        self.write(second, holder, LEASE, lease)
    }

    fn resource(self, second: i64, user: &str, resource: Value) -> Self {
        self.write(second, user, RESOURCE, resource)
    }

    fn backup(self, second: i64, backup: Value) -> Self {
        self.write(second, OPERATOR, BACKUP, backup)
    }

    fn mesh(self, second: i64, user: &str, text: &str) -> Self {
        let config_map = json!({"data": {"mesh": text}});
        self.write(second, user, ISTIO, config_map)
    }

    /// An object of the collector.
    fn child(self, second: i64, resource: &str, labels: &Value) -> Self {
        let object = json!({"metadata": {"labels": labels}});
        self.write(second, OPERATOR, (resource, COLLECTOR), object)
    }

    fn without_child(self, second: i64, resource: &str) -> Self {
        self.write(second, OPERATOR, (resource, COLLECTOR), Value::Null)
    }
}

fn owned() -> Value {
    json!({"alscope.dev/owner-uid": "1"})
}

fn backup() -> Value {
    json!({"data": {"text.istio-system.istio": ""}})
}

/// A resource with this spec; kept by the finalizer, or not.
fn resource(spec: &Value, is_kept: bool) -> Value {
    let finalizers = if is_kept { vec![FINALIZER] } else { Vec::new() };
    json!({"metadata": {"uid": "1", "finalizers": finalizers}, "spec": spec})
}

fn managed() -> Value {
    json!({"managementState": "Managed"})
}

fn overwrite() -> Value {
    json!({"managementState": "Managed", "mesh": {"conflictPolicy": "Overwrite"}})
}

/// A user's mesh config and resource, and an operator that leads.
fn begun(text: &str, spec: &Value) -> History {
    History(Vec::new())
        .mesh(0, "helm", text)
        .resource(0, "user", resource(spec, false))
        .lease(1, OPERATOR)
}

/// The same, and everything is there that has to be before mesh config is wired.
fn prepared(text: &str, spec: &Value) -> History {
    begun(text, spec)
        .resource(2, OPERATOR, resource(spec, true))
        .child(2, "services", &owned())
        .child(2, "configmaps", &owned())
        .backup(3, backup())
}

/// The same, and mesh config is wired.
fn wired() -> History {
    prepared(mesh::CHART, &managed()).mesh(4, OPERATOR, mesh::WIRED)
}

/// The same, and the user has deleted the resource.
fn ending() -> History {
    let mut ending = resource(&managed(), true);
    ending["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:05Z");
    wired().resource(5, "user", ending)
}

/// The uninstall of the operator.
fn restored(history: History) -> History {
    history
        .mesh(6, OPERATOR, mesh::CHART)
        .without_child(7, "services")
        .without_child(7, "configmaps")
        .backup(8, Value::Null)
}

#[rstest]
#[case::up_and_down(restored(ending()).resource(9, OPERATOR, Value::Null))]
#[case::removed(restored(wired().resource(5, "user", resource(&json!({"managementState": "Removed"}), true))).resource(9, OPERATOR, resource(&json!({"managementState": "Removed"}), false)))]
#[case::gone_without_the_finalizer(restored(wired().resource(5, "user", Value::Null)))]
#[case::allowed_to_overwrite(prepared(mesh::FOREIGN, &overwrite()).mesh(4, OPERATOR, &overwritten()))]
#[case::a_reader_may_be_behind(rolled_back(&newer(), &newer_backup()).child(64, "services", &owned()))]
#[case::upgraded_again(rolled_back(&newer(), &backup()).resource(66, "user", resource(&managed(), true)).child(70, "services", &owned()))]
#[case::an_old_configuration_goes(wired().without_child(5, "configmaps"))]
#[case::renewed(wired().lease(14, OPERATOR).mesh(15, "helm", mesh::CHART).mesh(28, OPERATOR, mesh::WIRED))]
#[case::another_leads_later(wired().lease(17, "operator-b"))]
#[case::others_do_as_they_like(wired().mesh(40, "helm", "trustDomain: other").write(41, "user", ("services", COLLECTOR), Value::Null))]
fn a_history_without_fault_passes(#[case] history: History) {
    assert_eq!(judge(&history.0), Ok(()));
}

/// Somebody else's mesh config with the operator's address.
fn overwritten() -> String {
    mesh::FOREIGN.replace("audit.logs:9000", mesh::ADDRESS)
}

#[rstest]
#[case::nobody_leads(led_by_nobody(), "and the Lease is None")]
#[case::another_leads(begun(mesh::CHART, &managed()).lease(17, "operator-b").child(18, "services", &owned()), "and the Lease is Some((\"operator-b\"")]
#[case::the_lease_has_run_out(prepared(mesh::CHART, &managed()).mesh(17, OPERATOR, mesh::WIRED), "and the Lease is Some((\"operator-a\"")]
#[case::a_lease_is_taken_away(wired().lease(16, "operator-b"), "operator-a holds the Lease until")]
#[case::no_backup(begun(mesh::CHART, &managed()).resource(2, OPERATOR, resource(&managed(), true)).mesh(3, OPERATOR, mesh::WIRED), "before its backup is there")]
#[case::the_backup_of_another_mesh(begun(mesh::CHART, &managed()).resource(2, OPERATOR, resource(&managed(), true)).backup(3, json!({"data": {"text.other.istio": ""}})).mesh(4, OPERATOR, mesh::WIRED), "before its backup is there")]
#[case::the_backup_is_gone(prepared(mesh::CHART, &managed()).write(4, "user", BACKUP, Value::Null).mesh(5, OPERATOR, mesh::WIRED), "before its backup is there")]
#[case::no_finalizer(begun(mesh::CHART, &managed()).backup(2, backup()).mesh(3, OPERATOR, mesh::WIRED), "before the finalizer is there")]
#[case::another_address(prepared(mesh::FOREIGN, &managed()).mesh(4, OPERATOR, &overwritten()), "which was never allowed")]
#[case::another_path(prepared(mesh::CHART, &managed()).mesh(4, OPERATOR, &mesh::WIRED.replace("enablePrometheusMerge: true", "enablePrometheusMerge: false")), "something else was changed")]
#[case::another_path_of_the_uninstall(ending().mesh(6, OPERATOR, "trustDomain: cluster.local"), "something else was changed")]
#[case::a_comment_is_lost(prepared(mesh::FOREIGN, &overwrite()).mesh(4, OPERATOR, &overwritten().replace(" # theirs", "")), "a comment was changed")]
#[case::restored_on_a_guess(wired().mesh(6, OPERATOR, mesh::CHART), "mesh config is restored, and its resource was never deleted")]
#[case::the_backup_goes_on_a_guess(wired().backup(5, Value::Null), "was never deleted, and never Removed")]
#[case::the_service_goes_on_a_guess(wired().without_child(5, "services"), "was never deleted, and never Removed")]
#[case::the_resource_is_let_go_on_a_guess(wired().resource(5, OPERATOR, resource(&managed(), false)), "was never deleted, and never Removed")]
#[case::kept_and_never_managed(begun(mesh::CHART, &plan()).resource(2, OPERATOR, resource(&plan(), true)), "was never Managed")]
#[case::a_collector_and_never_managed(begun(mesh::CHART, &plan()).child(2, "deployments.apps", &owned()), "was never Managed")]
#[case::a_backup_and_never_managed(begun(mesh::CHART, &plan()).backup(2, backup()), "was never Managed")]
#[case::an_unread_resource_is_let_go(rolled_back(&newer(), &backup()).resource(70, OPERATOR, Value::Null), "the resource 1 can't be read")]
#[case::an_unread_resources_collector(rolled_back(&newer(), &backup()).child(70, "services", &owned()), "the resource 1 can't be read")]
#[case::an_unread_resources_mesh(rolled_back(&newer(), &backup()).mesh(65, "helm", mesh::CHART).mesh(70, OPERATOR, mesh::WIRED), "the resource 1 can't be read")]
#[case::an_unread_resources_backup(rolled_back(&newer(), &backup()).backup(70, backup()), "the resource 1 can't be read")]
#[case::a_newer_backup_is_replaced(rolled_back(&managed(), &newer_backup()).backup(64, backup()), "a backup of a newer version")]
#[case::a_newer_backups_mesh(rolled_back(&managed(), &newer_backup()).mesh(65, "helm", mesh::CHART).mesh(70, OPERATOR, mesh::WIRED), "the backup 1 can't be read")]
#[case::somebodys_object(begun(mesh::CHART, &managed()).child(2, "services", &json!({})), "no object of the operator's")]
fn a_broken_invariant_is_told(#[case] history: History, #[case] why: &str) {
    let judged = judge(&history.0).unwrap_err();
    assert!(judged.contains(why), "{judged}");
    // It is the last write that should not have been.
    let mut until_then = history.0;
    until_then.pop();
    assert_eq!(judge(&until_then), Ok(()));
}

fn newer() -> Value {
    json!({"managementState": "Managed", "mesh": {"conflictPolicy": NEWER_POLICY}})
}

fn newer_backup() -> Value {
    let mut backup = backup();
    backup["metadata"]["annotations"][BACKUP_VERSION] = json!("2");
    backup
}

/// A wired mesh of which the resource and the backup are made these at 5 seconds, and an operator that leads a minute later.
fn rolled_back(spec: &Value, backup: &Value) -> History {
    wired()
        .resource(5, "user", resource(spec, true))
        .write(5, "user", BACKUP, backup.clone())
        .lease(63, OPERATOR)
}

fn plan() -> Value {
    json!({"managementState": "Plan"})
}

/// An operator that never took the Lease.
fn led_by_nobody() -> History {
    History(Vec::new())
        .resource(0, "user", resource(&managed(), false))
        .resource(2, OPERATOR, resource(&managed(), true))
}
