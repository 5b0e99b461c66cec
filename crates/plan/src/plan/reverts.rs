//! Reverts of wired mesh config. The operator wires it again after an upgrade, and gives up when somebody reverts it again and again.
//!
//! The status keeps the reverts, so that they outlive the operator. A revert counts once, by the resourceVersion of the ConfigMap. A
//! writer may be faster than the next pass of the operator. So a ConfigMap that is not wired, and not the version that the operator
//! has overwritten either, was reverted, too.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{Contention, MeshObservabilityStatus, MeshStatus, Revert};
use crate::world::{MeshConfigMap, ObjectName, World};

use super::step::Step;

/// After so many reverts by one manager within [`CONTENTION_WINDOW`], the operator gives up.
const REVERTS_OF_CONTENTION: usize = 3;
const CONTENTION_WINDOW: Duration = Duration::from_hours(1);
/// How many reverts the status lists.
const MAX_REVERTS_LISTED: usize = 10;
/// Stands for a writer that has no entry in `managedFields`.
const UNKNOWN_WRITER: &str = "an unknown writer";

/// Records the version that a completed step has overwritten.
pub fn record_overwrite(overwritten_versions: &mut BTreeMap<ObjectName, String>, step: &Step) {
    if let Step::WriteMesh(edit) = step
        && let Some(version) = &edit.resource_version
    {
        overwritten_versions.insert(edit.config_map.clone(), version.clone());
    }
}

/// Forgets the overwritten versions whose effect a written status covers. A watch that lags behind still shows the version before the
/// write, which says nothing about a revert.
pub fn forget_observed(
    overwritten_versions: &mut BTreeMap<ObjectName, String>,
    world: &World,
    status: &MeshObservabilityStatus,
) {
    let config_maps = status.mesh.iter().flat_map(|mesh| &mesh.config_maps);
    let judged: Vec<&str> = config_maps.map(|one| one.name.as_str()).collect();
    overwritten_versions.retain(|name, version| {
        let is_judged = judged.contains(&name.to_string().as_str());
        let is_seen = match world.config_maps.get(name) {
            Some(Ok(Some(text))) => text.resource_version != *version,
            Some(Ok(None)) => true,
            Some(Err(_)) | None => false,
        };
        !(is_judged && is_seen)
    });
}

/// Whether the operator has overwritten an older version of this ConfigMap.
pub fn was_overwritten(world: &World, text: &MeshConfigMap) -> bool {
    world
        .overwritten_versions
        .get(&text.name)
        .is_some_and(|version| *version != text.resource_version)
}

/// Adds a revert to the status. Returns `false` if it is there already.
pub fn record_revert(mesh: &mut MeshStatus, config_map: &MeshConfigMap, now: Timestamp) -> bool {
    let name = config_map.name.to_string();
    let known = mesh
        .reverts
        .iter()
        .any(|revert| revert.config_map == name && revert.resource_version == config_map.resource_version);
    if known {
        return false;
    }
    let manager = config_map
        .last_writer()
        .map_or(UNKNOWN_WRITER, |owner| owner.manager.as_str())
        .to_owned();
    mesh.reverts.push(Revert {
        config_map: name,
        manager,
        at: Time(now),
        resource_version: config_map.resource_version.clone(),
    });
    let surplus = mesh.reverts.len().saturating_sub(MAX_REVERTS_LISTED);
    mesh.reverts.drain(..surplus);
    true
}

/// The manager that keeps reverting a ConfigMap; `None` if nobody does.
pub fn contender(mesh: &MeshStatus, now: Timestamp) -> Option<&str> {
    let begin = now - CONTENTION_WINDOW;
    let recent = |revert: &&Revert| revert.at.0 > begin;
    mesh.reverts.iter().filter(recent).find_map(|revert| {
        let count = mesh
            .reverts
            .iter()
            .filter(recent)
            .filter(|other| other.manager == revert.manager && other.config_map == revert.config_map)
            .count();
        (count >= REVERTS_OF_CONTENTION).then_some(revert.manager.as_str())
    })
}

