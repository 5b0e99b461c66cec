//! What the cluster makes of a step, and of what users and tools do to it.

use alscope_plan::plan::reverts;
use alscope_plan::plan::step::{MeshEdit, Step};
use alscope_plan::world::{Backup, MeshConfigContent, ObjectName, OwnedKind, OwnedObject};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Ended, Judged, Stored, named};
use crate::cluster_state::owner_of;
use crate::invariants;
use crate::mesh::{CHART, FINALIZER};
use crate::replicas::default_replicas;

/// The operator's field manager.
pub(crate) const OPERATOR: &str = "alscope-operator";

/// A step in a few words.
pub(crate) fn name(step: &Step) -> String {
    match step {
        Step::AddFinalizer => "AddFinalizer".to_owned(),
        Step::Apply(desired) => format!("Apply {}", desired.kind.as_str()),
        Step::KeepReplicas { replicas, .. } => format!("KeepReplicas {replicas}"),
        Step::Delete { kind, .. } => format!("Delete {}", kind.as_str()),
        Step::WriteBackup(_) => "WriteBackup".to_owned(),
        Step::WriteMesh(edit) => format!("WriteMesh {}", edit.config_map.name),
        Step::ReleaseFieldOwnership { config_map: at, .. } => format!("ReleaseFieldOwnership {}", at.name),
        Step::DeleteBackup { .. } => "DeleteBackup".to_owned(),
        Step::Restart(restart) => format!("Restart {}", restart.name),
        Step::RemoveFinalizer => "RemoveFinalizer".to_owned(),
    }
}

/// The names of steps.
pub(crate) fn names(steps: &[Step]) -> Vec<String> {
    steps.iter().map(name).collect()
}

/// What the API server makes of a step.
pub(crate) enum StepOutcome {
    Done,
    /// Done, and nothing changed by it: no write to count.
    Unchanged,
    Conflict,
}

impl Cluster {
    /// Does one step; `None` when it was refused or has been overtaken.
    pub(crate) fn run(&mut self, uid: &str, step: &Step) -> Option<Ended> {
        if let Some(left) = &mut self.lives_for {
            if *left == 0 {
                return Some(Ended::Killed);
            }
            *left -= 1;
        }
        if let Some(failure) = self.refuses.and_then(|refuses| refuses(step)) {
            self.failures.insert(uid.to_owned(), failure);
            return None;
        }
        match self.outcome(uid, step) {
            StepOutcome::Done => {}
            StepOutcome::Unchanged => return Some(Ended::Done),
            StepOutcome::Conflict => return None,
        }
        if self.repeats {
            self.outcome(uid, step);
        }
        self.log.push(name(step));
        reverts::record_overwrite(&mut self.overwritten_versions, step);
        if self.judged == Judged::EachStep {
            invariants::check(self);
        }
        if let (Some(manager), Step::WriteMesh(_)) = (self.contender, step) {
            self.reset(manager, CHART);
        }
        Some(Ended::Done)
    }

    fn outcome(&mut self, uid: &str, step: &Step) -> StepOutcome {
        match step {
            Step::AddFinalizer => self.finalizer(uid, true),
            Step::RemoveFinalizer => self.finalizer(uid, false),
            Step::Apply(desired) => self.apply(desired.kind, &desired.name, &desired.object),
            Step::KeepReplicas { uid, replicas, .. } => {
                let found = self.keep_replicas(uid, *replicas);
                found.map_or(StepOutcome::Conflict, |()| StepOutcome::Done)
            }
            Step::Delete { kind, name, uid } => {
                self.owned
                    .retain(|owned| owned.kind != *kind || owned.name != *name || owned.uid() != uid);
                StepOutcome::Done
            }
            Step::WriteBackup(backup) => self.write_backup(backup),
            Step::WriteMesh(edit) => self.write_mesh(edit),
            Step::Restart(restart) => self.restart_workload(restart),
            Step::ReleaseFieldOwnership {
                config_map,
                index,
                manager,
                resource_version,
            } => self.release_field_ownership(config_map, *index, manager, resource_version),
            Step::DeleteBackup {
                uid,
                resource_version,
            } => {
                let name = ObjectName::new(&self.settings.namespace, &Backup::name_for(uid));
                self.delete_config_map(&name, resource_version)
            }
        }
    }

    fn finalizer(&mut self, uid: &str, present: bool) -> StepOutcome {
        let version = self.next_version();
        for resource in &mut self.resources {
            if resource.metadata.uid.as_deref() == Some(uid) {
                resource.metadata.finalizers = present.then(|| vec![FINALIZER.to_owned()]);
                resource.metadata.resource_version = Some(version.clone());
            }
        }
        self.collect_garbage();
        StepOutcome::Done
    }

