//! The directory file: the mesh's objects as `kubectl get pods,services,endpointslices,nodes -A -o yaml` prints them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json, to_value};

use crate::mesh::{Mesh, Pod, Proxy, Service};

/// The name of the only Node.
pub(crate) const NODE: &str = "node0";

/// The labels of a pod, as its Deployment writes them.
pub(crate) fn labels(pod: &Pod) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([("app".to_owned(), pod.app.to_owned())]);
    if let Some(version) = pod.version {
        labels.insert("version".to_owned(), version.to_owned());
    }
    if pod.proxy == Proxy::Gateway {
        labels.insert("istio".to_owned(), "ingressgateway".to_owned());
    }
    labels
}

/// The file's text, for pods that started at `started`.
pub(crate) fn yaml(mesh: &Mesh, started: Timestamp) -> anyhow::Result<String> {
    let pods = mesh
        .pods
        .iter()
        .map(|pod| to_value(pod_object(mesh, pod, started)));
    let services = mesh
        .services
        .iter()
        .map(|service| to_value(service_object(service)));
    let slices = mesh
        .services
        .iter()
        .map(|service| to_value(slice_object(mesh, service)));
    let node = [to_value(node_object(mesh))];
    let items = pods
        .chain(services)
        .chain(slices)
        .chain(node)
        .collect::<Result<Vec<Value>, _>>()?;
    let list =
        json!({ "apiVersion": "v1", "items": items, "kind": "List", "metadata": { "resourceVersion": "" } });
    serde_saphyr::to_string(&list)
        .context("the directory file cannot be written as YAML; report this as a bug")
}

fn pod_object(mesh: &Mesh, pod: &Pod, started: Timestamp) -> core::Pod {
    let replica_set = pod.replica_set();
    let hash = replica_set.rsplit('-').next().map(str::to_owned);
    let mut labels = labels(pod);
    labels.extend(hash.map(|hash| ("pod-template-hash".to_owned(), hash)));
    let containers = container_names(pod);
    core::Pod {
        metadata: ObjectMeta {
            creation_timestamp: Some(Time(started)),
            generate_name: Some(format!("{replica_set}-")),
            labels: Some(labels),
            owner_references: Some(vec![OwnerReference {
                api_version: "apps/v1".to_owned(),
                block_owner_deletion: Some(true),
                controller: Some(true),
                kind: "ReplicaSet".to_owned(),
                uid: format!("uid-{replica_set}"),
                name: replica_set,
            }]),
            ..metadata(pod.namespace, pod.name())
        },
        spec: Some(core::PodSpec {
            containers: containers.iter().map(|name| container(name)).collect(),
            node_name: Some(NODE.to_owned()),
            ..core::PodSpec::default()
        }),
        status: Some(core::PodStatus {
            container_statuses: Some(containers.iter().map(|name| running(name, started)).collect()),
            host_ip: Some(mesh.node_address.to_string()),
            phase: Some("Running".to_owned()),
            pod_ip: Some(pod.address.to_string()),
            pod_ips: Some(vec![core::PodIP {
                ip: pod.address.to_string(),
            }]),
            start_time: Some(Time(started)),
            ..core::PodStatus::default()
        }),
    }
}

fn container_names(pod: &Pod) -> Vec<&'static str> {
    match pod.proxy {
        Proxy::Sidecar => vec![pod.app, "istio-proxy"],
        Proxy::Gateway => vec!["istio-proxy"],
        Proxy::Absent => vec![pod.app],
    }
}

fn container(name: &str) -> core::Container {
    core::Container {
        name: name.to_owned(),
        image: Some(image(name)),
        ..core::Container::default()
    }
}

fn running(name: &str, started: Timestamp) -> core::ContainerStatus {
    let state = core::ContainerStateRunning {
        started_at: Some(Time(started)),
    };
    core::ContainerStatus {
        name: name.to_owned(),
        image: image(name),
        ready: true,
        started: Some(true),
        state: Some(core::ContainerState {
            running: Some(state),
            ..core::ContainerState::default()
        }),
        ..core::ContainerStatus::default()
    }
}

fn image(container: &str) -> String {
    let image = if container == "istio-proxy" {
        "docker.io/istio/proxyv2:1"
    } else {
        "docker.io/alscope/bookinfo:e2e"
    };
    image.to_owned()
}