/// Gives up on a contended mesh until the generation of the resource changes, and starts again after that.
pub fn update_contention(mesh: &mut MeshStatus, generation: i64, now: Timestamp) {
    if mesh
        .contention
        .as_ref()
        .is_some_and(|contention| contention.generation != generation)
    {
        mesh.contention = None;
        mesh.reverts.clear();
    }
    if mesh.contention.is_none()
        && let Some(manager) = contender(mesh, now)
    {
        mesh.contention = Some(Contention {
            manager: manager.to_owned(),
            generation,
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::api::ConfigMapStatus;
    use crate::world::{FieldOwner, ObjectName};

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn text(manager: &str, version: &str) -> MeshConfigMap {
        MeshConfigMap {
            name: ObjectName::new("istio-system", "istio"),
            resource_version: version.to_owned(),
            text: None,
            created_by_operator: false,
            managing_tool: None,
            helm_release: None,
            field_owners: vec![FieldOwner {
                index: 0,
                manager: manager.to_owned(),
                at: None,
            }],
            unchanged_for: Duration::ZERO,
        }
    }

    fn after(minutes: i64) -> Timestamp {
        NOW + jiff::SignedDuration::from_mins(minutes)
    }

    #[test]
    fn the_third_revert_by_one_manager_within_an_hour_is_a_contention() {
        let mut mesh = MeshStatus::default();
        for (version, minutes) in [("1", 0), ("2", 20)] {
            assert!(record_revert(&mut mesh, &text("helm", version), after(minutes)));
        }
        assert_eq!(contender(&mesh, after(20)), None);
        record_revert(&mut mesh, &text("helm", "3"), after(59));
        assert_eq!(contender(&mesh, after(59)), Some("helm"));
    }

    #[test]
    fn reverts_an_hour_apart_are_upgrades() {
        let mut mesh = MeshStatus::default();
        for (version, minutes) in [("1", 0), ("2", 20), ("3", 60)] {
            record_revert(&mut mesh, &text("helm", version), after(minutes));
        }
        assert_eq!(contender(&mesh, after(60)), None);
    }

    #[test]
    fn reverts_by_different_managers_are_no_contention() {
        let mut mesh = MeshStatus::default();
        for (version, manager) in [("1", "helm"), ("2", "helm"), ("3", "kubectl-edit")] {
            record_revert(&mut mesh, &text(manager, version), NOW);
        }
        assert_eq!(contender(&mesh, NOW), None);
    }

    #[test]
    fn one_revert_counts_once() {
        let mut mesh = MeshStatus::default();
        assert!(record_revert(&mut mesh, &text("helm", "1"), NOW));
        assert!(!record_revert(&mut mesh, &text("helm", "1"), after(1)));
        assert_eq!(mesh.reverts.len(), 1);
    }

    #[test]
    fn a_changed_spec_ends_the_contention() {
        let mut mesh = MeshStatus::default();
        for version in ["1", "2", "3"] {
            record_revert(&mut mesh, &text("helm", version), NOW);
        }
        update_contention(&mut mesh, 4, NOW);
        assert_eq!(
            mesh.contention.as_ref().map(|contention| contention.generation),
            Some(4)
        );
        // Time alone does not end it.
        update_contention(&mut mesh, 4, after(600));
        assert!(mesh.contention.is_some());
        update_contention(&mut mesh, 5, after(1));
        assert_eq!(mesh.contention, None);
    }

    #[test]
    fn the_status_keeps_the_last_ten() {
        let mut mesh = MeshStatus::default();
        for version in 0..12 {
            record_revert(&mut mesh, &text("helm", &version.to_string()), NOW);
        }
        assert_eq!(mesh.reverts.len(), 10);
        assert_eq!(mesh.reverts[0].resource_version, "2");
    }

    #[test]
    fn an_overwritten_version_is_forgotten_once_a_status_judged_a_later_text() {
        let mut world = World::default();
        let name = |name: &str| ObjectName::new("istio-system", name);
        for (map, version) in [("judged", "2"), ("late", "1"), ("unjudged", "2")] {
            let text = MeshConfigMap {
                name: name(map),
                ..text("helm", version)
            };
            world.config_maps.insert(name(map), Ok(Some(text)));
        }
        let judged = ["judged", "late"].map(|map| ConfigMapStatus {
            name: name(map).to_string(),
            ..ConfigMapStatus::default()
        });
        let status = MeshObservabilityStatus {
            mesh: Some(MeshStatus {
                config_maps: judged.into(),
                ..MeshStatus::default()
            }),
            ..MeshObservabilityStatus::default()
        };
        let all = ["judged", "late", "unjudged"].map(|map| (name(map), "1".to_owned()));
        let mut overwritten = BTreeMap::from(all);
        forget_observed(&mut overwritten, &world, &status);
        let kept: Vec<&ObjectName> = overwritten.keys().collect();
        assert_eq!(kept, [&name("late"), &name("unjudged")]);
    }
}
