//! The whole plan at once, for people: every edit, every object, every pod to restart, also those of later passes.

use crate::api::{MeshObservability, ProxiesStatus};
use crate::world::{Backup, Collector, World};

use super::collector_objects;
use super::proxies;
use super::reconciliation::previous_address;
use super::refusal::Refusal;
use super::settings::OperatorSettings;
use super::step::{DesiredObject, Step};
use super::wiring::{self, Assessment, DesiredWiring};

/// What a resource would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The address that would be written into mesh config.
    pub address: String,
    /// The mesh config of each revision, or why it is not known.
    pub mesh: Result<Vec<Assessment>, Refusal>,
    /// The objects that would be applied.
    pub objects: Vec<DesiredObject>,
    /// The proxies of the mesh, if they are known.
    pub proxies: Option<ProxiesStatus>,
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
    };
    let assessed = wiring::assess_all(world, settings, &wanted);
    let nothing = Collector::default();
    let collector = world
        .collectors
        .get(uid)
        .and_then(|read| read.as_ref().ok())
        .unwrap_or(&nothing);
    let desired = collector_objects::desired_objects(resource, settings);
    let applied = collector_objects::apply_steps(&desired, collector, false);
    Preview {
        objects: applied
            .into_iter()
            .filter_map(|step| match step {
                Step::Apply(desired) => Some(desired),
                _ => None,
            })
            .collect(),
        proxies: proxies_status(world, resource, &assessed, &address),
        mesh: assessed,
        address,
    }
}

fn proxies_status(
    world: &World,
    resource: &MeshObservability,
    assessed: &Result<Vec<Assessment>, Refusal>,
    address: &str,
) -> Option<ProxiesStatus> {
    let proxies = world.proxies.as_ref().ok()?;
    let telemetries = world.telemetries.as_ref().ok()?;
    let assessments = assessed.as_ref().map_or(&[][..], Vec::as_slice);
    let mesh = &resource.spec.mesh;
    Some(proxies::report(proxies, telemetries, mesh, assessments, address).status)
}