fn service_object(service: &Service) -> core::Service {
    let address = service.cluster_address.to_string();
    core::Service {
        metadata: metadata(service.namespace, service.name.to_owned()),
        spec: Some(core::ServiceSpec {
            cluster_ip: Some(address.clone()),
            cluster_ips: Some(vec![address]),
            ports: Some(vec![core::ServicePort {
                app_protocol: Some(service.protocol.name().to_owned()),
                name: Some(service.protocol.name().to_owned()),
                port: service.port.into(),
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(service.target_port.into())),
                ..core::ServicePort::default()
            }]),
            selector: Some(BTreeMap::from([("app".to_owned(), service.app.to_owned())])),
            type_: Some("ClusterIP".to_owned()),
            ..core::ServiceSpec::default()
        }),
        ..core::Service::default()
    }
}

fn slice_object(mesh: &Mesh, service: &Service) -> EndpointSlice {
    let mut metadata = metadata(service.namespace, format!("{}-h5n8w", service.name));
    metadata.labels = Some(BTreeMap::from([(
        "kubernetes.io/service-name".to_owned(),
        service.name.to_owned(),
    )]));
    EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints: mesh.pods_of(service).map(endpoint).collect(),
        metadata,
        ports: Some(vec![EndpointPort {
            app_protocol: Some(service.protocol.name().to_owned()),
            name: Some(service.protocol.name().to_owned()),
            port: Some(service.target_port.into()),
            protocol: Some("TCP".to_owned()),
        }]),
    }
}

fn endpoint(pod: &Pod) -> Endpoint {
    Endpoint {
        addresses: vec![pod.address.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            serving: Some(true),
            terminating: Some(false),
        }),
        node_name: Some(NODE.to_owned()),
        target_ref: Some(core::ObjectReference {
            kind: Some("Pod".to_owned()),
            name: Some(pod.name()),
            namespace: Some(pod.namespace.to_owned()),
            uid: Some(format!("uid-{}", pod.name())),
            ..core::ObjectReference::default()
        }),
        ..Endpoint::default()
    }
}

fn node_object(mesh: &Mesh) -> core::Node {
    let address = |type_: &str, address: String| core::NodeAddress {
        type_: type_.to_owned(),
        address,
    };
    core::Node {
        metadata: ObjectMeta {
            namespace: None,
            ..metadata("", NODE.to_owned())
        },
        status: Some(core::NodeStatus {
            addresses: Some(vec![
                address("InternalIP", mesh.node_address.to_string()),
                address("Hostname", NODE.to_owned()),
            ]),
            ..core::NodeStatus::default()
        }),
        ..core::Node::default()
    }
}

fn metadata(namespace: &str, name: String) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        resource_version: Some("1".to_owned()),
        uid: Some(format!("uid-{name}")),
        name: Some(name),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::testing::mesh;

    #[test]
    fn the_list_holds_every_object_with_its_kind() {
        let (mesh, _claims) = mesh();
        let started = "2026-11-22T12:00:00Z".parse().unwrap();
        let list: Value = serde_saphyr::from_str(&yaml(&mesh, started).unwrap()).unwrap();
        assert_eq!(list["kind"], "List");
        let kinds: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["kind"].as_str().unwrap())
            .collect();
        let count = |kind| kinds.iter().filter(|found| **found == kind).count();
        assert_eq!(
            [
                count("Pod"),
                count("Service"),
                count("EndpointSlice"),
                count("Node"),
                kinds.len()
            ],
            [9, 6, 6, 1, 22]
        );
    }

    #[test]
    fn a_pod_has_owner_labels_address_and_start() {
        let (mesh, _claims) = mesh();
        let started: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let list: Value = serde_saphyr::from_str(&yaml(&mesh, started).unwrap()).unwrap();
        let reviews = mesh.pods.iter().find(|pod| pod.workload == "reviews-v2").unwrap();
        let items = list["items"].as_array().unwrap();
        let object = items
            .iter()
            .find(|item| item["metadata"]["name"] == *reviews.name())
            .unwrap();
        assert_eq!(
            object["metadata"]["ownerReferences"][0]["name"],
            "reviews-v2-6d8f7c5b94"
        );
        assert_eq!(object["metadata"]["labels"]["version"], "v2");
        assert_eq!(object["status"]["podIP"], reviews.address.to_string());
        assert_eq!(object["status"]["startTime"], "2026-11-22T12:00:00Z");
        assert_eq!(object["status"]["containerStatuses"][1]["name"], "istio-proxy");
    }
}
