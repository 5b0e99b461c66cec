//! The operator's own namespace: the collectors that run there, and the backups of mesh config.

use std::collections::BTreeMap;

use alscope_plan::api::MeshObservability;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::world::{
    Backup, Collector, MANAGED_BY_LABEL, OPERATOR_NAME, OWNER_UID_LABEL, ObjectName, OwnedKind, OwnedObject,
    ReadError, ReadResult,
};
use alscope_watch::Selector;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::{Resource, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::json;

use super::cache::{Cache, Watches};
use super::replica_status::ReplicaPoller;
use super::watch::MissingKind;

/// The watches of the operator's own namespace: the objects of the collectors, and the backups.
pub(super) struct OwnNamespace {
    objects: BTreeMap<OwnedKind, Cache<DynamicObject>>,
    pods: Cache<Pod>,
    endpoint_slices: Cache<EndpointSlice>,
}

impl OwnNamespace {
    pub(super) fn start(watches: &mut Watches, namespace: &str) -> Self {
        let own = || Selector::labels(&format!("{MANAGED_BY_LABEL}={OPERATOR_NAME}"));
        let objects = OwnedKind::ALL.map(|kind| {
            let resource = api_resource(kind);
            let cache = watches.dynamic(&resource, Some(namespace), own(), MissingKind::IsError);
            (kind, cache)
        });
        Self {
            objects: objects.into(),
            pods: watches.typed(Some(namespace), own()),
            endpoint_slices: watches.typed(Some(namespace), Selector::default()),
        }
    }

    /// How many objects of each resource can't be decoded.
    pub(super) fn undecodable_counts(&self) -> impl Iterator<Item = (&str, usize)> {
        let fixed = [
            self.pods.undecodable_count(),
            self.endpoint_slices.undecodable_count(),
        ];
        fixed
            .into_iter()
            .chain(self.objects.values().map(Cache::undecodable_count))
    }

    /// The addresses of the collectors' pods that are ready, sorted.
    pub(super) fn ready_addresses(&self) -> Vec<String> {
        let slices = self.endpoint_slices.read(|slice| Some(ready_addresses(slice)));
        let mut addresses = slices.unwrap_or_default().concat();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// The collector of a resource.
    pub(super) fn collector(
        &self,
        resource: &MeshObservability,
        replica_poller: &ReplicaPoller,
    ) -> ReadResult<Collector> {
        let uid = resource.uid();
        let mut owned = Vec::new();
        for (kind, cache) in &self.objects {
            owned.extend(cache.read(|object| is_of(object, uid).then(|| as_owned(*kind, object)).flatten())?);
        }
        judgeable(&owned)?;
        let service = OperatorSettings::collector_name(resource.name());
        let slices = self.endpoint_slices.read(|slice| {
            let is_of_service = slice.labels().get("kubernetes.io/service-name") == Some(&service);
            is_of_service.then(|| ready_addresses(slice))
        });
        let addresses = slices?.concat();
        let pods = self.pods.read(|pod| is_of(pod, uid).then_some(()));
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

    /// The backups of all resources, also of those that are gone, by the uid of the resource.
    pub(super) fn backups(&self) -> ReadResult<BTreeMap<String, ReadResult<Backup>>> {
        let Some(config_maps) = self.objects.get(&OwnedKind::ConfigMap) else {
            return Ok(BTreeMap::new());
        };
        let of_backups = config_maps.read(|object| {
            let uid = Backup::uid_of(object.metadata.name.as_deref()?)?;
            Some((uid.to_owned(), decode_backup(object)?))
        });
        Ok(of_backups?.into_iter().collect())
    }
}

/// The API resource of a kind.
pub fn api_resource(kind: OwnedKind) -> ApiResource {
    let (group, version) = kind
        .api_version()
        .split_once('/')
        .unwrap_or(("", kind.api_version()));
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(group, version, kind.as_str()),
        kind.plural(),
    )
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

/// Checks that the Deployment of the collector can be decoded, because its status decides.
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

/// An object as the plan reads it; `None` for a backup, which the deletion of a resource leaves. The items of a list of a built-in kind
/// do not name their kind, so it is added: otherwise the object would never be the same as the desired one.
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

/// Decodes a backup; `None` for any other object.
fn decode_backup(object: &DynamicObject) -> Option<ReadResult<Backup>> {
    let decoded = serde_json::to_value(object).and_then(serde_json::from_value::<ConfigMap>);
    match decoded {
        Ok(config_map) => Backup::of(&config_map),
        Err(error) => Some(Err(ReadError::Failed {
            what: format!("the backup {}", ObjectName::of(object)),
            message: error.to_string(),
        })),
    }
}
