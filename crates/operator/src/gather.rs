//! Reads the cluster: watches keep what the plan needs, and a pass puts it together as a [`World`].

pub mod cache;
mod own_namespace;
pub mod prune;
pub mod replica_status;
mod watch;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alscope_plan::api::{MeshObservability, Restart};
use alscope_plan::plan::targets;
use alscope_plan::world::{
    Backup, ControlPlane, MeshConfigMap, ObjectName, Proxy, ReadError, ReadResult, Sidecar, Telemetry,
    Workloads, World,
};
use alscope_watch::{RESPONSE_TIMEOUT, Selector, WatchFailure};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use own_namespace::api_resource;

use cache::{Cache, Watches};
use own_namespace::OwnNamespace;
use prune::prune;
use replica_status::ReplicaPoller;
use watch::MissingKind;
use workloads::WorkloadWatches;

/// How long the API server may take to list everything for a command.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The API server did not list everything in time.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not list everything within {} s; look whether it is well", LIST_TIMEOUT.as_secs())]
pub struct Unlisted;

/// Every watch of the operator, and what it has read.
pub struct ClusterReader {
    client: Client,
    watches: Watches,
    resources: Cache<MeshObservability>,
    control_planes: Cache<Deployment>,
    managed_gateways: Cache<Deployment>,
    telemetries: Cache<DynamicObject>,
    sidecars: Cache<DynamicObject>,
    pods: Cache<Pod>,
    /// Absent until workloads are to be restarted.
    workloads: Option<WorkloadWatches>,
    own_namespace: OwnNamespace,
    mesh_config_maps: BTreeMap<ObjectName, WatchedMeshConfig>,
    /// The uids of the backups without a resource that can't be read and that the log has named.
    reported_backups: BTreeSet<String>,
}

/// The watch of one ConfigMap of mesh config, and since when its version is known.
struct WatchedMeshConfig {
    cache: Cache<ConfigMap>,
    version: Option<String>,
    since: Timestamp,
}

impl fmt::Debug for ClusterReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterReader").finish_non_exhaustive()
    }
}

impl ClusterReader {
    /// Starts the watches that do not depend on what others find. `changed` is notified of every change.
    pub fn start(client: &Client, namespace: &str, changed: Arc<Notify>, ending: CancellationToken) -> Self {
        let mut watches = Watches::new(client.clone(), changed, ending);
        // Every Istio serves these versions, and those before 1.22 no other.
        let telemetry = istio_resource("telemetry.istio.io", "v1alpha1", "Telemetry");
        let sidecar = istio_resource("networking.istio.io", "v1beta1", "Sidecar");
        Self {
            resources: watches.typed(None, Selector::default()),
            control_planes: watches.typed(None, Selector::labels("app=istiod")),
            managed_gateways: watches.typed(None, Selector::labels("gateway.istio.io/managed")),
            // Istio's own definitions: a mesh without them has none.
            telemetries: watches.dynamic(&telemetry, None, Selector::default(), MissingKind::IsEmpty),
            sidecars: watches.dynamic(&sidecar, None, Selector::default(), MissingKind::IsEmpty),
            pods: watches.pruned(Selector::default(), prune),
            workloads: None,
            own_namespace: OwnNamespace::start(&mut watches, namespace),
            mesh_config_maps: BTreeMap::new(),
            reported_backups: BTreeSet::new(),
            client: client.clone(),
            watches,
        }
    }

    /// Whether every watch has listed or failed. Before that, a missing object may only be late.
    pub fn is_settled(&self) -> bool {
        self.watches.are_settled()
    }

    /// Returns when a watch has ended, and says why. A watch does not end by itself.
    pub async fn ended(&mut self) -> String {
        self.watches.ended().await
    }

    /// How many objects of each resource can't be decoded.
    pub fn undecodable(&self) -> Vec<(&str, usize)> {
        let fixed = [
            self.resources.undecodable_count(),
            self.control_planes.undecodable_count(),
            self.managed_gateways.undecodable_count(),
            self.telemetries.undecodable_count(),
            self.sidecars.undecodable_count(),
            self.pods.undecodable_count(),
        ];
        let own = self.own_namespace.undecodable_counts();
        let workloads = self
            .workloads
            .iter()
            .flat_map(WorkloadWatches::undecodable_counts);
        let mesh = self
            .mesh_config_maps
            .values()
            .map(|seen| seen.cache.undecodable_count());
        fixed
            .into_iter()
            .chain(own)
            .chain(workloads)
            .chain(mesh)
            .collect()
    }

