//! The objects of a collector: how they have to be, and which of them differ.

use alscope_collector_config::ConfigError;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::{AutoscalingSpec, MeshObservability, Wiring};
use crate::world::{Collector, OwnedKind};

use super::collector_config::collector_config;
use super::collector_pods::{CONFIG_FILE, deployment, labels, selector};
use super::network_policy::network_policy;
use super::object_comparison::contains;
use super::settings::{ADMIN_PORT, GRPC_PORT, OperatorSettings, WEB_PORT};
use super::step::{DesiredObject, Step};

/// The annotation with a digest of what was applied. It changes when a field goes, so that the next apply removes that field.
const APPLIED_ANNOTATION: &str = "alscope.dev/applied";

/// The objects of a resource's collector, in the order in which they are applied. An error says which value of the resource the
/// collector would refuse.
pub fn desired_objects(
    resource: &MeshObservability,
    settings: &OperatorSettings,
) -> Result<Vec<DesiredObject>, ConfigError> {
    let name = OperatorSettings::collector_name(resource.name());
    let collector = &resource.spec.collector;
    let config = collector_config(resource, settings)?;
    let file = config.render();
    let config_name = format!("{name}-{}", digest(&file));
    let object = |kind, name: &str, body| desired_object(resource, settings, kind, name, body);
    let mut objects = vec![
        object(
            OwnedKind::ConfigMap,
            &config_name,
            json!({"data": {CONFIG_FILE: file}}),
        ),
        object(OwnedKind::Service, &name, service(resource)),
        object(
            OwnedKind::Deployment,
            &name,
            deployment(resource, settings, &config, &config_name),
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
    let network_policy = network_policy(collector, &selector(resource));
    objects.extend(network_policy.map(|policy| object(OwnedKind::NetworkPolicy, &name, policy)));
    let autoscaler = collector.autoscaling.as_ref().map(|spec| autoscaler(spec, &name));
    objects.extend(autoscaler.map(|body| object(OwnedKind::HorizontalPodAutoscaler, &name, body)));
    Ok(objects)
}

/// An object of a collector, with the metadata that all of them have.
fn desired_object(
    resource: &MeshObservability,
    settings: &OperatorSettings,
    kind: OwnedKind,
    name: &str,
    mut object: Value,
) -> DesiredObject {
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.as_str());
    object["metadata"]["namespace"] = json!(settings.namespace);
    object["metadata"]["name"] = json!(name);
    object["metadata"]["labels"] = labels(resource);
    object["metadata"]["ownerReferences"] = json!([owner(resource)]);
    let applied = digest(&object.to_string());
    object["metadata"]["annotations"][APPLIED_ANNOTATION] = json!(applied);
    DesiredObject {
        kind,
        name: name.to_owned(),
        object,
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
    kept_replicas(&applied, collector)
        .into_iter()
        .chain(applied.iter().map(|&one| Step::Apply(one.clone())))
        .chain(deletes)
        .collect()
}

/// The step before the first apply without a number of replicas. That apply would give the number up, and Kubernetes would fill in
/// its default, 1, until the autoscaler acts.
fn kept_replicas(applied: &[&DesiredObject], collector: &Collector) -> Option<Step> {
    let begins = |one: &&&DesiredObject| one.kind == OwnedKind::HorizontalPodAutoscaler;
    let autoscaler = applied.iter().find(begins)?;
    if collector.find(autoscaler.kind, &autoscaler.name).is_some() {
        return None;
    }
    let deployment = collector.find(OwnedKind::Deployment, &autoscaler.name)?;
    let replicas = deployment.object.pointer("/spec/replicas")?.as_i64()?;
    Some(Step::KeepReplicas {
        deployment: deployment.name.clone(),
        uid: deployment.uid().to_owned(),
        replicas,
    })
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

fn service(resource: &MeshObservability) -> Value {
    let collector = &resource.spec.collector;
    let asked = &collector.service;
    let mut ports = vec![
        json!({"name": "grpc-als", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP"}),
        json!({"name": "http-admin", "port": ADMIN_PORT, "targetPort": "admin", "protocol": "TCP"}),
    ];
    if collector.web.expose {
        ports.push(json!({"name": "http-web", "port": WEB_PORT, "targetPort": "web", "protocol": "TCP"}));
    }
    let mut service = json!({"spec": {"type": asked.type_, "selector": selector(resource), "ports": ports}});
    if !asked.ip_families.is_empty() {
        service["spec"]["ipFamilies"] = json!(asked.ip_families);
    }
    if let Some(policy) = asked.ip_family_policy {
        service["spec"]["ipFamilyPolicy"] = json!(policy);
    }
    let mut annotations = asked.annotations.clone();
    if resource.spec.mesh.wiring == Wiring::TelemetryProvider {
        // Mesh config's defaultServiceExportTo would keep the Service from the proxies of other namespaces.
        annotations.insert("networking.istio.io/exportTo".to_owned(), "*".to_owned());
    }
    if !annotations.is_empty() {
        service["metadata"]["annotations"] = json!(annotations);
    }
    service
}

/// The autoscaler of the Deployment of this name.
fn autoscaler(asked: &AutoscalingSpec, name: &str) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": asked.target_cpu_utilization});
    json!({"spec": {
        "scaleTargetRef": {"apiVersion": OwnedKind::Deployment.api_version(), "kind": "Deployment", "name": name},
        "minReplicas": asked.min_replicas,
        "maxReplicas": asked.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }})
}
