//! Workloads of the application and of the collector, and what their controllers do: they replace pods when a template has changed.

use alscope_plan::plan::step::WorkloadRestart;
use alscope_plan::world::{DisruptionBudget, OwnedKind, ReadError, Workload, WorkloadKind, Workloads};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::mesh::{self, ADDRESS};
use crate::steps::StepOutcome;

/// A workload of one pod that has rolled out.
pub(crate) fn workload(kind: &str, namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1", "annotations": {}},
        "spec": {"replicas": 1, "selector": {}, "serviceName": "", "template": {"metadata": {"labels": {"app": name}}}},
        "status": complete(1),
    })
}

/// What the operator reads of a workload; `None` for a kind that it does not read.
pub(crate) fn read_workload(object: &Value) -> Option<Workload> {
    let kind = WorkloadKind::parse(object["kind"].as_str().unwrap())?;
    let object = object.clone();
    Some(match kind {
        WorkloadKind::Deployment => Workload::of_deployment(&serde_json::from_value(object).unwrap()),
        WorkloadKind::StatefulSet => Workload::of_stateful_set(&serde_json::from_value(object).unwrap()),
        WorkloadKind::DaemonSet => Workload::of_daemon_set(&serde_json::from_value(object).unwrap()),
    })
}

/// The status of a workload of one pod, whatever its kind, that has rolled out.
fn complete(generation: u64) -> Value {
    json!({
        "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
        "currentRevision": "a", "updateRevision": "a",
        "currentNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": 1,
        "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
    })
}

/// A budget for the pods of the workload `name`.
pub(crate) fn budget(namespace: &str, name: &str, allowed: i32) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name, "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": name}}},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
    })
}

/// Whether the object is this workload, as `namespace/name`.
fn is_named(object: &Value, name: &str) -> bool {
    let metadata = &object["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name")) == name
}

impl Cluster {
    /// A wired mesh that has been so for a while, with these workloads, each with a pod of before the wiring.
    pub(crate) fn with_workloads(spec: &Value, workloads: &[(&str, &str, &str)]) -> Self {
        let mut cluster = Self::wired(spec);
        cluster.pods.clear();
        cluster.advance(60);
        for (kind, namespace, name) in workloads {
            cluster.workloads.push(workload(kind, namespace, name));
            cluster
                .pods
                .push(pod_of(kind, namespace, name, &json!({}), "2027-01-01T00:00:00Z"));
        }
        cluster
    }

    /// What the operator gets to see of workloads.
    pub(crate) fn read_workloads(&self) -> Result<Workloads, ReadError> {
        if let Some(error) = &self.unreadable.workloads {
            return Err(error.clone());
        }
        let all = self.workloads.iter().filter_map(read_workload);
        let budgets = self.budgets.iter().cloned();
        Ok(Workloads {
            all: all.collect(),
            budgets: budgets
                .map(|object| DisruptionBudget::of(&serde_json::from_value(object).unwrap()))
                .collect(),
        })
    }

    /// What the API server makes of a restart.
    pub(crate) fn restart_workload(&mut self, restart: &WorkloadRestart) -> StepOutcome {
        let version = self.next_version();
        let object = self.workload(&restart.name.to_string());
        if object["metadata"]["resourceVersion"] != restart.resource_version {
            return StepOutcome::Conflict;
        }
        assert_eq!(object["kind"], restart.kind.as_str());
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(version);
        metadata["generation"] = json!(metadata["generation"].as_u64().unwrap() + 1);
        metadata["annotations"]["alscope.dev/restarted-for"] = json!(restart.mark);
        metadata["annotations"]["alscope.dev/restarted-at"] = json!(restart.at.to_string());
        StepOutcome::Done
    }