    /// Fetches the uids of all resources from the API server: a watch may be behind, and a backup ahead of it.
    pub async fn fetch_resource_uids(&self) -> ReadResult<BTreeSet<String>> {
        let api: Api<MeshObservability> = Api::all(self.client.clone());
        let listed = timeout(RESPONSE_TIMEOUT, api.list_metadata(&ListParams::default())).await;
        let failure = match listed {
            Ok(Ok(list)) => {
                return Ok(list
                    .items
                    .into_iter()
                    .filter_map(|one| one.metadata.uid)
                    .collect());
            }
            Ok(Err(error)) => WatchFailure::from(error),
            Err(_) => WatchFailure::Silent(RESPONSE_TIMEOUT),
        };
        Err(ReadError::Failed {
            what: "meshobservabilities.alscope.dev".to_owned(),
            message: failure.to_string(),
        })
    }

    /// The state of the cluster at `now`. This starts watches for ConfigMaps that are named for the first time, so the world is complete
    /// when the watches are settled again.
    pub fn world(&mut self, replica_poller: &ReplicaPoller, now: Timestamp) -> World {
        let control_planes = self.control_planes.read(ControlPlane::of);
        let backups = self.own_namespace.backups();
        let (resources, unread) = match self.resources.decoded_and_undecodable() {
            Ok((resources, unread)) => (Ok(resources), unread),
            Err(error) => (Err(error), Vec::new()),
        };
        self.watch_mesh_config_maps(
            &control_planes,
            &backups,
            resources.as_deref().unwrap_or_default(),
            now,
        );
        let restarts = |one: &MeshObservability| one.spec.mesh.restart == Restart::Rollout;
        if resources.iter().flatten().any(restarts) {
            self.watch_workloads();
        }
        let telemetries: ReadResult<Vec<Telemetry>> = self
            .telemetries
            .read(|one| Some(Telemetry::of(one)))
            .and_then(|all| all.into_iter().collect());
        let sidecars: ReadResult<Vec<Sidecar>> = self
            .sidecars
            .read(|one| Some(Sidecar::of(one)))
            .and_then(|all| all.into_iter().collect());
        let by_telemetries = telemetries.iter().flatten().map(|telemetry| &telemetry.labels);
        let by_sidecars = sidecars.iter().flatten().filter_map(|one| one.labels.as_ref());
        let selecting: BTreeSet<&str> = by_telemetries
            .chain(by_sidecars)
            .flat_map(|labels| labels.keys().map(String::as_str))
            .collect();
        let proxies = self
            .pods
            .read(|one| Some(Proxy::of(one)?.with_labels(&selecting)));
        let mut world = World {
            resources,
            undecodable_resources: unread,
            config_maps: self
                .mesh_config_maps
                .iter()
                .map(|(name, seen)| (name.clone(), seen.read(now)))
                .collect(),
            managed_gateways: self.managed_gateways.read(|one| Some(ObjectName::of(one))),
            proxies,
            workloads: self
                .workloads
                .as_ref()
                .map_or_else(|| Ok(Workloads::default()), WorkloadWatches::read),
            telemetries,
            sidecars,
            control_planes,
            ..World::default()
        };
        self.assign_to_resources(&mut world, backups, replica_poller);
        world
    }

    /// The state of the cluster, when every watch has listed or failed. `changed` is what [`ClusterReader::start`] got,
    /// `now` tells the time.
    ///
    /// # Errors
    ///
    /// A watch has not listed within 30 s.
    pub async fn settled_world(
        &mut self,
        changed: &Notify,
        now: impl Fn() -> Timestamp,
    ) -> Result<World, Unlisted> {
        let replica_poller = ReplicaPoller::default();
        let settled = async {
            loop {
                let world = self.world(&replica_poller, now());
                if self.is_settled() {
                    return world;
                }
                changed.notified().await;
            }
        };
        timeout(LIST_TIMEOUT, settled).await.map_err(|_| Unlisted)
    }

