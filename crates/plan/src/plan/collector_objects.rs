//! The objects of a collector: how they have to be, and which of them differ.

use alscope_collector_config::{Analysis, Config, Directory, Kubernetes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::{CollectorSpec, MeshObservability, Wiring};
use crate::world::{Collector, MANAGED_BY_LABEL, OPERATOR_NAME, OWNER_UID_LABEL, OwnedKind};

use super::network_policy::network_policy;
use super::object_comparison::contains;
use super::resource_requests::with_default_requests;
use super::settings::{ADMIN_PORT, GRPC_PORT, OperatorSettings};
use super::step::{DesiredObject, Step};

/// The annotation with a digest of what was applied. It changes when a field goes, so that the next apply removes that field.
const APPLIED_ANNOTATION: &str = "alscope.dev/applied";
/// How long a collector may take to end, in seconds: the sum of what its stages may take by default, and a reserve.
const GRACE_SECONDS: u32 = 60;
const CONFIG_FILE: &str = "collector.yaml";
const CONFIG_DIRECTORY: &str = "/etc/alscope";

/// The objects of a resource's collector, in the order in which they are applied.
pub fn desired_objects(resource: &MeshObservability, settings: &OperatorSettings) -> Vec<DesiredObject> {
    let name = OperatorSettings::collector_name(resource.name());
    let config = config(resource);
    let config_name = format!("{name}-{}", digest(&config));
    let object = |kind: OwnedKind, name: &str, mut object: Value| {
        let labels = labels(resource);
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.as_str());
        object["metadata"] = json!({
            "namespace": settings.namespace,
            "name": name,
            "labels": labels,
            "ownerReferences": [owner(resource)],
        });
        let applied = digest(&object.to_string());
        object["metadata"]["annotations"] = json!({ APPLIED_ANNOTATION: applied });
        DesiredObject {
            kind,
            name: name.to_owned(),
            object,
        }
    };
    let network_policy = network_policy(&resource.spec.collector.network_policy, &selector(resource));
    let mut objects = vec![
        object(
            OwnedKind::ConfigMap,
            &config_name,
            json!({"data": {CONFIG_FILE: config}}),
        ),
        object(OwnedKind::Service, &name, service(resource)),
        object(
            OwnedKind::Deployment,
            &name,
            deployment(resource, settings, &config_name),
        ),
        object(
            OwnedKind::PodDisruptionBudget,
            &name,
            json!({"spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": selector(resource)},
            }}),
        ),
    ];
    objects.extend(network_policy.map(|policy| object(OwnedKind::NetworkPolicy, &name, policy)));
    objects
}

/// The image that a resource's collector runs.
pub fn image<'a>(spec: &'a CollectorSpec, settings: &'a OperatorSettings) -> &'a str {
    if spec.image.is_empty() {
        &settings.collector_image
    } else {
        &spec.image
    }
}

/// The writes that make the objects as they have to be. An old configuration stays until every pod has the new one.
pub fn apply_steps(desired: &[DesiredObject], collector: &Collector, is_rolled_out: bool) -> Vec<Step> {
    let differs = |wanted: &&DesiredObject| {
        collector
            .find(wanted.kind, &wanted.name)
            .is_none_or(|owned| !contains(&wanted.object, &owned.object))
    };
    let applied: Vec<&DesiredObject> = desired.iter().filter(differs).collect();
    // What is rolled out is the Deployment as it is, not as it is about to be.
    let is_rolled_out = is_rolled_out && applied.iter().all(|one| one.kind != OwnedKind::Deployment);
    let surplus = collector.owned.iter().filter(|owned| {
        let wanted = desired
            .iter()
            .any(|wanted| wanted.kind == owned.kind && wanted.name == owned.name);
        !wanted && !owned.is_ending() && (owned.kind != OwnedKind::ConfigMap || is_rolled_out)
    });
    let deletes = surplus.map(|owned| Step::Delete {
        kind: owned.kind,
        name: owned.name.clone(),
        uid: owned.uid().to_owned(),
    });
    applied
        .into_iter()
        .cloned()
        .map(Step::Apply)
        .chain(deletes)
        .collect()
}

