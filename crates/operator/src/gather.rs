//! Reads the cluster: watches keep what the plan needs, and a pass puts it together as a [`World`].

pub mod cache;
pub mod intake;
pub mod prune;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::api::MeshObservability;
use crate::plan::settings::Settings;
use crate::plan::targets;
use crate::world::{
    Backup, Collector, ControlPlane, Kind, MANAGER, MANAGER_LABEL, MeshConfigMap, OWNER_LABEL, ObjectName,
    Owned, Proxy, Read, ReadError, Telemetry, World,
};

use cache::{Cache, Watches};
use intake::Intakes;

/// Every watch of the operator.
pub struct Gather {
    client: Client,
    watches: Watches,
    resources: Cache<MeshObservability>,
    control_planes: Cache<Deployment>,
    managed_gateways: Cache<Deployment>,
    telemetries: Cache<DynamicObject>,
    pods: Cache<Pod>,
    owned: BTreeMap<Kind, Cache<DynamicObject>>,
    collector_pods: Cache<Pod>,
    endpoint_slices: Cache<EndpointSlice>,
    mesh_config_maps: BTreeMap<ObjectName, Seen>,
    /// Backups without a resource that can't be read, by its uid: each is told once.
    told: BTreeSet<String>,
}

/// A ConfigMap of mesh config, and since when its version is known.
struct Seen {
    cache: Cache<ConfigMap>,
    version: Option<String>,
    since: Timestamp,
}

impl fmt::Debug for Gather {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl Gather {
    /// Starts the watches that do not depend on what is found. `changed` is told of everything that comes.
    pub fn start(
        client: &Client,
        namespace: &str,
        changed: Arc<Notify>,
        stopping: CancellationToken,
    ) -> Self {
        let mut watches = Watches::new(changed, stopping);
        let everywhere = |labels: &str| watcher::Config::default().labels(labels);
        let ours = format!("{MANAGER_LABEL}={MANAGER}");
        // Every Istio serves this version, and those before 1.22 no other.
        let telemetry = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "telemetry.istio.io",
            "v1alpha1",
            "Telemetry",
        ));
        let owned = Kind::ALL.map(|kind| {
            let api = Api::namespaced_with(client.clone(), namespace, &resource(kind));
            (
                kind,
                watches.dynamic(api, resource(kind), everywhere(&ours), Some(namespace)),
            )
        });
        Self {
            resources: watches.typed(Api::all(client.clone()), watcher::Config::default(), None),
            control_planes: watches.typed(Api::all(client.clone()), everywhere("app=istiod"), None),
            managed_gateways: watches.typed(
                Api::all(client.clone()),
                everywhere("gateway.istio.io/managed"),
                None,
            ),
            telemetries: watches.dynamic(
                Api::all_with(client.clone(), &telemetry),
                telemetry.clone(),
                watcher::Config::default(),
                None,
            ),
            pods: watches.pods(Api::all(client.clone())),
            owned: owned.into(),
            collector_pods: watches.typed(
                Api::namespaced(client.clone(), namespace),
                everywhere(&ours),
                Some(namespace),
            ),
            endpoint_slices: watches.typed(
                Api::namespaced(client.clone(), namespace),
                watcher::Config::default(),
                Some(namespace),
            ),
            mesh_config_maps: BTreeMap::new(),
            told: BTreeSet::new(),
            client: client.clone(),
            watches,
        }
    }

    /// Whether every watch has either listed or failed: before that, what is missing may only be late.
    pub fn is_settled(&self) -> bool {
        self.watches.are_settled()
    }

    /// What is so, as of now. Watches for ConfigMaps that are named for the first time are started, so the world is complete
    /// when the watches are settled again.
    pub fn world(&mut self, intakes: &Intakes, now: Timestamp) -> World {
        let control_planes: Read<Vec<ControlPlane>> = self
            .control_planes
            .read()
            .map(|all| all.iter().filter_map(|one| ControlPlane::of(one)).collect());
        let backups = self.backups();
        self.follow(&control_planes, &backups, now);
        let telemetries: Read<Vec<Telemetry>> = self
            .telemetries
            .read()
            .and_then(|all| all.iter().map(|one| Telemetry::of(one)).collect());
        let selecting: BTreeSet<&str> = telemetries
            .iter()
            .flatten()
            .flat_map(|telemetry| telemetry.labels.keys().map(String::as_str))
            .collect();
        let proxies = self.pods.read().map(|all| {
            let proxies = all.iter().filter_map(|one| Proxy::of(one));
            proxies.map(|proxy| proxy.with_labels(&selecting)).collect()
        });
        let mut world = World {
            resources: self.resources.all().iter().map(|one| (**one).clone()).collect(),
            config_maps: self
                .mesh_config_maps
                .iter()
                .map(|(name, seen)| (name.clone(), seen.read(now)))
                .collect(),
            proxies,
            telemetries,
            managed_gateways: self
                .managed_gateways
                .read()
                .map(|all| all.iter().map(|one| ObjectName::of(&**one)).collect()),
            control_planes,
            ..World::default()
        };
        for resource in &world.resources {
            let uid = resource.uid();
            let backup = match &backups {
                Ok(all) => all.get(uid).cloned().transpose(),
                Err(error) => Err(error.clone()),
            };
            world
                .collectors
                .insert(uid.to_owned(), self.collector(resource, intakes));
            world.backups.insert(uid.to_owned(), backup);
        }
        for (uid, backup) in backups.into_iter().flatten() {
            match backup {
                _ if world.backups.contains_key(&uid) => {}
                Ok(backup) => world.orphans.push(backup),
                // It has no resource whose condition could say it.
                Err(error) if self.told.insert(uid) => {
                    warn!(%error, "a mesh whose resource is gone is not restored");
                }
                Err(_) => {}
            }
        }
        world
    }

    /// The addresses of collector pods that are ready.
    pub fn collector_addresses(&self) -> Vec<String> {
        let slices = self.endpoint_slices.all();
        let endpoints = slices.iter().flat_map(|slice| ready_addresses(slice));
        let mut addresses: Vec<String> = endpoints.collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// Watches each ConfigMap that an istiod, or a backup, names.
    fn follow(
        &mut self,
        control_planes: &Read<Vec<ControlPlane>>,
        backups: &Read<BTreeMap<String, Read<Backup>>>,
        now: Timestamp,
    ) {
        let mut names = control_planes
            .as_ref()
            .map_or_else(|_| Vec::new(), |all| targets::config_maps(all));
        let backups = backups.iter().flatten().flat_map(|(_, backup)| backup);
        names.extend(backups.flat_map(|backup| backup.before.keys().cloned()));
        for name in names {
            if self.mesh_config_maps.contains_key(&name) {
                continue;
            }
            let api = Api::namespaced(self.client.clone(), &name.namespace);
            // RBAC by resourceNames allows list and watch with this field selector only.
            let selector = format!("metadata.name={}", name.name);
            let config = watcher::Config::default().fields(&selector);
            let cache = self.watches.typed(api, config, Some(&name.namespace));
            self.mesh_config_maps.insert(
                name,
                Seen {
                    cache,
                    version: None,
                    since: now,
                },
            );
        }
        for seen in self.mesh_config_maps.values_mut() {
            seen.note(now);
        }
    }

    /// Backups of all resources, also of those that are gone, by the resource's uid.
    fn backups(&self) -> Read<BTreeMap<String, Read<Backup>>> {
        let Some(config_maps) = self.owned.get(&Kind::ConfigMap) else {
            return Ok(BTreeMap::new());
        };
        let all = config_maps.read()?;
        let of_backups = all.iter().filter_map(|object| {
            let uid = Backup::uid_of(object.metadata.name.as_deref()?)?;
            Some((uid.to_owned(), backup(object)?))
        });
        Ok(of_backups.collect())
    }

    fn collector(&self, resource: &MeshObservability, intakes: &Intakes) -> Read<Collector> {
        let uid = resource.uid();
        let mut owned = Vec::new();
        for (kind, cache) in &self.owned {
            let objects = cache.read()?;
            let of_resource = objects
                .iter()
                .filter(|object| object.labels().get(OWNER_LABEL).map(String::as_str) == Some(uid));
            owned.extend(of_resource.filter_map(|object| as_owned(*kind, object)));
        }
        let service = Settings::collector_name(resource.name());
        let slices = self.endpoint_slices.read()?;
        let addresses: Vec<String> = slices
            .iter()
            .filter(|slice| slice.labels().get("kubernetes.io/service-name") == Some(&service))
            .flat_map(|slice| ready_addresses(slice))
            .collect();
        Ok(Collector {
            owned,
            pods: self
                .collector_pods
                .read()?
                .iter()
                .filter(|pod| pod.labels().get(OWNER_LABEL).map(String::as_str) == Some(uid))
                .count(),
            ready_endpoints: addresses.len(),
            intakes: addresses.iter().map(|address| intakes.get(address)).collect(),
        })
    }
}

