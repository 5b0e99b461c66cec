//! A pod with a proxy, and the access-log address that the proxy was started with.
//!
//! The agent makes Envoy's bootstrap from the environment variable `PROXY_CONFIG` of the container `istio-proxy`. The injector sets it
//! when the pod is created, so it tells which proxies must restart.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt as _;
use serde::Deserialize;

use super::control_plane::DEFAULT_REVISION;
use super::object_name::ObjectName;

const CONTAINER: &str = "istio-proxy";
const OVERRIDE: &str = "proxy.istio.io/config";
const TEMPLATES: &str = "inject.istio.io/templates";
const GATEWAY_MANAGED: &str = "gateway.istio.io/managed";
const TEMPLATE_HASH: &str = "pod-template-hash";
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
const OLD_GATEWAY_NAME: &str = "istio.io/gateway-name";

/// A pod with a proxy.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is so or not whatever the others are, as the pod says"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The name of the pod.
    pub pod: ObjectName,
    /// The revision of Istio that injected the proxy.
    pub revision: String,
    /// The namespace of istiod, from the configuration of the proxy; absent means Istio's default, `istio-system`.
    pub mesh_namespace: Option<String>,
    /// The access-log address that the proxy was started with.
    pub address: Option<String>,
    /// The owner of the pod, which replaces it.
    pub owner: PodOwner,
    /// What the proxy does, by the arguments of its container.
    pub role: ProxyRole,
    /// The labels of the pod, by which Telemetries select it.
    pub labels: BTreeMap<String, String>,
    /// Whether an annotation of the pod sets the address, so that mesh config does not count.
    pub overridden: bool,
    /// Whether it is the agent of proxyless gRPC, which runs no Envoy.
    pub proxyless: bool,
    /// Whether the proxy has no `PROXY_CONFIG`, as a gateway of an old chart that reads mesh config from a mounted file.
    pub unreadable: bool,
    /// When the pod was created.
    pub created_at: Option<Timestamp>,
    /// Whether the pod is being deleted. Its proxy still sends, and needs no restart.
    pub is_ending: bool,
}

/// What a proxy does in the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyRole {
    /// It is the sidecar of a workload.
    #[default]
    Sidecar,
    /// It is a gateway into the mesh or out of it (`router`).
    Gateway,
    /// It is a waypoint, for workloads without a sidecar.
    Waypoint,
}

/// The owner of a pod, which replaces the pod when it restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodOwner {
    /// A Deployment with this name.
    Deployment(String),
    /// A StatefulSet with this name.
    StatefulSet(String),
    /// A DaemonSet with this name.
    DaemonSet(String),
    /// A Deployment that istiod renders for a gateway or waypoint. Newer versions of istiod roll it themselves.
    ManagedGateway(String),
    /// A Job with this name, whose pods end by themselves.
    Job(String),
    /// Another owner, by kind and name.
    Other(String, String),
    /// No owner: somebody created the pod itself.
    Unowned,
}

/// The part of Istio's `ProxyConfig` that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProxyConfig {
    discovery_address: Option<String>,
    envoy_access_log_service: Option<RemoteService>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RemoteService {
    address: Option<String>,
}

impl Proxy {
    /// Reads a pod; `None` for a pod without a proxy or one that has ended.
    pub fn of(pod: &Pod) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let is_native = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
        let native = spec.init_containers.iter().flatten().filter(is_native);
        let proxy = spec
            .containers
            .iter()
            .chain(native)
            .find(|container| container.name == CONTAINER)?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let text = proxy
            .env
            .iter()
            .flatten()
            .find(|variable| variable.name == "PROXY_CONFIG")
            .and_then(|variable| variable.value.as_deref());
        let config: Option<ProxyConfig> = text.and_then(|text| serde_json::from_str(text).ok());
        let unreadable = config.is_none();
        let config = config.unwrap_or_default();
        Some(Self {
            pod: ObjectName::of(pod),
            revision: revision(pod),
            mesh_namespace: config.discovery_address.as_deref().and_then(namespace_of),
            address: config
                .envoy_access_log_service
                .and_then(|service| service.address),
            owner: owner(pod),
            role: role(proxy),
            labels: pod.labels().clone(),
            overridden: mark(pod, OVERRIDE).contains("envoyAccessLogService"),
            proxyless: mark(pod, TEMPLATES).contains("grpc-agent"),
            unreadable,
            created_at: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            is_ending: pod.metadata.deletion_timestamp.is_some(),
        })
    }
}

impl Proxy {
    /// The Gateway that the proxy belongs to. Istio before 1.21 writes the other label.
    pub fn gateway(&self) -> Option<&str> {
        let label = |name| self.labels.get(name).map(String::as_str);
        label(GATEWAY_NAME).or_else(|| label(OLD_GATEWAY_NAME))
    }