/// The first ten hexadecimal digits of the SHA-256 of a text.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let number = digest
        .iter()
        .take(5)
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:010x}")
}

fn selector(resource: &MeshObservability) -> Value {
    json!({
        "app.kubernetes.io/name": "alscope-collector",
        "app.kubernetes.io/instance": resource.name(),
    })
}

fn labels(resource: &MeshObservability) -> Value {
    let mut labels = selector(resource);
    labels["app.kubernetes.io/component"] = json!("collector");
    labels["app.kubernetes.io/part-of"] = json!("alscope");
    labels[MANAGED_BY_LABEL] = json!(OPERATOR_NAME);
    labels[OWNER_UID_LABEL] = json!(resource.uid());
    labels
}

/// The owner reference to the resource, which may own objects of any namespace because it is cluster-scoped.
fn owner(resource: &MeshObservability) -> Value {
    json!({
        "apiVersion": "alscope.dev/v1alpha1",
        "kind": "MeshObservability",
        "name": resource.name(),
        "uid": resource.uid(),
        "controller": true,
    })
}

/// The configuration file of the collector.
fn config(resource: &MeshObservability) -> String {
    let analysis = &resource.spec.analysis;
    let config = Config {
        directory: if analysis.looks_up() {
            Directory::Kubernetes(Kubernetes::default())
        } else {
            Directory::None
        },
        analysis: Analysis {
            http: analysis.http.0.clone(),
            tcp: analysis.tcp.0.clone(),
            ..Analysis::default()
        },
        ..Config::default()
    };
    config.render()
}

fn service(resource: &MeshObservability) -> Value {
    let mut service = json!({"spec": {
        "selector": selector(resource),
        "ports": [
            {"name": "grpc-als", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP"},
            {"name": "http-admin", "port": ADMIN_PORT, "targetPort": "admin", "protocol": "TCP"},
        ],
    }});
    if resource.spec.mesh.wiring == Wiring::TelemetryProvider {
        // Mesh config's defaultServiceExportTo would keep the Service from the proxies of other namespaces.
        service["metadata"] = json!({"annotations": {"networking.istio.io/exportTo": "*"}});
    }
    service
}

fn deployment(resource: &MeshObservability, settings: &OperatorSettings, config_name: &str) -> Value {
    let collector = &resource.spec.collector;
    let mut pod_labels = labels(resource);
    // With a sidecar of its own, the collector would get logs about its own logs, and STRICT mTLS would refuse proxies'
    // plain streams.
    pod_labels["sidecar.istio.io/inject"] = json!("false");
    pod_labels["istio.io/dataplane-mode"] = json!("none");
    json!({"spec": {
        "replicas": collector.replicas,
        "selector": {"matchLabels": selector(resource)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": pod_labels},
            "spec": pod(resource, settings, config_name),
        },
    }})
}

fn pod(resource: &MeshObservability, settings: &OperatorSettings, config_name: &str) -> Value {
    let collector = &resource.spec.collector;
    let mut pod = json!({
        "serviceAccountName": settings.collector_service_account,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(collector, settings)],
        "volumes": [{"name": "config", "configMap": {"name": config_name}}],
    });
    if !resource.spec.analysis.looks_up() {
        // It asks the API server nothing, so nobody who gets into it can.
        pod["automountServiceAccountToken"] = json!(false);
    }
    if let (Some(pod), Ok(Value::Object(scheduling))) =
        (pod.as_object_mut(), serde_json::to_value(&collector.scheduling))
    {
        pod.extend(scheduling);
    }
    pod
}

fn container(collector: &CollectorSpec, settings: &OperatorSettings) -> Value {
    json!({
        "name": "collector",
        "image": image(collector, settings),
        "args": ["--config", format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}")],
        "ports": [
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": true}],
        "resources": with_default_requests(&collector.resources),
    })
}
