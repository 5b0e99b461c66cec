//! A small cluster in memory: it holds objects as the API server would, gives them to the operator's own readers, and runs
//! passes as the loop does: the plan, its status, its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alscope_plan::api::{MeshObservability, MeshObservabilityStatus};
use alscope_plan::plan::refusal::WriteFailure;
use alscope_plan::plan::reverts;
use alscope_plan::plan::settings::OperatorSettings;
use alscope_plan::plan::step::Step;
use alscope_plan::plan::uninstall::restore_orphan;
use alscope_plan::plan::{self, Plan, Reconciliation};
use alscope_plan::world::{Backup, ObjectName, OwnedObject, ReadError};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::error_boundary::InvalidObject;
use serde_json::{Value, json};

use crate::invariants;
use crate::mesh::{self, MESH};

/// When every test begins.
pub(crate) const BEGIN: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// Whether the collector's pods become available by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rollout {
    /// After every pass.
    AtOnce,
    /// When the test says so.
    Held,
}

/// Whether the invariants are judged after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// They are.
    EachStep,
    /// They are not: somebody else has broken them.
    Never,
}

/// A ConfigMap, and since when the operator has seen this version.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) object: ConfigMap,
    pub(crate) since: Timestamp,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With its last step.
    Done,
    /// Before the step that was one too many.
    Killed,
}

/// What can't be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unreadable {
    pub(crate) control_planes: Option<ReadError>,
    pub(crate) telemetries: Option<ReadError>,
    pub(crate) sidecars: Option<ReadError>,
    pub(crate) managed_gateways: Option<ReadError>,
    pub(crate) config_maps: BTreeMap<ObjectName, ReadError>,
    pub(crate) proxies: Option<ReadError>,
    pub(crate) workloads: Option<ReadError>,
    pub(crate) collectors: Option<ReadError>,
    pub(crate) backups: Option<ReadError>,
}

/// The cluster, and the one operator in it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) now: Timestamp,
    pub(crate) settings: OperatorSettings,
    pub(crate) resources: Vec<MeshObservability>,
    /// Resources that this version of the operator can't read.
    pub(crate) undecodable_resources: Vec<InvalidObject>,
    pub(crate) config_maps: BTreeMap<ObjectName, Stored>,
    pub(crate) owned: Vec<OwnedObject>,
    pub(crate) istiods: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    pub(crate) telemetries: Vec<Value>,
    pub(crate) sidecars: Vec<Value>,
    pub(crate) gateways: Vec<Value>,
    pub(crate) workloads: Vec<Value>,
    pub(crate) budgets: Vec<Value>,
    pub(crate) unreadable: Unreadable,
    pub(crate) ending_pods: usize,
    pub(crate) rollout: Rollout,
    pub(crate) judged: Judged,
    /// Answers a step with a failure.
    pub(crate) refuses: Option<fn(&Step) -> Option<WriteFailure>>,
    pub(crate) failures: BTreeMap<String, WriteFailure>,
    pub(crate) overwritten_versions: BTreeMap<ObjectName, String>,
    /// Sets the text of `istio` back as soon as the operator has written it.
    pub(crate) contender: Option<&'static str>,
    /// Every step that was done, by name.
    pub(crate) log: Vec<String>,
    /// Whether each request is sent twice, because the first answer was lost.
    pub(crate) repeats: bool,
    /// How many steps are left before the operator is killed.
    pub(crate) lives_for: Option<usize>,
    /// What the mesh's ConfigMaps would hold without the operator.
    pub(crate) foreign: BTreeMap<ObjectName, Option<String>>,
    /// Every address that the operator may have written.
    pub(crate) addresses: BTreeSet<String>,
    pub(crate) version: u64,
}

/// The name of a mesh's ConfigMap.
pub(crate) fn named(name: &str) -> ObjectName {
    ObjectName::new(MESH, name)
}