    /// The collector's Deployments have rolled out.
    pub(crate) fn roll_out(&mut self) {
        for owned in &mut self.owned {
            if owned.kind == OwnedKind::Deployment {
                let replicas = owned.object["spec"]["replicas"].clone();
                owned.object["status"] = json!({
                    "observedGeneration": owned.object["metadata"]["generation"],
                    "replicas": replicas, "updatedReplicas": replicas,
                    "readyReplicas": replicas, "availableReplicas": replicas,
                });
            }
        }
    }

    /// No collector is available any more.
    pub(crate) fn break_collector(&mut self) {
        for owned in &mut self.owned {
            if owned.kind == OwnedKind::Deployment && owned.object.get("status").is_some() {
                owned.object["status"]["availableReplicas"] = json!(0);
                owned.object["status"]["readyReplicas"] = json!(0);
            }
        }
    }

    /// Passes once a second until the mesh is wired.
    pub(crate) fn settle_until_wired(&mut self) {
        for _ in 0..100 {
            self.pass();
            self.advance(1);
            if self.mesh_configured().1 == "Wired" {
                break;
            }
        }
        assert_eq!(self.mesh_configured().1, "Wired");
    }

    /// The workload of this name, as `namespace/name`.
    pub(crate) fn workload(&mut self, name: &str) -> &mut Value {
        let mut all = self.workloads.iter_mut();
        all.find(|object| is_named(object, name)).unwrap()
    }

    /// Ends the rollout of a workload: its pod is a new one, with what mesh config says.
    pub(crate) fn roll_out_workload(&mut self, name: &str) {
        let is_wired = self.text("istio").is_some_and(|text| text.contains(ADDRESS));
        let config = if is_wired {
            mesh::knows_the_address()
        } else {
            json!({})
        };
        let now = self.now.to_string();
        let object = self.workload(name).clone();
        let text = |key: &str| object["metadata"][key].as_str().unwrap().to_owned();
        let (kind, namespace, pod) = (object["kind"].as_str().unwrap(), text("namespace"), text("name"));
        self.workload(name)["status"] = complete(object["metadata"]["generation"].as_u64().unwrap());
        self.pods
            .retain(|one| !is_named(one, &format!("{namespace}/{pod}-5d8f-x")));
        self.pods.push(pod_of(kind, &namespace, &pod, &config, &now));
    }

    /// The workloads that roll out, as `namespace/name`.
    pub(crate) fn rolling(&self) -> Vec<String> {
        let all = self.workloads.iter();
        all.filter(|object| object["status"]["observedGeneration"] != object["metadata"]["generation"])
            .map(|object| {
                let text = |key: &str| object["metadata"][key].as_str().unwrap();
                format!("{}/{}", text("namespace"), text("name"))
            })
            .collect()
    }

    /// Passes each second, with every rollout at its end after `rollout` seconds, until nothing is left to restart.
    pub(crate) fn restart_all(&mut self, rollout: i64) {
        let mut since = std::collections::BTreeMap::new();
        for _ in 0..1_000 {
            self.pass();
            self.advance(1);
            for name in self.rolling() {
                let began = *since.entry(name.clone()).or_insert(self.now);
                if self.now.duration_since(began).as_secs() >= rollout {
                    since.remove(&name);
                    self.roll_out_workload(&name);
                }
            }
            if self.is_restarted() {
                break;
            }
        }
        assert!(self.is_restarted(), "restarts do not end: {:?}", self.log);
    }

    fn is_restarted(&self) -> bool {
        let status = self.status().restarts.unwrap_or_default();
        self.rolling().is_empty() && status.outstanding == 0 && status.under_way.is_empty()
    }
}

/// A pod of a workload, with a proxy of this configuration.
pub(crate) fn pod_of(kind: &str, namespace: &str, name: &str, config: &Value, created: &str) -> Value {
    let mut pod = mesh::pod(name, config);
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["creationTimestamp"] = json!(created);
    if WorkloadKind::parse(kind) != Some(WorkloadKind::Deployment) {
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1", "controller": true}]);
    }
    pod
}
