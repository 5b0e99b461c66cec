//! The mesh as Kubernetes objects.

use serde_json::{Value, json};

use crate::mesh::{PORT, Pod, Workload};

/// Before every entry starts.
const STARTED: &str = "2026-11-01T00:00:00Z";

/// Pods, Services and `EndpointSlices` of all workloads.
pub fn objects(mesh: &[Workload]) -> Vec<Value> {
    let of_workload = |workload: &Workload| {
        let pods = workload.pods.iter().map(|pod| pod_object(workload, pod));
        let objects = pods.chain([service_object(workload), slice_object(workload)]);
        objects.collect::<Vec<Value>>()
    };
    mesh.iter().flat_map(of_workload).collect()
}

/// The `metadata.uid` of a pod.
pub fn uid(pod: &Pod) -> String {
    format!("uid-{}", pod.name)
}

fn pod_object(workload: &Workload, pod: &Pod) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "generateName": format!("{}-", workload.replica_set()),
            "namespace": workload.namespace,
            "uid": uid(pod),
            "labels": {
                "app": workload.name,
                "version": "v1",
                "pod-template-hash": workload.template_hash(),
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": workload.replica_set(),
                "uid": format!("uid-{}", workload.replica_set()),
                "controller": true,
            }],
        },
        "spec": { "containers": [{ "name": workload.name, "ports": [{ "containerPort": PORT }] }] },
        "status": {
            "phase": "Running",
            "podIP": pod.address,
            "podIPs": [{ "ip": pod.address }],
            "startTime": STARTED,
        },
    })
}

fn service_object(workload: &Workload) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": workload.name,
            "namespace": workload.namespace,
            "creationTimestamp": STARTED,
        },
        "spec": {
            "clusterIP": workload.service_address,
            "clusterIPs": [workload.service_address],
            "ports": [{ "name": "http", "port": PORT, "targetPort": PORT }],
            "selector": { "app": workload.name },
        },
    })
}

fn slice_object(workload: &Workload) -> Value {
    let endpoint = |pod: &Pod| {
        json!({
            "addresses": [pod.address],
            "targetRef": {
                "kind": "Pod",
                "name": pod.name,
                "namespace": workload.namespace,
                "uid": uid(pod),
            },
        })
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{}-h5n8w", workload.name),
            "namespace": workload.namespace,
            "labels": { "kubernetes.io/service-name": workload.name },
        },
        "addressType": "IPv4",
        "endpoints": workload.pods.iter().map(endpoint).collect::<Vec<Value>>(),
        "ports": [{ "name": "http", "port": PORT, "protocol": "TCP" }],
    })
}
