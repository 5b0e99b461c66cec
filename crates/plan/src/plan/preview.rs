//! The whole plan at once, for people: every edit, every object, every pod to restart, also those of later passes.

use crate::api::{MeshObservability, ProxiesStatus};
use crate::world::{Backup, Collector, World};

use super::collector_objects;
use super::proxies;
use super::reconciliation::previous_address;
use super::refusal::Refusal;
use super::revision_texts::DesiredWiring;
use super::settings::OperatorSettings;
use super::step::{DesiredObject, Step};
use super::wiring::{self, Assessment};

/// What a resource would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The address that would be written into mesh config.
    pub address: String,
    /// The mesh config of each revision, or why it is not known.
    pub mesh: Result<Vec<Assessment>, Refusal>,
    /// The objects that would be applied, or what is wrong with the resource.
    pub objects: Result<Vec<DesiredObject>, String>,
    /// The proxies of the mesh, if they are known.
    pub proxies: Option<ProxiesStatus>,
}

impl Preview {
    /// The provider through which the mesh is or would be wired; `None` for the switch of mesh config.
    pub fn provider(&self) -> Option<&str> {
        let mut assessments = self.mesh.iter().flatten();
        assessments.find_map(|one| one.provider.as_deref())
    }
}

/// What a resource would change in this cluster.
pub fn preview(world: &World, settings: &OperatorSettings, resource: &MeshObservability) -> Preview {
    let name = resource.name();
    let uid = resource.uid();
    let address = settings.address(name);
    let backup: Option<&Backup> = world
        .backups
        .get(uid)
        .and_then(|read| read.as_ref().ok()?.as_ref());
    let status = resource.status.clone().unwrap_or_default();
    let mesh = &resource.spec.mesh;
    let wanted = DesiredWiring {
        mesh,
        address: &address,
        previous_address: previous_address(backup, &status),
        backup,
    };
    let assessed = wiring::assess_all(world, settings, &wanted);
    let nothing = Collector::default();
    let collector = world
        .collectors
        .get(uid)
        .and_then(|read| read.as_ref().ok())
        .unwrap_or(&nothing);
    let desired = collector_objects::desired_objects(resource, settings);
    let applied = |desired: Vec<DesiredObject>| {
        let steps = collector_objects::apply_steps(&desired, collector, false);
        let applied = steps.into_iter().filter_map(|step| match step {
            Step::Apply(desired) => Some(desired),
            _ => None,
        });
        applied.collect()
    };
    Preview {
        objects: desired.map(applied).map_err(|error| error.to_string()),
        proxies: proxies::status_of(
            world,
            settings,
            mesh,
            assessed.as_deref().unwrap_or_default(),
            &address,
        )
        .ok(),
        mesh: assessed,
        address,
    }
}
