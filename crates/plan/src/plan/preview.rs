//! The whole plan at once, for people: every edit, every object, every pod to restart, also those of later passes.

use crate::api::{MeshObservability, ProxiesStatus};
use crate::world::{Backup, Collector, OwnedKind, World};

use super::collector_objects;
use super::mesh_config::helm_release_warnings;
use super::proxies::{self, ListLengths};
use super::reconciliation::previous_address;
use super::refusal::Refusal;
use super::revision_texts::DesiredWiring;
use super::settings::OperatorSettings;
use super::step::{DesiredObject, Step};
use super::wiring::{self, Assessment, Verdict};

/// What a resource would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The address that would be written into mesh config.
    pub address: String,
    /// The mesh config of each revision, or why it is not known.
    pub mesh: Result<Vec<Assessment>, Refusal>,
    /// What would happen to mesh config later, in whole sentences.
    pub warnings: Vec<String>,
    /// The collector's objects, or what is wrong with the resource.
    pub objects: Result<ObjectChanges, String>,
    /// The proxies of the mesh, if they are known.
    pub proxies: Option<ProxiesStatus>,
}

/// How the collector's objects would change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectChanges {
    /// The objects that would be applied.
    pub applied: Vec<DesiredObject>,
    /// The objects that would be deleted, by kind and name.
    pub deleted: Vec<(OwnedKind, String)>,
}

/// What a preview comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing would be written.
    Unchanged,
    /// Something would be written, and nothing is in the way.
    Changes,
    /// Some of it would not be written.
    Refused,
}

impl Preview {
    /// The provider through which the mesh is or would be wired; `None` for the switch of mesh config.
    pub fn provider(&self) -> Option<&str> {
        let mut assessments = self.mesh.iter().flatten();
        assessments.find_map(|one| one.provider.as_deref())
    }

    /// What it comes to. A mesh without istiod counts as refused, because it can't be wired.
    pub fn outcome(&self) -> Outcome {
        let (Ok(assessments), Ok(objects)) = (&self.mesh, &self.objects) else {
            return Outcome::Refused;
        };
        let mut verdicts = assessments.iter().map(|one| &one.verdict);
        if assessments.is_empty()
            || verdicts
                .clone()
                .any(|verdict| matches!(verdict, Verdict::Refuse(_)))
        {
            return Outcome::Refused;
        }
        let is_edited = verdicts.any(|verdict| matches!(verdict, Verdict::Edit(_)));
        if is_edited || !objects.applied.is_empty() || !objects.deleted.is_empty() {
            Outcome::Changes
        } else {
            Outcome::Unchanged
        }
    }
}

/// What a resource would change in this cluster. The lists about its proxies have these lengths.
pub fn preview(
    world: &World,
    settings: &OperatorSettings,
    resource: &MeshObservability,
    lengths: ListLengths,
) -> Preview {
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
    let assessments = assessed.as_ref().map_or(&[][..], Vec::as_slice);
    Preview {
        objects: object_changes(world, settings, resource),
        proxies: proxies::report(world, settings, mesh, assessments, &address, lengths)
            .ok()
            .map(|report| report.status),
        warnings: helm_release_warnings(world, assessments),
        mesh: assessed,
        address,
    }
}

fn object_changes(
    world: &World,
    settings: &OperatorSettings,
    resource: &MeshObservability,
) -> Result<ObjectChanges, String> {
    let nothing = Collector::default();
    let collector = world
        .collectors
        .get(resource.uid())
        .and_then(|read| read.as_ref().ok())
        .unwrap_or(&nothing);
    let desired =
        collector_objects::desired_objects(resource, settings).map_err(|error| error.to_string())?;
    let mut changes = ObjectChanges::default();
    for step in collector_objects::apply_steps(&desired, collector, false) {
        match step {
            Step::Apply(desired) => changes.applied.push(desired),
            Step::Delete { kind, name, .. } => changes.deleted.push((kind, name)),
            _ => {}
        }
    }
    Ok(changes)
}