impl Cluster {
    /// A stock Istio, one old pod, and the resource `alscope` with this spec.
    pub(crate) fn stock(spec: &Value) -> Self {
        let mut cluster = Self::bare();
        cluster.istiods.push(mesh::istiod("default", "1.30.3", None));
        cluster.put(mesh::config_map("istio", Some(mesh::CHART)));
        cluster.pods.push(mesh::pod("web", &json!({})));
        cluster.add(mesh::resource("alscope", "2027-01-15T08:00:00Z", spec));
        cluster
    }

    /// The stock mesh, wired.
    pub(crate) fn wired(spec: &Value) -> Self {
        let mut cluster = Self::stock(spec);
        cluster.settle();
        assert_eq!(cluster.text("istio").as_deref(), Some(mesh::WIRED));
        cluster.log.clear();
        cluster
    }

    /// Nothing but an operator.
    pub(crate) fn bare() -> Self {
        Self {
            now: BEGIN,
            settings: OperatorSettings::default(),
            resources: Vec::new(),
            undecodable_resources: Vec::new(),
            config_maps: BTreeMap::new(),
            owned: Vec::new(),
            istiods: Vec::new(),
            pods: Vec::new(),
            telemetries: Vec::new(),
            sidecars: Vec::new(),
            gateways: Vec::new(),
            workloads: Vec::new(),
            budgets: Vec::new(),
            unreadable: Unreadable::default(),
            ending_pods: 0,
            rollout: Rollout::AtOnce,
            judged: Judged::EachStep,
            refuses: None,
            failures: BTreeMap::new(),
            overwritten_versions: BTreeMap::new(),
            contender: None,
            log: Vec::new(),
            repeats: false,
            lives_for: None,
            foreign: BTreeMap::new(),
            addresses: BTreeSet::new(),
            version: 100,
        }
    }

    pub(crate) fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    pub(crate) fn add(&mut self, mut resource: MeshObservability) {
        resource.metadata.resource_version = Some(self.next_version());
        self.resources.push(resource);
    }

    /// The resource `alscope`.
    pub(crate) fn resource(&self) -> &MeshObservability {
        let mut all = self.resources.iter();
        all.find(|one| one.metadata.name.as_deref() == Some("alscope"))
            .unwrap()
    }

    /// Changes the spec of the resource `alscope`.
    pub(crate) fn change_spec(&mut self, spec: &Value) {
        let version = self.next_version();
        let resource = self
            .resources
            .iter_mut()
            .find(|one| one.metadata.name.as_deref() == Some("alscope"))
            .unwrap();
        resource.spec = serde_json::from_value(spec.clone()).unwrap();
        resource.metadata.generation = resource.metadata.generation.map(|generation| generation + 1);
        resource.metadata.resource_version = Some(version);
    }

    /// The status of the resource `alscope`.
    pub(crate) fn status(&self) -> MeshObservabilityStatus {
        self.resource().status.clone().unwrap_or_default()
    }

    /// A condition of the resource `alscope`: its status, reason and message.
    pub(crate) fn condition(&self, type_: &str) -> (String, String, String) {
        condition(self.resource(), type_)
    }

    /// Status and reason of `MeshConfigured`.
    pub(crate) fn mesh_configured(&self) -> (String, String) {
        let (status, reason, _) = self.condition("MeshConfigured");
        (status, reason)
    }

