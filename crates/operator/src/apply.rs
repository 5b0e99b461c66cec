//! Writes the steps of a plan. Each step is one request, guarded by a resourceVersion or a uid, so that it changes only what was planned.
//! If the cluster has changed, the API server answers with a conflict, and the next pass plans again. Objects of the collector are
//! applied as a whole, whatever is there; the client of the writer sends requests only while this operator leads.

use std::fmt;

use alscope_plan::api::{FINALIZER, MeshObservability};
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::step::{DesiredObject, MeshEdit, Step, WorkloadRestart};
use alscope_plan::world::{
    Backup, MANAGED_BY_LABEL, MESH_KEY, MeshConfigContent, OPERATOR_NAME, ObjectName, OwnedKind,
    RESTARTED_AT, RESTARTED_FOR,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions,
    PropagationPolicy,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::info;

use crate::gather::api_resource;

/// The field manager that keeps the number of replicas until an autoscaler changes it.
const REPLICAS_MANAGER: &str = "alscope-operator-replicas";
/// The annotation of the pod template by which `kubectl rollout restart` restarts a workload.
const ROLLOUT_ANNOTATION: &str = "kubectl.kubernetes.io/restartedAt";

/// Why a step was not written.
#[derive(Debug)]
pub enum StepError {
    /// The cluster has changed since it was read: the next pass plans again.
    Conflict,
    /// The API server refused the write or did not answer.
    Failed(WriteFailure),
}

/// Writes the steps of one operator.
#[derive(Clone)]
pub struct StepWriter {
    client: Client,
    namespace: String,
}

/// A request, for the text of its failure.
struct WriteRequest<'a> {
    verb: &'static str,
    resource: &'a str,
    name: ObjectName,
}

impl fmt::Debug for StepWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StepWriter").finish_non_exhaustive()
    }
}

