//! A resource's collector, out of what the operator's own namespace has of it.

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::{
    Backup, Collector, OWNER_UID_LABEL, ObjectName, OwnedKind, OwnedObject, ReadError, ReadResult,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::json;

use super::ClusterReader;
use super::replica_status::ReplicaPoller;

impl ClusterReader {
    /// The addresses of collector pods that are ready.
    pub fn collector_addresses(&self) -> Vec<String> {
        let slices = self.endpoint_slices.read(|slice| Some(ready_addresses(slice)));
        let mut addresses = slices.unwrap_or_default().concat();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    pub(super) fn collector(
        &self,
        resource: &MeshObservability,
        replica_poller: &ReplicaPoller,
    ) -> ReadResult<Collector> {
        let uid = resource.uid();
        let mut owned = Vec::new();
        for (kind, cache) in &self.owned {
            owned.extend(cache.read(|object| is_of(object, uid).then(|| as_owned(*kind, object)).flatten())?);
        }
        judgeable(&owned)?;
        let service = OperatorSettings::collector_name(resource.name());
        let slices = self.endpoint_slices.read(|slice| {
            let is_of_service = slice.labels().get("kubernetes.io/service-name") == Some(&service);
            is_of_service.then(|| ready_addresses(slice))
        });
        let addresses = slices?.concat();
        let pods = self.collector_pods.read(|pod| is_of(pod, uid).then_some(()));
        Ok(Collector {
            owned,
            pods: pods?.len(),
            ready_endpoints: addresses.len(),
            replica_statuses: addresses
                .iter()
                .map(|address| replica_poller.get(address))
                .collect(),
        })
    }
}

fn ready_addresses(slice: &EndpointSlice) -> Vec<String> {
    slice
        .endpoints
        .iter()
        .filter(|endpoint| {
            endpoint
                .conditions
                .as_ref()
                .is_some_and(|conditions| conditions.ready == Some(true))
        })
        .flat_map(|endpoint| endpoint.addresses.clone())
        .collect()
}

fn is_of(object: &impl Resource, uid: &str) -> bool {
    object.labels().get(OWNER_UID_LABEL).map(String::as_str) == Some(uid)
}

/// Whether the collector's Deployment says how far it is.
fn judgeable(owned: &[OwnedObject]) -> ReadResult<()> {
    let mut deployments = owned.iter().filter(|one| one.kind == OwnedKind::Deployment);
    deployments.try_for_each(|one| match Deployment::deserialize(&one.object) {
        Ok(_) => Ok(()),
        Err(error) => Err(ReadError::Undecodable {
            resource: "deployments.apps".to_owned(),
            name: ObjectName::new("", &one.name),
            message: error.to_string(),
        }),
    })
}

/// Backups are not among what a resource's deletion takes with it. A list of a built-in kind names it once and its items do not, so
/// the kind is what was asked for: compared with what is wanted, such an item would never be the same.
fn as_owned(kind: OwnedKind, object: &DynamicObject) -> Option<OwnedObject> {
    let name = object.name_any();
    let is_backup = kind == OwnedKind::ConfigMap && Backup::uid_of(&name).is_some();
    (!is_backup).then(|| {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.as_str());
        OwnedObject { kind, name, object }
    })
}
