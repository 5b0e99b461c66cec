//! What the operator gets to see of the cluster, through its own readers.

use std::collections::BTreeMap;
use std::time::Duration;

use alscope_plan::plan::targets::config_maps;
use alscope_plan::world::{
    Collector, ControlPlane, MeshConfigMap, ObjectName, OwnedKind, OwnedObject, Proxy, ReadError, Sidecar,
    Telemetry, World,
};
use jiff::Timestamp;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::cluster::Cluster;

impl Cluster {
    /// What the operator gets to see.
    pub(crate) fn world(&self) -> World {
        let resources = self.resources.clone();
        let backups = self.read_backups();
        let uids: Vec<String> = resources
            .iter()
            .filter_map(|one| one.metadata.uid.clone())
            .collect();
        let backup_of = |uid: &String| match &self.unreadable.backups {
            Some(error) => Err(error.clone()),
            None => backups.get(uid).cloned().transpose(),
        };
        World {
            control_planes: read(self.unreadable.control_planes.as_ref(), &self.istiods, |object| {
                ControlPlane::of(&serde_json::from_value(object).unwrap())
            }),
            telemetries: read(
                self.unreadable.telemetries.as_ref(),
                &self.telemetries,
                |object| Some(serde_json::from_value::<DynamicObject>(object).unwrap()),
            )
            .and_then(|all| all.iter().map(Telemetry::of).collect()),
            sidecars: read(self.unreadable.sidecars.as_ref(), &self.sidecars, |object| {
                Some(serde_json::from_value::<DynamicObject>(object).unwrap())
            })
            .and_then(|all| all.iter().map(Sidecar::of).collect()),
            managed_gateways: read(
                self.unreadable.managed_gateways.as_ref(),
                &self.gateways,
                |object| {
                    Some(ObjectName::of(
                        &serde_json::from_value::<DynamicObject>(object).unwrap(),
                    ))
                },
            ),
            proxies: read(self.unreadable.proxies.as_ref(), &self.pods, |object| {
                Proxy::of(&serde_json::from_value(object).unwrap())
            }),
            workloads: self.read_workloads(),
            config_maps: self.mesh_config_maps(),
            collectors: uids
                .iter()
                .map(|uid| (uid.clone(), self.collector(uid)))
                .collect(),
            backups: uids.iter().map(|uid| (uid.clone(), backup_of(uid))).collect(),
            overwritten_versions: self.overwritten_versions.clone(),
            orphaned_backups: backups
                .iter()
                .filter(|(uid, _)| !uids.contains(uid))
                .filter_map(|(_, backup)| backup.clone().ok())
                .collect(),
            undecodable_backups: backups
                .iter()
                .filter(|(uid, _)| !uids.contains(uid))
                .filter_map(|(_, backup)| backup.clone().err())
                .collect(),
            resources: Ok(resources),
            undecodable_resources: self.undecodable_resources.clone(),
        }
    }

    fn mesh_config_maps(&self) -> BTreeMap<ObjectName, Result<Option<MeshConfigMap>, ReadError>> {
        let age = |since: Timestamp| Duration::try_from(self.now.duration_since(since)).unwrap();
        let present = self
            .config_maps
            .iter()
            .filter(|(name, _)| name.namespace != self.settings.namespace)
            .map(|(name, stored)| {
                (
                    name.clone(),
                    Ok(Some(MeshConfigMap::of(&stored.object, age(stored.since)))),
                )
            });
        let mut all: BTreeMap<_, _> = present.collect();
        let read = |object: &Value| ControlPlane::of(&serde_json::from_value(object.clone()).unwrap());
        let control_planes: Vec<ControlPlane> = self.istiods.iter().filter_map(read).collect();
        let of_backups = self
            .backups()
            .into_iter()
            .flat_map(|backup| backup.originals.into_keys());
        for name in config_maps(&control_planes).into_iter().chain(of_backups) {
            all.entry(name).or_insert(Ok(None));
        }
        for (name, error) in &self.unreadable.config_maps {
            all.insert(name.clone(), Err(error.clone()));
        }
        all
    }

    fn collector(&self, uid: &str) -> Result<Collector, ReadError> {
        if let Some(error) = &self.unreadable.collectors {
            return Err(error.clone());
        }
        let owned: Vec<OwnedObject> = self
            .owned
            .iter()
            .filter(|owned| owner_of(owned) == uid)
            .cloned()
            .collect();
        let number = |pointer: &str| {
            let deployment = owned.iter().find(|owned| owned.kind == OwnedKind::Deployment);
            let found = deployment.and_then(|one| one.object.pointer(pointer)?.as_u64());
            usize::try_from(found.unwrap_or(0)).unwrap()
        };
        let has_service = owned.iter().any(|owned| owned.kind == OwnedKind::Service);
        Ok(Collector {
            pods: number("/status/replicas") + self.ending_pods,
            ready_endpoints: if has_service {
                number("/status/availableReplicas")
            } else {
                0
            },
            replica_statuses: Vec::new(),
            owned,
        })
    }
}

fn read<T>(
    error: Option<&ReadError>,
    objects: &[Value],
    of: impl Fn(Value) -> Option<T>,
) -> Result<Vec<T>, ReadError> {
    match error {
        Some(error) => Err(error.clone()),
        None => Ok(objects.iter().cloned().filter_map(of).collect()),
    }
}

/// The uid of the resource whose object it is.
pub(crate) fn owner_of(owned: &OwnedObject) -> &str {
    owned.object["metadata"]["labels"]["alscope.dev/owner-uid"]
        .as_str()
        .unwrap_or_default()
}
