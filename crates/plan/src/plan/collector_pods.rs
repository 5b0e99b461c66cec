//! The Deployment of a collector, and its pods.

use std::time::Duration;

use alscope_collector_config::{Config, Ending};
use serde_json::{Value, json};

use crate::api::{CollectorSpec, LogLevel, MeshObservability};
use crate::world::{MANAGED_BY_LABEL, OPERATOR_NAME, OWNER_UID_LABEL};

use super::resource_requests::with_default_requests;
use super::settings::{ADMIN_PORT, GRPC_PORT, OperatorSettings, WEB_PORT};

/// The name of the collector's file in its ConfigMap.
pub const CONFIG_FILE: &str = "collector.yaml";
/// The directory of the collector's file in its pods.
pub const CONFIG_DIRECTORY: &str = "/etc/alscope";
/// The volume with the collector's file.
const CONFIG_VOLUME: &str = "config";
/// How long a collector may take to end beside the stages that its configuration bounds, and a reserve.
const OTHER_STAGES: Duration = Duration::from_secs(25);

/// The image that a resource's collector runs.
pub fn image<'a>(spec: &'a CollectorSpec, settings: &'a OperatorSettings) -> &'a str {
    if spec.image.is_empty() {
        &settings.collector_image
    } else {
        &spec.image
    }
}

/// The labels that tell the pods of one collector from all others.
pub fn selector(resource: &MeshObservability) -> Value {
    json!({
        "app.kubernetes.io/name": "alscope-collector",
        "app.kubernetes.io/instance": resource.name(),
    })
}

/// The labels of every object of a collector.
pub fn labels(resource: &MeshObservability) -> Value {
    let mut labels = selector(resource);
    labels["app.kubernetes.io/component"] = json!("collector");
    labels["app.kubernetes.io/part-of"] = json!("alscope");
    labels[MANAGED_BY_LABEL] = json!(OPERATOR_NAME);
    labels[OWNER_UID_LABEL] = json!(resource.uid());
    labels
}

/// The Deployment of a collector with this configuration, which is in the ConfigMap `config_name`. Beside an autoscaler it names no
/// number of replicas.
pub fn deployment(
    resource: &MeshObservability,
    settings: &OperatorSettings,
    config: &Config,
    config_name: &str,
) -> Value {
    let collector = &resource.spec.collector;
    let mut pod_labels = labels(resource);
    // With a sidecar of its own, the collector would get logs about its own logs, and STRICT mTLS would refuse proxies'
    // plain streams.
    pod_labels["sidecar.istio.io/inject"] = json!("false");
    pod_labels["istio.io/dataplane-mode"] = json!("none");
    let mut metadata = json!({"labels": over(json!(collector.pods.labels), &pod_labels)});
    if !collector.pods.annotations.is_empty() {
        metadata["annotations"] = json!(collector.pods.annotations);
    }
    let mut deployment = json!({"spec": {
        "selector": {"matchLabels": selector(resource)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": metadata, "spec": pod(resource, settings, config, config_name)},
    }});
    if collector.autoscaling.is_none() {
        deployment["spec"]["replicas"] = json!(collector.replicas);
    }
    deployment
}

fn pod(
    resource: &MeshObservability,
    settings: &OperatorSettings,
    config: &Config,
    config_name: &str,
) -> Value {
    let collector = &resource.spec.collector;
    let added = &collector.pods;
    let service_account = if added.service_account_name.is_empty() {
        &settings.collector_service_account
    } else {
        &added.service_account_name
    };
    let security = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    let volumes: Vec<Value> = [json!({"name": CONFIG_VOLUME, "configMap": {"name": config_name}})]
        .into_iter()
        .chain(added.volumes.iter().map(|volume| json!(volume)))
        .collect();
    let mut pod = json!({
        "serviceAccountName": service_account,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": grace_seconds(&config.ending),
        "securityContext": over(security, &json!(added.security_context)),
        "containers": [container(collector, settings)],
        "volumes": volumes,
    });
    if !added.image_pull_secrets.is_empty() {
        pod["imagePullSecrets"] = json!(added.image_pull_secrets);
    }
    if !resource.spec.analysis.looks_up() {
        // It asks the API server nothing, so nobody who gets into it can.
        pod["automountServiceAccountToken"] = json!(false);
    }
    over(pod, &json!(collector.scheduling))
}

fn container(collector: &CollectorSpec, settings: &OperatorSettings) -> Value {
    let added = &collector.pods;
    let security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
    let mounts: Vec<Value> =
        [json!({"name": CONFIG_VOLUME, "mountPath": CONFIG_DIRECTORY, "readOnly": true})]
            .into_iter()
            .chain(added.volume_mounts.iter().map(|mount| json!(mount)))
            .collect();
    let mut ports = vec![
        json!({"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"}),
        json!({"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"}),
    ];
    if collector.web.expose {
        ports.push(json!({"name": "web", "containerPort": WEB_PORT, "protocol": "TCP"}));
    }
    let mut container = json!({
        "name": "collector",
        "image": image(collector, settings),
        "args": ["--config", format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}")],
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": over(security, &json!(added.container_security_context)),
        "volumeMounts": mounts,
        "resources": with_default_requests(&collector.resources),
    });
    if let Some(policy) = added.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    let mut environment: Vec<Value> = added.env.iter().map(|variable| json!(variable)).collect();
    if collector.log_level != LogLevel::default() {
        environment.push(json!({"name": "RUST_LOG", "value": collector.log_level.as_str()}));
    }
    if !environment.is_empty() {
        container["env"] = json!(environment);
    }
    container
}

/// An object with the fields of another one over its own.
fn over(mut object: Value, fields: &Value) -> Value {
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.clone());
    }
    object
}

/// How long a collector may take to end, in whole seconds.
fn grace_seconds(ending: &Ending) -> u64 {
    let time = ending.accept + ending.scrape + OTHER_STAGES;
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