impl Seen {
    fn note(&mut self, now: Timestamp) {
        let version = self
            .cache
            .all()
            .first()
            .and_then(|config_map| config_map.resource_version());
        if version != self.version {
            self.version = version;
            self.since = now;
        }
    }

    fn read(&self, now: Timestamp) -> Read<Option<MeshConfigMap>> {
        let unchanged_for = Duration::try_from(now.duration_since(self.since)).unwrap_or_default();
        let all = self.cache.read()?;
        Ok(all
            .first()
            .map(|config_map| MeshConfigMap::of(config_map, unchanged_for)))
    }
}

/// The API of a kind.
pub fn resource(kind: Kind) -> ApiResource {
    let (group, version) = kind
        .api_version()
        .split_once('/')
        .unwrap_or(("", kind.api_version()));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), kind.plural())
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

/// `None` for an object that is no backup.
fn backup(object: &DynamicObject) -> Option<Read<Backup>> {
    let decoded = serde_json::to_value(object).and_then(serde_json::from_value::<ConfigMap>);
    match decoded {
        Ok(config_map) => Backup::of(&config_map),
        Err(error) => Some(Err(ReadError::Failed {
            what: format!("the backup {}", ObjectName::of(object)),
            message: error.to_string(),
        })),
    }
}

/// Backups are not among what a resource's deletion takes with it.
fn as_owned(kind: Kind, object: &DynamicObject) -> Option<Owned> {
    let name = object.name_any();
    let is_backup = kind == Kind::ConfigMap && Backup::uid_of(&name).is_some();
    (!is_backup).then(|| Owned {
        kind,
        name,
        object: serde_json::to_value(object).unwrap_or_default(),
    })
}