impl StepWriter {
    /// A writer for the operator's own namespace. The client sends nothing while this operator does not lead.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
        }
    }

    /// Writes one step for a resource. It takes the newest version of the resource and returns the one after the step.
    pub async fn step(&self, step: &Step, owner: MeshObservability) -> Result<MeshObservability, StepError> {
        match step {
            Step::AddFinalizer => return self.finalizer(owner, true).await,
            Step::RemoveFinalizer => return self.finalizer(owner, false).await,
            Step::Apply(desired) => self.apply(desired).await?,
            Step::KeepReplicas {
                deployment,
                uid,
                replicas,
            } => self.keep_replicas(deployment, uid, *replicas).await?,
            Step::Delete { kind, name, uid } => self.delete(*kind, name, uid).await?,
            Step::WriteBackup(backup) => self.write_backup(backup).await?,
            Step::WriteMesh(edit) => self.write_mesh(edit).await?,
            Step::Restart(restart) => self.restart(restart).await?,
            Step::ReleaseFieldOwnership {
                config_map,
                index,
                manager,
                resource_version,
            } => {
                self.release_field_ownership(config_map, *index, manager, resource_version)
                    .await?;
            }
            Step::DeleteBackup {
                uid,
                resource_version,
            } => self.delete_backup(uid, resource_version).await?,
        }
        Ok(owner)
    }

    async fn finalizer(
        &self,
        owner: MeshObservability,
        present: bool,
    ) -> Result<MeshObservability, StepError> {
        let mut finalizers: Vec<&str> = owner
            .metadata
            .finalizers
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        finalizers.retain(|finalizer| *finalizer != FINALIZER);
        if present {
            finalizers.push(FINALIZER);
        }
        let patch = json!({"metadata": {
            "resourceVersion": owner.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let name = owner.name().to_owned();
        let api: Api<MeshObservability> = Api::all(self.client.clone());
        let request = WriteRequest::new("patch", "meshobservabilities", &ObjectName::new("", &name));
        match api
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(owner) => Ok(owner),
            // Without the finalizer it may be gone at once.
            Err(error) if has_code(&error, 404) && !present => Ok(owner),
            // It went before it could be kept: nothing may be written for it.
            Err(error) if has_code(&error, 404) => Err(StepError::Conflict),
            Err(error) => Err(request.failed(&error)),
        }
    }

    async fn apply(&self, desired: &DesiredObject) -> Result<(), StepError> {
        let request = WriteRequest::new("patch", desired.kind.plural(), &self.own_name(&desired.name));
        info!(kind = desired.kind.as_str(), name = %desired.name, "applying");
        // The operator's own objects: whoever else wrote a field of them gives it back.
        let parameters = PatchParams::apply(OPERATOR_NAME).force();
        let applied = self
            .api(desired.kind)
            .patch(&desired.name, &parameters, &Patch::Apply(&desired.object))
            .await;
        request.done(applied)
    }

    async fn keep_replicas(&self, name: &str, uid: &str, replicas: i64) -> Result<(), StepError> {
        let kind = OwnedKind::Deployment;
        let request = WriteRequest::new("patch", kind.plural(), &self.own_name(name));
        info!(name, replicas, "leaving the number of replicas to an autoscaler");
        let object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.as_str(),
            "metadata": {"name": name, "namespace": self.namespace, "uid": uid},
            "spec": {"replicas": replicas},
        });
        let parameters = PatchParams::apply(REPLICAS_MANAGER).force();
        let kept = self
            .api(kind)
            .patch(name, &parameters, &Patch::Apply(&object))
            .await;
        request.done(kept)
    }

    async fn delete(&self, kind: OwnedKind, name: &str, uid: &str) -> Result<(), StepError> {
        info!(kind = kind.as_str(), name, "deleting");
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            // Gone means that what it owns is gone, too.
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        let request = WriteRequest::new("delete", kind.plural(), &self.own_name(name));
        request.done_or_gone(self.api(kind).delete(name, &parameters).await)
    }

    async fn write_backup(&self, backup: &Backup) -> Result<(), StepError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let config_map = backup.config_map(&self.namespace);
        let name = Backup::name_for(&backup.uid);
        info!(%name, "keeping mesh config as it is");
        let (verb, written) = if backup.resource_version.is_some() {
            ("update", api.replace(&name, &parameters(), &config_map).await)
        } else {
            ("create", api.create(&parameters(), &config_map).await)
        };
        let request = WriteRequest::new(verb, "configmaps", &self.own_name(&name));
        match written {
            // It went meanwhile, which the watch will show.
            Err(error) if has_code(&error, 404) && backup.resource_version.is_some() => {
                Err(StepError::Conflict)
            }
            written => request.done(written),
        }
    }

    async fn delete_backup(&self, uid: &str, resource_version: &str) -> Result<(), StepError> {
        let name = Backup::name_for(uid);
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = WriteRequest::new("delete", "configmaps", &self.own_name(&name));
        request.done_or_gone(api.delete(&name, &at_version(resource_version)).await)
    }

    async fn write_mesh(&self, edit: &MeshEdit) -> Result<(), StepError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &edit.config_map.namespace);
        let name = &edit.config_map.name;
        info!(config_map = %edit.config_map, "writing mesh config");
        let Some(version) = &edit.resource_version else {
            let request = WriteRequest::new("create", "configmaps", &edit.config_map);
            let created = api.create(&parameters(), &new_shared_config_map(edit)).await;
            return request.done(created);
        };
        let text = match &edit.after {
            MeshConfigContent::Text(text) => json!(text),
            MeshConfigContent::KeyAbsent => Value::Null,
            MeshConfigContent::ObjectAbsent => {
                let request = WriteRequest::new("delete", "configmaps", &edit.config_map);
                return request.done_or_gone(api.delete(name, &at_version(version)).await);
            }
        };
        let patch = json!({"metadata": {"resourceVersion": version}, "data": {MESH_KEY: text}});
        let parameters = PatchParams {
            field_manager: Some(OPERATOR_NAME.to_owned()),
            ..PatchParams::default()
        };
        let request = WriteRequest::new("patch", "configmaps", &edit.config_map);
        let patched = api.patch(name, &parameters, &Patch::Merge(patch)).await;
        request.done(patched)
    }

    async fn release_field_ownership(
        &self,
        config_map: &ObjectName,
        index: usize,
        manager: &str,
        resource_version: &str,
    ) -> Result<(), StepError> {
        let entry = format!("/metadata/managedFields/{index}");
        let operations = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "test", "path": format!("{entry}/manager"), "value": manager},
            {"op": "remove", "path": entry},
        ]);
        let request = WriteRequest::new("patch", "configmaps", config_map);
        let patch =
            serde_json::from_value(operations).map_err(|error| request.failure(&error.to_string()))?;
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &config_map.namespace);
        let written = api
            .patch(
                &config_map.name,
                &PatchParams::default(),
                &Patch::Json::<()>(patch),
            )
            .await;
        match written {
            // A test that fails, or an entry that is gone: the API server says of neither more than this.
            Err(error) if has_code(&error, 422) => Err(StepError::Conflict),
            written => request.done(written),
        }
    }

    async fn restart(&self, restart: &WorkloadRestart) -> Result<(), StepError> {
        let kind = restart.kind.as_str();
        info!(kind, name = %restart.name, "restarting, so that its proxies start with the collector's address");
        let at = restart.at.to_string();
        let patch = json!({
            "metadata": {
                "resourceVersion": restart.resource_version,
                "annotations": {RESTARTED_FOR: restart.mark, RESTARTED_AT: at},
            },
            "spec": {"template": {"metadata": {"annotations": {ROLLOUT_ANNOTATION: at}}}},
        });
        let api_resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind));
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &restart.name.namespace, &api_resource);
        let parameters = PatchParams {
            field_manager: Some(OPERATOR_NAME.to_owned()),
            ..PatchParams::default()
        };
        let request = WriteRequest::new("patch", restart.kind.resource(), &restart.name);
        let patched = api
            .patch(&restart.name.name, &parameters, &Patch::Merge(patch))
            .await;
        match patched {
            // It went meanwhile, which the watch will show.
            Err(error) if has_code(&error, 404) => Err(StepError::Conflict),
            patched => request.done(patched),
        }
    }

    fn api(&self, kind: OwnedKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &api_resource(kind))
    }

    fn own_name(&self, name: &str) -> ObjectName {
        ObjectName::new(&self.namespace, name)
    }
}