    /// The key `mesh` of a ConfigMap of the mesh's namespace.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.text_of(&named(name))
    }

    pub(crate) fn text_of(&self, name: &ObjectName) -> Option<String> {
        let stored = self.config_maps.get(name)?;
        stored.object.data.as_ref()?.get("mesh").cloned()
    }

    /// Every backup that is understood.
    pub(crate) fn backups(&self) -> Vec<Backup> {
        self.read_backups().into_values().flatten().collect()
    }

    /// Every backup there is, by the uid of its resource.
    pub(crate) fn read_backups(&self) -> BTreeMap<String, Result<Backup, ReadError>> {
        let own = self
            .config_maps
            .iter()
            .filter(|(name, _)| name.namespace == self.settings.namespace);
        own.filter_map(|(name, stored)| {
            let uid = Backup::uid_of(&name.name)?;
            Some((uid.to_owned(), Backup::of(&stored.object)?))
        })
        .collect()
    }

    pub(crate) fn advance(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// The plan for the resource `alscope` as things are.
    pub(crate) fn plan(&self) -> Plan {
        let resource = self.resource();
        let failure = self
            .failures
            .get(resource.metadata.uid.as_deref().unwrap_or_default());
        plan::plan(&Reconciliation {
            world: &self.world(),
            settings: &self.settings,
            resource,
            failure,
            now: self.now,
        })
    }

    /// One pass over everything, and when the next is due.
    pub(crate) fn pass(&mut self) -> (Ended, Duration) {
        let world = self.world();
        let mut requeue_after = Duration::from_secs(5);
        self.addresses.extend(
            world
                .resources
                .iter()
                .flatten()
                .map(|one| self.settings.address(one.metadata.name.as_deref().unwrap())),
        );
        for backup in &world.orphaned_backups {
            for step in restore_orphan(&world, &self.settings, backup, self.now).steps {
                if self.run(&backup.uid, &step) == Some(Ended::Killed) {
                    return (Ended::Killed, requeue_after);
                }
            }
        }
        for resource in world.resources.iter().flatten() {
            let uid = resource.metadata.uid.clone().unwrap();
            let plan = plan::plan(&Reconciliation {
                world: &world,
                settings: &self.settings,
                resource,
                failure: self.failures.get(&uid),
                now: self.now,
            });
            requeue_after = requeue_after.min(plan.requeue_after);
            self.write_status(&uid, &plan.status);
            reverts::forget_observed(&mut self.overwritten_versions, &world, &plan.status);
            if self.run_all(&uid, &plan.steps) == Ended::Killed {
                return (Ended::Killed, requeue_after);
            }
        }
        if self.rollout == Rollout::AtOnce {
            self.roll_out();
        }
        (Ended::Done, requeue_after)
    }

    /// Passes once a second, for so many seconds.
    pub(crate) fn pass_for(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.pass();
            self.advance(1);
        }
    }

    fn run_all(&mut self, uid: &str, steps: &[Step]) -> Ended {
        for step in steps {
            match self.run(uid, step) {
                Some(Ended::Done) => {}
                Some(Ended::Killed) => return Ended::Killed,
                None => return Ended::Done,
            }
        }
        self.failures.remove(uid);
        Ended::Done
    }

    pub(crate) fn write_status(&mut self, uid: &str, status: &MeshObservabilityStatus) {
        let version = self.next_version();
        for resource in &mut self.resources {
            if resource.metadata.uid.as_deref() == Some(uid) && resource.status.as_ref() != Some(status) {
                resource.status = Some(status.clone());
                resource.metadata.resource_version = Some(version.clone());
            }
        }
    }

    /// Passes until nothing has happened for longer than anything is waited for.
    pub(crate) fn settle(&mut self) -> Ended {
        let mut quiet = Duration::ZERO;
        let mut passes = 0;
        while quiet <= self.settings.drain_timeout + Duration::from_secs(10) {
            let before = (self.log.len(), self.resources.clone(), self.owned.clone());
            let (ended, requeue_after) = self.pass();
            if ended == Ended::Killed {
                return ended;
            }
            let same = before == (self.log.len(), self.resources.clone(), self.owned.clone());
            quiet = if same {
                quiet + requeue_after
            } else {
                Duration::ZERO
            };
            self.now += SignedDuration::try_from(requeue_after).unwrap();
            passes += 1;
            assert!(passes < 300, "it does not come to rest: {:?}", self.log);
        }
        if self.judged == Judged::EachStep {
            invariants::check(self);
        }
        Ended::Done
    }
}

/// A condition's status, reason and message.
pub(crate) fn condition(resource: &MeshObservability, type_: &str) -> (String, String, String) {
    let conditions = resource.status.as_ref().map(|status| status.conditions.clone());
    let found = conditions.into_iter().flatten().find(|one| one.type_ == type_);
    found
        .map(|one| (one.status, one.reason, one.message))
        .unwrap_or_default()
}