    /// Removes all labels but those of the gateway and those in `read`: the labels of ten thousand pods would be most of the operator's
    /// memory.
    #[must_use]
    pub fn with_labels(mut self, read: &BTreeSet<&str>) -> Self {
        let is_gateway = |name: &str| [GATEWAY_NAME, OLD_GATEWAY_NAME].contains(&name);
        self.labels
            .retain(|name, _| is_gateway(name) || read.contains(name.as_str()));
        self
    }
}

/// The role from the arguments `proxy sidecar`, `proxy router` or `proxy waypoint`.
fn role(proxy: &Container) -> ProxyRole {
    match proxy.args.iter().flatten().nth(1).map(String::as_str) {
        Some("router") => ProxyRole::Gateway,
        Some("waypoint") => ProxyRole::Waypoint,
        _ => ProxyRole::Sidecar,
    }
}

/// The value of an annotation; empty when there is none.
fn mark<'a>(pod: &'a Pod, name: &str) -> &'a str {
    pod.annotations().get(name).map_or("", String::as_str)
}

/// The revision, which the injector writes as annotation and as label.
fn revision(pod: &Pod) -> String {
    pod.annotations()
        .get("istio.io/rev")
        .or_else(|| pod.labels().get("istio.io/rev"))
        .cloned()
        .unwrap_or_else(|| DEFAULT_REVISION.to_owned())
}

/// The namespace in `istiod.NAMESPACE.svc…:15012`.
fn namespace_of(discovery_address: &str) -> Option<String> {
    let host = discovery_address.split(':').next()?;
    let mut labels = host.split('.').skip(1);
    let namespace = labels.next()?;
    (labels.next() == Some("svc")).then(|| namespace.to_owned())
}

fn owner(pod: &Pod) -> PodOwner {
    let Some(owner) = pod
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))
    else {
        return PodOwner::Unowned;
    };
    let name = owner.name.clone();
    match owner.kind.as_str() {
        "ReplicaSet" => deployment(pod, name),
        "StatefulSet" => PodOwner::StatefulSet(name),
        "DaemonSet" => PodOwner::DaemonSet(name),
        "Job" => PodOwner::Job(name),
        kind => PodOwner::Other(kind.to_owned(), name),
    }
}

