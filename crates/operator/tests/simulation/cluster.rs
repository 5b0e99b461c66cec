//! The cluster around the operator: Istio, an application, and what Kubernetes' controllers and nodes do in their time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use alscope_operator::clock::Clock;
use alscope_operator::gather::replica_status::{PolledStatuses, ReplicaPoller};
use alscope_operator::lease::Candidate;
use alscope_operator::rbac::Installation;
use alscope_operator::run::Options;
use alscope_plan::api;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::ReplicaStatus;
use alscope_test_api_server::{ApiServer, START_TIME};
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::mesh;

/// The operator's namespace.
pub(crate) const OWN: &str = "alscope-system";
/// Pods of the application.
const PODS: usize = 3;
static DEFINITION: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(api::definition()).unwrap());

/// What changes all the time and sets nothing going.
const IDLE: [&str; 2] = ["leases.coordination.k8s.io", "events.events.k8s.io"];
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a rollout takes, and a pod's end.
const ROLLOUT: Duration = Duration::from_secs(3);
const POD_END: Duration = Duration::from_secs(2);

/// Everything but the operator.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) admin: Client,
    pub(crate) replica_statuses: PolledStatuses,
}

impl Cluster {
    /// What an operator of this name runs with; its clock is the API server's, which began with the run.
    pub(crate) fn options(&self, identity: &str, settings: OperatorSettings, began: Instant) -> Options {
        let clock = Clock::Counted {
            from: START_TIME,
            since: began,
        };
        Options {
            candidate: Candidate {
                namespace: settings.namespace.clone(),
                identity: identity.to_owned(),
                duration: Duration::from_secs(15),
                clock,
            },
            settings,
            clock,
            replica_poller: ReplicaPoller::known(self.replica_statuses.clone()),
            admin: None,
        }
    }