    /// Resources that may go, go, and take along what they own.
    fn collect_garbage(&mut self) {
        self.resources.retain(|resource| {
            resource.metadata.deletion_timestamp.is_none() || resource.metadata.finalizers.is_some()
        });
        let uids: Vec<String> = self
            .resources
            .iter()
            .filter_map(|one| one.metadata.uid.clone())
            .collect();
        self.owned
            .retain(|owned| uids.iter().any(|uid| uid == owner_of(owned)));
    }

    fn apply(&mut self, kind: OwnedKind, name: &str, object: &Value) -> StepOutcome {
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = json!(self.next_version());
        let place = self
            .owned
            .iter()
            .position(|owned| owned.kind == kind && owned.name == name);
        let Some(known) = place.and_then(|place| self.owned.get_mut(place)) else {
            default_replicas(kind, &mut object, None);
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            object["metadata"]["generation"] = json!(1);
            self.owned.push(OwnedObject {
                kind,
                name: name.to_owned(),
                object,
            });
            return StepOutcome::Done;
        };
        object["metadata"]["uid"] = known.object["metadata"]["uid"].clone();
        default_replicas(kind, &mut object, Some(&known.object));
        let generation = known.object["metadata"]["generation"].as_i64().unwrap();
        let changed = known.object["spec"] != object["spec"];
        object["metadata"]["generation"] = json!(generation + i64::from(changed));
        if let Some(status) = known.object.get("status") {
            object["status"] = status.clone();
        }
        known.object = object;
        StepOutcome::Done
    }

    fn write_backup(&mut self, backup: &Backup) -> StepOutcome {
        let mut object = backup.config_map(&self.settings.namespace);
        let name = ObjectName::of(&object);
        if self.version_of(&name) != backup.resource_version {
            return StepOutcome::Conflict;
        }
        if self
            .config_maps
            .get(&name)
            .is_some_and(|stored| stored.object == object)
        {
            return StepOutcome::Unchanged;
        }
        object.metadata.resource_version = Some(self.next_version());
        object.metadata.uid.get_or_insert(format!("uid-{}", self.version));
        let since = self.now;
        self.config_maps.insert(name, Stored { object, since });
        StepOutcome::Done
    }

    pub(crate) fn version_of(&self, name: &ObjectName) -> Option<String> {
        let stored = self.config_maps.get(name)?;
        stored.object.metadata.resource_version.clone()
    }

    fn write_mesh(&mut self, edit: &MeshEdit) -> StepOutcome {
        if self.version_of(&edit.config_map) != edit.resource_version {
            return StepOutcome::Conflict;
        }
        match &edit.after {
            MeshConfigContent::ObjectAbsent => {
                self.config_maps.remove(&edit.config_map);
            }
            MeshConfigContent::Text(text) if edit.resource_version.is_none() => {
                let object = json!({
                    "metadata": {
                        "namespace": edit.config_map.namespace, "name": edit.config_map.name,
                        "labels": {"app.kubernetes.io/managed-by": OPERATOR},
                    },
                    "data": {},
                });
                self.insert(serde_json::from_value(object).unwrap());
                self.write(OPERATOR, &edit.config_map, Some(text));
            }
            MeshConfigContent::Text(text) => self.write(OPERATOR, &edit.config_map, Some(text)),
            MeshConfigContent::KeyAbsent => self.write(OPERATOR, &edit.config_map, None),
        }
        StepOutcome::Done
    }

    fn delete_config_map(&mut self, name: &ObjectName, resource_version: &str) -> StepOutcome {
        if self.version_of(name).as_deref() != Some(resource_version) {
            return StepOutcome::Conflict;
        }
        self.config_maps.remove(name);
        StepOutcome::Done
    }

    fn release_field_ownership(
        &mut self,
        name: &ObjectName,
        index: usize,
        manager: &str,
        version: &str,
    ) -> StepOutcome {
        if self.version_of(name).as_deref() != Some(version) {
            return StepOutcome::Conflict;
        }
        let next = self.next_version();
        let now = self.now;
        let stored = self.config_maps.get_mut(name).unwrap();
        let entries = stored.object.metadata.managed_fields.as_mut().unwrap();
        assert_eq!(
            entries.get(index).unwrap().manager.as_deref(),
            Some(manager),
            "a test operation fails"
        );
        entries.remove(index);
        stored.object.metadata.resource_version = Some(next);
        stored.since = now;
        StepOutcome::Done
    }