/// The Deployment behind a ReplicaSet, whose name is that of the Deployment and the hash of the pod template.
fn deployment(pod: &Pod, replica_set: String) -> PodOwner {
    let name = pod
        .labels()
        .get(TEMPLATE_HASH)
        .and_then(|hash| replica_set.strip_suffix(hash.as_str())?.strip_suffix('-'));
    match name {
        Some(name) if pod.labels().contains_key(GATEWAY_MANAGED) => PodOwner::ManagedGateway(name.to_owned()),
        Some(name) => PodOwner::Deployment(name.to_owned()),
        None => PodOwner::Other("ReplicaSet".to_owned(), replica_set),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn pod(metadata: &Value, spec: &Value, phase: &str) -> Option<Proxy> {
        let mut value = json!({"metadata": metadata, "spec": spec, "status": {"phase": phase}});
        value["metadata"]["namespace"] = json!("shop");
        value["metadata"]["name"] = json!("web-1");
        Proxy::of(&serde_json::from_value(value).unwrap())
    }

    fn injected(config: &str) -> Value {
        json!({"containers": [{"name": "web"}, {"name": "istio-proxy", "env": [{"name": "PROXY_CONFIG", "value": config}]}]})
    }

    #[test]
    fn the_address_is_the_one_that_the_proxy_started_with() {
        let config = "{\"discoveryAddress\":\"istiod-a.mesh.svc:15012\",\"envoyAccessLogService\":{\"address\":\"c:11800\"}}\n";
        let proxy = pod(&json!({}), &injected(config), "Running").unwrap();
        assert_eq!(proxy.address.as_deref(), Some("c:11800"));
        assert_eq!(proxy.mesh_namespace.as_deref(), Some("mesh"));
        assert!(!proxy.unreadable);
    }

    #[test]
    fn an_empty_configuration_has_no_address() {
        let proxy = pod(&json!({}), &injected("{}\n"), "Pending").unwrap();
        assert_eq!((proxy.address, proxy.mesh_namespace), (None, None));
    }

    #[test]
    fn a_native_sidecar_is_found_and_an_ordinary_init_container_is_not() {
        let native = json!({"containers": [{"name": "web"}],
            "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always", "env": [{"name": "PROXY_CONFIG", "value": "{}"}]}]});
        assert!(pod(&json!({}), &native, "Running").is_some());
        let init = json!({"containers": [{"name": "web"}], "initContainers": [{"name": "istio-proxy"}]});
        assert_eq!(pod(&json!({}), &init, "Running"), None);
    }

    #[rstest]
    #[case("Succeeded")]
    #[case("Failed")]
    fn a_pod_that_ended_has_no_proxy(#[case] phase: &str) {
        assert_eq!(pod(&json!({}), &injected("{}"), phase), None);
    }

    #[test]
    fn a_pod_that_is_ending_still_has_its_proxy() {
        let metadata = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(pod(&metadata, &injected("{}"), "Running").unwrap().is_ending);
        assert!(!pod(&json!({}), &injected("{}"), "Running").unwrap().is_ending);
    }

    #[rstest]
    #[case::deployment("ReplicaSet", "web-5d8", PodOwner::Deployment("web".to_owned()))]
    #[case::bare_replica_set("ReplicaSet", "web", PodOwner::Other("ReplicaSet".to_owned(), "web".to_owned()))]
    #[case::stateful_set("StatefulSet", "db", PodOwner::StatefulSet("db".to_owned()))]
    #[case::daemon_set("DaemonSet", "agent", PodOwner::DaemonSet("agent".to_owned()))]
    #[case::job("Job", "nightly", PodOwner::Job("nightly".to_owned()))]
    #[case::rollout("Rollout", "web", PodOwner::Other("Rollout".to_owned(), "web".to_owned()))]
    fn the_owner_is_what_restarts_it(#[case] kind: &str, #[case] name: &str, #[case] expected: PodOwner) {
        let metadata = json!({
            "labels": {"pod-template-hash": "5d8"},
            "ownerReferences": [{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "1", "controller": true}],
        });
        assert_eq!(
            pod(&metadata, &injected("{}"), "Running").unwrap().owner,
            expected
        );
    }

    #[test]
    fn a_gateway_that_istiod_renders_is_rolled_by_istiod() {
        let metadata = json!({
            "labels": {"pod-template-hash": "5d8", "gateway.istio.io/managed": "istio.io-gateway-controller"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "waypoint-5d8", "uid": "1", "controller": true}],
        });
        let owner = pod(&metadata, &injected("{}"), "Running").unwrap().owner;
        assert_eq!(owner, PodOwner::ManagedGateway("waypoint".to_owned()));
    }

    #[rstest]
    #[case(json!(["proxy", "sidecar", "--domain"]), ProxyRole::Sidecar)]
    #[case(json!(["proxy", "router"]), ProxyRole::Gateway)]
    #[case(json!(["proxy", "waypoint"]), ProxyRole::Waypoint)]
    #[case(json!([]), ProxyRole::Sidecar)]
    fn the_role_is_what_the_proxy_was_started_as(#[case] arguments: Value, #[case] role: ProxyRole) {
        let spec = json!({"containers": [{"name": "istio-proxy", "args": arguments}]});
        assert_eq!(pod(&json!({}), &spec, "Running").unwrap().role, role);
    }

    #[rstest]
    #[case("gateway.networking.k8s.io/gateway-name")]
    #[case("istio.io/gateway-name")]
    fn the_gateway_is_in_a_label_and_only_labels_that_are_read_are_kept(#[case] label: &str) {
        let metadata = json!({"labels": {label: "front", "app": "web", "team": "a"}});
        let proxy = pod(&metadata, &injected("{}"), "Running").unwrap();
        assert_eq!(proxy.labels.len(), 3);
        let proxy = proxy.with_labels(&["app"].into());
        assert_eq!(proxy.gateway(), Some("front"));
        let mut kept: Vec<&str> = proxy.labels.keys().map(String::as_str).collect();
        kept.retain(|name| *name != label);
        assert_eq!(kept, ["app"]);
    }

    #[test]
    fn annotations_tell_what_mesh_config_does_not_reach() {
        let metadata = json!({"annotations": {
            "proxy.istio.io/config": "{\"envoyAccessLogService\": {\"address\": \"mine:1\"}}",
            "istio.io/rev": "canary",
        }});
        let proxy = pod(&metadata, &injected("{}"), "Running").unwrap();
        assert!(proxy.overridden);
        assert_eq!(proxy.revision, "canary");

        let metadata = json!({"annotations": {"proxy.istio.io/config": "{\"concurrency\": 2}", "inject.istio.io/templates": "grpc-agent"}});
        let proxy = pod(&metadata, &injected("{}"), "Running").unwrap();
        assert!(!proxy.overridden);
        assert!(proxy.proxyless);
    }

    #[test]
    fn a_proxy_without_the_variable_can_not_be_judged() {
        let spec = json!({"containers": [{"name": "istio-proxy"}]});
        assert!(pod(&json!({}), &spec, "Running").unwrap().unreadable);
    }
}