    pub(crate) async fn new(server: ApiServer, operators: &[&str]) -> Self {
        let cluster = Self {
            admin: server.client(),
            replica_statuses: Arc::new(Mutex::new(HashMap::new())),
            server,
        };
        for name in [mesh::MESH, OWN, "shop"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.server.put(namespace);
        }
        cluster.define(DEFINITION.clone()).await;
        cluster.define(telemetries()).await;
        cluster.grant(operators);
        cluster.server.put(mesh::istiod("default", "1.30.3", None));
        cluster.server.put(mesh::config_map("istio", Some(mesh::CHART)));
        // Who owns the application's pods.
        cluster.server.put(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"namespace": "shop", "name": "web-5d8f", "uid": "1"},
        }));
        cluster.restart_pods();
        cluster
    }

    async fn define(&self, definition: Value) {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let api: Api<DynamicObject> = Api::all_with(self.admin.clone(), &ApiResource::from_gvk(&kind));
        let definition: DynamicObject = serde_json::from_value(definition).unwrap();
        api.create(&PostParams::default(), &definition).await.unwrap();
    }

    /// The rights that the chart gives, to users named like these operators.
    fn grant(&self, operators: &[&str]) {
        let installation = Installation::default();
        for object in installation.operator().into_iter().chain(installation.mesh()) {
            let mut object = serde_json::to_value(&object).unwrap();
            if object.get("subjects").is_some() {
                let users = operators.iter().map(|name| json!({"kind": "User", "name": name}));
                object["subjects"] = users.collect();
            }
            self.server.put(object);
        }
    }

    /// The text of mesh config.
    pub(crate) fn mesh_text(&self) -> Option<String> {
        let config_map = self.server.get("configmaps", mesh::MESH, "istio")?;
        config_map["data"]["mesh"].as_str().map(str::to_owned)
    }

    /// The pods of the application, new, with what mesh config says now.
    pub(crate) fn restart_pods(&self) {
        let text = self.mesh_text().unwrap_or_default();
        let address = alscope_mesh_config::read(&text)
            .ok()
            .and_then(|settings| settings.address().map(str::to_owned));
        for place in 0..PODS {
            let config = match &address {
                Some(address) => json!({"envoyAccessLogService": {"address": address}}),
                None => json!({}),
            };
            let mut pod = mesh::pod("web", &config);
            let name = format!("web-5d8f-{place}");
            pod["metadata"]["name"] = json!(name);
            self.server.remove_object("pods", "shop", &name);
            self.server.put(pod);
        }
    }

    /// Controllers and nodes, for as long as they are polled.
    pub(crate) async fn live(self) {
        let mut since = BTreeMap::new();
        let (mut version, mut busy_until) = (0, Instant::now());
        loop {
            sleep(POLL_INTERVAL).await;
            self.receive();
            if self.server.has_changed(version, &IDLE) {
                busy_until = Instant::now() + 2 * ROLLOUT;
            }
            version = self.server.version();
            if Instant::now() > busy_until {
                continue;
            }
            self.server.collect_garbage();
            self.roll_out(&mut since);
            self.end_pods(&mut since);
            self.point_services();
        }
    }

    fn roll_out(&self, since: &mut BTreeMap<String, Instant>) {
        for deployment in self.server.list("deployments.apps") {
            let metadata = &deployment["metadata"];
            let is_ours = metadata["namespace"] == OWN && metadata.get("deletionTimestamp").is_none();
            let generation = &metadata["generation"];
            if !is_ours || deployment["status"]["observedGeneration"] == *generation {
                continue;
            }
            let seen = since
                .entry(format!("{} {generation}", metadata["uid"]))
                .or_insert_with(Instant::now);
            if seen.elapsed() >= ROLLOUT {
                self.complete(&deployment);
            }
        }
    }

    fn complete(&self, deployment: &Value) {
        let metadata = &deployment["metadata"];
        let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let name = metadata["name"].as_str().unwrap();
        for pod in self.server.list("pods") {
            if pod["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"] {
                self.server
                    .remove_object("pods", OWN, pod["metadata"]["name"].as_str().unwrap());
            }
        }
        for place in 0..replicas {
            self.server.put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "namespace": OWN, "name": format!("{name}-{}-{place}", metadata["generation"]),
                    "labels": deployment["spec"]["template"]["metadata"]["labels"],
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name,
                        "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true}],
                },
                "spec": {"nodeName": "node", "containers": []},
                "status": {"phase": "Running", "podIP": format!("10.0.0.{}", place + 1)},
            }));
        }
        let mut done = deployment.clone();
        done["status"] = json!({
            "observedGeneration": metadata["generation"],
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        });
        self.server.put(done);
    }

    fn end_pods(&self, since: &mut BTreeMap<String, Instant>) {
        for pod in self.server.list("pods") {
            let metadata = &pod["metadata"];
            if metadata.get("deletionTimestamp").is_none() {
                continue;
            }
            let seen = since
                .entry(format!("{} ends", metadata["uid"]))
                .or_insert_with(Instant::now);
            if seen.elapsed() >= POD_END {
                let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
                self.server
                    .remove_object("pods", &text("namespace"), &text("name"));
            }
        }
    }

    /// The slice of each Service of the operator's namespace, and what the replicas say.
    fn point_services(&self) {
        let pods = self.server.list("pods");
        let mut ready = BTreeSet::new();
        for service in self.server.list("services") {
            let metadata = &service["metadata"];
            let name = metadata["name"].as_str().unwrap();
            let addresses: Vec<&Value> = pods
                .iter()
                .filter(|pod| {
                    let labels = pod["metadata"]["labels"].as_object();
                    let selector = service["spec"]["selector"].as_object().unwrap();
                    pod["metadata"].get("deletionTimestamp").is_none()
                        && selector
                            .iter()
                            .all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
                })
                .map(|pod| &pod["status"]["podIP"])
                .collect();
            ready.extend(
                addresses
                    .iter()
                    .filter_map(|address| address.as_str().map(str::to_owned)),
            );
            let endpoints: Vec<Value> = addresses
                .iter()
                .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
                .collect();
            let slice_name = format!("{name}-slice");
            let known = self
                .server
                .get("endpointslices.discovery.k8s.io", OWN, &slice_name);
            if known.is_some_and(|known| {
                known["endpoints"] == json!(endpoints)
                    && known["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
            }) {
                continue;
            }
            self.server.put(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "namespace": OWN, "name": slice_name, "labels": {"kubernetes.io/service-name": name},
                    "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": name,
                        "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true}],
                },
                "addressType": "IPv4", "endpoints": endpoints,
            }));
        }
        let mut replica_statuses = self.replica_statuses.lock();
        replica_statuses.retain(|address, _| ready.contains(address));
        for address in ready {
            replica_statuses.entry(address).or_default();
        }
    }

    /// Entries come in all the time.
    fn receive(&self) {
        let now = self.server.now();
        for intake in self.replica_statuses.lock().values_mut() {
            *intake = ReplicaStatus {
                entries_received: intake.entries_received + 1,
                messages_rejected: 0,
                last_entry_at: Some(now),
            };
        }
    }
}

/// Istio's definition, as far as it is needed to serve the kind.
fn telemetries() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "telemetries.telemetry.istio.io"},
        "spec": {
            "group": "telemetry.istio.io", "scope": "Namespaced",
            "names": {"plural": "telemetries", "kind": "Telemetry"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}}}],
        },
    })
}