    fn insert(&mut self, mut object: ConfigMap) {
        object.metadata.resource_version = Some(self.next_version());
        let since = self.now;
        let name = ObjectName::of(&object);
        self.config_maps.insert(name, Stored { object, since });
    }

    /// Somebody else makes a ConfigMap of mesh config.
    pub(crate) fn put(&mut self, object: Value) {
        let object: ConfigMap = serde_json::from_value(object).unwrap();
        let text = object.data.as_ref().and_then(|data| data.get("mesh")).cloned();
        self.foreign.insert(ObjectName::of(&object), text);
        self.insert(object);
    }

    /// A text is written: whoever writes it owns it.
    fn write(&mut self, manager: &str, name: &ObjectName, text: Option<&str>) {
        let version = self.next_version();
        let now = self.now;
        let stored = self.config_maps.get_mut(name).unwrap();
        let entries = stored.object.metadata.managed_fields.get_or_insert_default();
        for entry in entries.iter_mut() {
            let data = entry
                .fields_v1
                .as_mut()
                .and_then(|fields| fields.0["f:data"].as_object_mut());
            data.unwrap().remove("f:mesh");
        }
        entries.retain(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0["f:data"]);
            fields != Some(&json!({}))
        });
        let data = stored.object.data.get_or_insert_default();
        data.remove("mesh");
        if let Some(text) = text {
            data.insert("mesh".to_owned(), text.to_owned());
            entries.push(ManagedFieldsEntry {
                manager: Some(manager.to_owned()),
                operation: Some("Update".to_owned()),
                time: Some(Time(now)),
                fields_v1: serde_json::from_value(json!({"f:data": {"f:mesh": {}}})).unwrap(),
                ..ManagedFieldsEntry::default()
            });
        }
        stored.object.metadata.resource_version = Some(version);
        stored.since = now;
    }

    /// A tool sets the text of the ConfigMap `istio`.
    pub(crate) fn reset(&mut self, manager: &str, text: &str) {
        self.write(manager, &named("istio"), Some(text));
        self.foreign.insert(named("istio"), Some(text.to_owned()));
    }

    /// A user edits the text as it is, at a place that is not the operator's.
    pub(crate) fn edit(&mut self, change: impl Fn(&str) -> String) {
        let now = self.text("istio").unwrap();
        self.write("kubectl-edit", &named("istio"), Some(&change(&now)));
        let foreign = self.foreign.get_mut(&named("istio")).unwrap();
        *foreign = foreign.as_deref().map(change);
    }

    /// Whether an entry of the operator's is left in `managedFields` of a ConfigMap.
    pub(crate) fn is_owner_of(&self, name: &str) -> bool {
        let stored = self.config_maps.get(&named(name)).unwrap();
        let entries = stored.object.metadata.managed_fields.iter().flatten();
        entries
            .into_iter()
            .any(|entry| entry.manager.as_deref() == Some(OPERATOR))
    }

    /// `kubectl delete` of the resource `alscope`.
    pub(crate) fn delete(&mut self) {
        let now = self.now;
        for resource in &mut self.resources {
            if resource.metadata.name.as_deref() == Some("alscope") {
                resource.metadata.deletion_timestamp = Some(Time(now));
            }
        }
        self.collect_garbage();
    }

    /// Somebody takes the finalizer away and deletes the resource `alscope`.
    pub(crate) fn force_delete(&mut self) {
        for resource in &mut self.resources {
            if resource.metadata.name.as_deref() == Some("alscope") {
                resource.metadata.finalizers = None;
            }
        }
        self.delete();
    }

    /// Somebody allows on every backup that managed gateways are rolled.
    pub(crate) fn allow_rollouts(&mut self) {
        let own = self.settings.namespace.clone();
        let version = self.next_version();
        for (name, stored) in &mut self.config_maps {
            if name.namespace == own {
                let metadata = &mut stored.object.metadata;
                let annotations = metadata.annotations.get_or_insert_default();
                annotations.insert("alscope.dev/allow-gateway-rollout".to_owned(), "true".to_owned());
                metadata.resource_version = Some(version.clone());
            }
        }
    }

    /// Somebody deletes every ConfigMap of the operator's own namespace, and with them the backup.
    pub(crate) fn lose_the_backup(&mut self) {
        let own = &self.settings.namespace;
        self.config_maps.retain(|name, _| name.namespace != *own);
    }

    /// The operator starts anew: it remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.lives_for = None;
        self.failures.clear();
        self.overwritten_versions.clear();
        for stored in self.config_maps.values_mut() {
            stored.since = self.now;
        }
    }
}