    /// Starts the watches of workloads. They last as long as the reader.
    pub fn watch_workloads(&mut self) {
        if self.workloads.is_none() {
            self.workloads = Some(WorkloadWatches::start(&mut self.watches));
        }
    }

    /// Assigns collectors and backups to resources. A backup without a resource, not even one that can't be decoded, is orphaned.
    fn assign_to_resources(
        &mut self,
        world: &mut World,
        backups: ReadResult<BTreeMap<String, ReadResult<Backup>>>,
        replica_poller: &ReplicaPoller,
    ) {
        let Ok(resources) = &world.resources else {
            // Whose a backup is, or whether it is anybody's, is not known.
            return;
        };
        for resource in resources {
            let uid = resource.uid();
            let backup = match &backups {
                Ok(all) => all.get(uid).cloned().transpose(),
                Err(error) => Err(error.clone()),
            };
            world.collectors.insert(
                uid.to_owned(),
                self.own_namespace.collector(resource, replica_poller),
            );
            world.backups.insert(uid.to_owned(), backup);
        }
        let unread: BTreeSet<&str> = world
            .undecodable_resources
            .iter()
            .filter_map(|one| one.metadata.uid.as_deref())
            .collect();
        for (uid, backup) in backups.into_iter().flatten() {
            match backup {
                _ if world.backups.contains_key(&uid) || unread.contains(uid.as_str()) => {}
                Ok(backup) => world.orphaned_backups.push(backup),
                Err(error) => {
                    // It has no resource whose condition could say it, and there may be no other.
                    if self.reported_backups.insert(uid) {
                        warn!(%error, "a mesh whose resource is gone is not restored");
                    }
                    world.undecodable_backups.push(error);
                }
            }
        }
    }

    /// Starts a watch for each ConfigMap that an istiod, a backup or a status names.
    fn watch_mesh_config_maps(
        &mut self,
        control_planes: &ReadResult<Vec<ControlPlane>>,
        backups: &ReadResult<BTreeMap<String, ReadResult<Backup>>>,
        resources: &[MeshObservability],
        now: Timestamp,
    ) {
        let mut names = control_planes
            .as_ref()
            .map_or_else(|_| Vec::new(), |all| targets::config_maps(all));
        let backups = backups.iter().flatten().flat_map(|(_, backup)| backup);
        names.extend(backups.flat_map(|backup| backup.originals.keys().cloned()));
        names.extend(resources.iter().flat_map(wired_config_maps));
        for name in names {
            if self.mesh_config_maps.contains_key(&name) {
                continue;
            }
            // RBAC by resourceNames allows list and watch with this field selector only.
            let selector = Selector::fields(&format!("metadata.name={}", name.name));
            let cache = self.watches.typed(Some(&name.namespace), selector);
            self.mesh_config_maps.insert(
                name,
                WatchedMeshConfig {
                    cache,
                    version: None,
                    since: now,
                },
            );
        }
        for seen in self.mesh_config_maps.values_mut() {
            seen.observe_version(now);
        }
    }

    /// The addresses of the collectors' pods that are ready, sorted.
    pub fn collector_addresses(&self) -> Vec<String> {
        self.own_namespace.ready_addresses()
    }
}

impl WatchedMeshConfig {
    fn observe_version(&mut self, now: Timestamp) {
        let version = self.cache.version();
        if version != self.version {
            self.version = version;
            self.since = now;
        }
    }

    fn read(&self, now: Timestamp) -> ReadResult<Option<MeshConfigMap>> {
        let unchanged_for = Duration::try_from(now.duration_since(self.since)).unwrap_or_default();
        let all = self
            .cache
            .read(|config_map| Some(MeshConfigMap::of(config_map, unchanged_for)));
        Ok(all?.pop())
    }
}

/// A resource of Istio.
fn istio_resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// The ConfigMaps that the status of a resource names as wired. Without the backup, nothing else is known of them.
fn wired_config_maps(resource: &MeshObservability) -> Vec<ObjectName> {
    let mesh = resource.status.iter().filter_map(|status| status.mesh.as_ref());
    let config_maps = mesh.flat_map(|mesh| &mesh.config_maps);
    config_maps
        .filter_map(|one| ObjectName::parse(&one.name))
        .collect()
}

#[cfg(test)]
mod tests;
