//! What a run may end in.

use alscope_plan::plan::settings::OperatorSettings;
use serde_json::Value;

use crate::cluster::{Cluster, OWN};
use crate::drive::has_finalizer;
use crate::mesh;

const OWNED: [&str; 6] = [
    "configmaps",
    "services",
    "deployments.apps",
    "poddisruptionbudgets.policy",
    "networkpolicies.networking.k8s.io",
    "horizontalpodautoscalers.autoscaling",
];

/// The objects that the operator made for a resource, but the backups: resource and name.
pub(crate) fn children(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for resource in OWNED {
        for object in cluster.server.list(resource) {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            let is_ours = metadata["labels"].get("alscope.dev/owner-uid").is_some();
            if is_ours && !name.starts_with("alscope-backup-") {
                found.push((resource, name.to_owned()));
            }
        }
    }
    found
}

fn backups(cluster: &Cluster) -> Vec<String> {
    let all = cluster.server.list("configmaps");
    let names = all.iter().filter_map(|one| one["metadata"]["name"].as_str());
    names
        .filter(|name| name.starts_with("alscope-backup-"))
        .map(str::to_owned)
        .collect()
}

/// How many writes the operators asked for, also such that changed nothing, but of Leases and Events.
pub(crate) fn writes(cluster: &Cluster) -> usize {
    let all = cluster.server.requests();
    let of_operators = all
        .iter()
        .filter(|(asked, _)| asked.user.starts_with("operator") && !asked.verb.reads())
        .filter(|(asked, _)| !asked.resource.starts_with("leases") && !asked.resource.starts_with("events"));
    of_operators.map(|(_, count)| count).sum()
}

/// The end is one of those that are expected, or why not.
pub(crate) fn judge(cluster: &Cluster, settings: &OperatorSettings, foreign: &str) -> Result<(), String> {
    let resource = cluster
        .server
        .get("meshobservabilities.alscope.dev", "", "alscope");
    let text = cluster.mesh_text().unwrap_or_default();
    let Some(resource) = resource else {
        return nothing_is_left(cluster, &text, foreign);
    };
    if resource["metadata"].get("deletionTimestamp").is_some() {
        return Err(format!("the resource does not end: {}", ready(&resource)));
    }
    let address = alscope_mesh_config::read(&text)
        .ok()
        .and_then(|settings| settings.address().map(str::to_owned));
    match resource["spec"]["managementState"].as_str() {
        Some("Removed") => {
            if has_finalizer(&resource) {
                return Err(format!("the resource is not removed: {}", ready(&resource)));
            }
            nothing_is_left(cluster, &text, foreign)
        }
        Some("Managed") => {
            let reason = resource["status"]["state"].as_str().unwrap_or_default();
            let refuses = resource["spec"]["mesh"]["conflictPolicy"] != "Overwrite";
            if reason == "MeshConfigContended"
                || (reason == "ForeignAddress" && refuses && foreign.ends_with(mesh::FOREIGN))
            {
                return Ok(());
            }
            if reason != "Ready" {
                return Err(format!("it is not ready: {}", ready(&resource)));
            }
            if address.as_deref() != Some(settings.address("alscope").as_str()) {
                return Err(format!("it says to be ready, and mesh config names {address:?}"));
            }
            if backups(cluster).len() != 1 {
                return Err(format!("the backups are {:?}", backups(cluster)));
            }
            let deployment = cluster.server.get("deployments.apps", OWN, "alscope-collector");
            let deployment = deployment.unwrap_or_default();
            let replicas = &deployment["spec"]["replicas"];
            let wanted = resource["spec"]["collector"]["replicas"].as_u64().unwrap_or(1);
            if *replicas != wanted {
                return Err(format!("the collector has {replicas} replicas"));
            }
            let pod = &deployment["spec"]["template"]["spec"];
            let image = &pod["containers"][0]["image"];
            if *image != settings.collector_image
                || pod["serviceAccountName"] != settings.collector_service_account
            {
                return Err(format!("the collector has the image {image}"));
            }
            Ok(())
        }
        // Everything stays as it is.
        _ => Ok(()),
    }
}

fn nothing_is_left(cluster: &Cluster, text: &str, foreign: &str) -> Result<(), String> {
    if text != foreign {
        return Err(format!("mesh config is\n{text}\nand not\n{foreign}"));
    }
    let (children, backups) = (children(cluster), backups(cluster));
    if !children.is_empty() || !backups.is_empty() {
        return Err(format!("{children:?} and {backups:?} are left"));
    }
    let config_map = cluster
        .server
        .get("configmaps", mesh::MESH, "istio")
        .unwrap_or_default();
    let entries = config_map["metadata"]["managedFields"].as_array();
    if entries.is_some_and(|all| all.iter().any(|entry| entry["manager"] == "alscope-operator")) {
        return Err("the operator still owns mesh config".to_owned());
    }
    Ok(())
}

fn ready(resource: &Value) -> String {
    let conditions = resource["status"]["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    ready.map_or_else(|| "no condition".to_owned(), Value::to_string)
}