impl<'a> WriteRequest<'a> {
    fn new(verb: &'static str, resource: &'a str, name: &ObjectName) -> Self {
        Self {
            verb,
            resource,
            name: name.clone(),
        }
    }

    fn failed(&self, error: &kube::Error) -> StepError {
        if has_code(error, 409) {
            return StepError::Conflict;
        }
        if has_code(error, 403) && error.to_string().contains("is forbidden: User") {
            return StepError::Failed(WriteFailure::Forbidden {
                verb: self.verb,
                resource: self.resource.to_owned(),
                name: self.name.clone(),
            });
        }
        self.failure(&error.to_string())
    }

    fn failure(&self, message: &str) -> StepError {
        StepError::Failed(WriteFailure::Failed {
            verb: self.verb,
            resource: self.resource.to_owned(),
            name: self.name.clone(),
            message: message.to_owned(),
        })
    }

    fn done<T>(&self, result: Result<T, kube::Error>) -> Result<(), StepError> {
        result.map(|_| ()).map_err(|error| self.failed(&error))
    }

    fn done_or_gone<T>(&self, result: Result<T, kube::Error>) -> Result<(), StepError> {
        match result {
            Err(error) if has_code(&error, 404) => Ok(()),
            result => self.done(result),
        }
    }
}

fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(OPERATOR_NAME.to_owned()),
        ..PostParams::default()
    }
}

fn at_version(resource_version: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: None,
            resource_version: Some(resource_version.to_owned()),
        }),
        ..DeleteParams::default()
    }
}

/// The ConfigMap of a shared mesh config that does not exist yet, with the label of the operator.
fn new_shared_config_map(edit: &MeshEdit) -> ConfigMap {
    let mut config_map = ConfigMap::default();
    config_map.metadata.name = Some(edit.config_map.name.clone());
    config_map.metadata.namespace = Some(edit.config_map.namespace.clone());
    config_map.metadata.labels = Some([(MANAGED_BY_LABEL.to_owned(), OPERATOR_NAME.to_owned())].into());
    config_map.data = Some([(MESH_KEY.to_owned(), edit.after.text().to_owned())].into());
    config_map
}

#[cfg(test)]
mod tests;
