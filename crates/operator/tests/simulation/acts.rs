//! What happens in a run, done: what users do, and what becomes of the operators.

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::settings::OperatorSettings;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::OWN;
use crate::drive::{Due, Run};
use crate::scenario::{Act, OPERATORS};
use crate::{end, mesh};

/// The texts that a chart's upgrades set.
const TEXTS: [&str; 3] = [
    mesh::CHART,
    "# an upgrade\ndefaultConfig:\n  concurrency: 2\n  discoveryAddress: istiod.istio-system.svc:15012\ntrustDomain: x\n",
    mesh::FOREIGN,
];

/// A `spec.mesh.conflictPolicy` that only a newer version knows.
pub(crate) const NEWER_POLICY: &str = "Ask";
/// Tells how a backup is to be read.
pub(crate) const BACKUP_VERSION: &str = "alscope.dev/backup-version";

/// What the operators may be started with. The address differs with the cluster's domain.
pub(crate) fn settings() -> [OperatorSettings; 3] {
    [
        OperatorSettings::default(),
        OperatorSettings {
            collector_image: "registry.example/alscope/collector:2".to_owned(),
            collector_service_account: "another-collector".to_owned(),
            drain_timeout: std::time::Duration::from_secs(5),
            ..OperatorSettings::default()
        },
        OperatorSettings {
            cluster_domain: "mesh.example".to_owned(),
            ..OperatorSettings::default()
        },
    ]
}

impl Run {
    pub(crate) async fn act(&mut self, act: &Act) {
        match act {
            Act::Create(spec) => self.create(spec).await,
            Act::Spec(spec) => drop(self.patch_resource(json!({"spec": spec})).await),
            Act::Delete => drop(self.resources().delete("alscope", &DeleteParams::default()).await),
            Act::ForceDelete => {
                drop(self.resources().delete("alscope", &DeleteParams::default()).await);
                let none = json!({"metadata": {"finalizers": null}});
                drop(self.patch_resource(none).await);
            }
            Act::Reset(text) => {
                let text = TEXTS[*text].to_owned();
                self.foreign.clone_from(&text);
                self.write_mesh("helm", move |_| text.clone()).await;
            }
            Act::Edit => {
                self.edits += 1;
                let line = format!("# by hand {}\n", self.edits);
                self.foreign.insert_str(0, &line);
                self.write_mesh("kubectl-edit", move |text| format!("{line}{text}"))
                    .await;
            }
            Act::DeleteChild(place) => self.delete_child(*place),
            Act::Scale => {
                let patch = Patch::Merge(json!({"spec": {"replicas": 5}}));
                let api: Api<Deployment> = Api::namespaced(self.cluster.admin.clone(), OWN);
                drop(
                    api.patch("alscope-collector", &PatchParams::default(), &patch)
                        .await,
                );
            }
            Act::RestartPods => self.cluster.restart_pods(),
            Act::Kill(place) => self.die(OPERATORS[*place]),
            Act::Stop(place) => self.stop(OPERATORS[*place]),
            Act::Settings(place) => {
                self.settings = settings()[*place].clone();
                self.stop_all();
            }
            Act::RollBack(newer, lasts) => {
                self.stop_all();
                if newer.resource {
                    self.make_resource_newer().await;
                }
                if newer.backup {
                    self.set_backups_version("1", "2").await;
                }
                self.due.push((Instant::now() + *lasts, Due::Upgrade));
            }
            Act::Fault(fault, lasts) => {
                let id = self.cluster.server.inject(fault.clone());
                self.due.push((Instant::now() + *lasts, Due::Lift(id)));
            }
            Act::EndWatches => self.cluster.server.end_watches(),
            Act::Compact => self.cluster.server.compact(),
        }
    }

    /// Makes everything again what the operators' version knows, and starts them anew.
    pub(crate) async fn upgrade(&mut self) {
        self.stop_all();
        let known = self.known_policy.take();
        if let Some(known) = known.filter(|_| self.policy() == NEWER_POLICY) {
            drop(
                self.patch_resource(json!({"spec": {"mesh": {"conflictPolicy": known}}}))
                    .await,
            );
        }
        self.set_backups_version("2", "1").await;
    }

    async fn make_resource_newer(&mut self) {
        let known = self.policy();
        if known != NEWER_POLICY {
            self.known_policy = Some(known);
            drop(
                self.patch_resource(json!({"spec": {"mesh": {"conflictPolicy": NEWER_POLICY}}}))
                    .await,
            );
        }
    }

    fn policy(&self) -> Value {
        let resource = self
            .cluster
            .server
            .get("meshobservabilities.alscope.dev", "", "alscope");
        resource.map_or(Value::Null, |resource| {
            resource["spec"]["mesh"]["conflictPolicy"].clone()
        })
    }

    async fn set_backups_version(&self, from: &str, to: &str) {
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.admin.clone(), OWN);
        for backup in self.cluster.server.list("configmaps") {
            if backup["metadata"]["annotations"][BACKUP_VERSION] == from {
                let name = backup["metadata"]["name"].as_str().unwrap();
                let patch = Patch::Merge(json!({"metadata": {"annotations": {BACKUP_VERSION: to}}}));
                drop(api.patch(name, &PatchParams::default(), &patch).await);
            }
        }
    }

    fn resources(&self) -> Api<MeshObservability> {
        Api::all(self.cluster.admin.clone())
    }

    async fn create(&self, spec: &Value) {
        let resource = json!({
            "apiVersion": "alscope.dev/v1alpha1", "kind": "MeshObservability",
            "metadata": {"name": "alscope"}, "spec": spec,
        });
        let resource = serde_json::from_value(resource).unwrap();
        // One that is still ending stays in the way.
        drop(self.resources().create(&PostParams::default(), &resource).await);
    }

    async fn patch_resource(&self, patch: Value) -> Result<MeshObservability, kube::Error> {
        let parameters = PatchParams::default();
        self.resources()
            .patch("alscope", &parameters, &Patch::Merge(patch))
            .await
    }

    /// Changes mesh config as it is, whoever writes at the same time.
    async fn write_mesh(&self, manager: &str, change: impl Fn(&str) -> String) {
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.admin.clone(), mesh::MESH);
        let parameters = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        loop {
            let Some(found) = self.cluster.server.get("configmaps", mesh::MESH, "istio") else {
                return;
            };
            let text = change(found["data"]["mesh"].as_str().unwrap_or_default());
            let patch = json!({
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "data": {"mesh": text},
            });
            if api
                .patch("istio", &parameters, &Patch::Merge(patch))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    fn delete_child(&self, place: usize) {
        let children = end::children(&self.cluster);
        if let Some((resource, name)) = children.get(place) {
            self.cluster
                .server
                .note(&format!("{resource} {name} is deleted by hand"));
            self.cluster.server.remove_object(resource, OWN, name);
        }
    }
}
