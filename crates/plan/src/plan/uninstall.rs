//! The way down: mesh config restored, the proxies' time to let go, then everything that was made, the backup last.
//!
//! It is as careful as the way up: a text that somebody else would set back is not written but named, managed gateways are
//! rolled with leave only, and nothing is deleted while it is not known who still needs it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::MeshObservabilityStatus;
use crate::world::{
    Backup, Collector, ControlPlane, ManagingTool, MeshConfigContent, MeshConfigMap, ObjectName, PodOwner,
    Proxy, ReadError, ReadResult, Version, World,
};

use super::original::without_own_values;
use super::refusal::{WriteFailure, join_names};
use super::settings::OperatorSettings;
use super::step::{MeshEdit, Step};

/// The end.
pub const ALL_RESTORED: &str = "everything is as it was before";

/// What is to be restored, and who is asking.
#[derive(Clone, Copy, Debug)]
pub struct Removal<'a> {
    /// What was there before; absent when nothing was written, or when it is lost.
    pub backup: Option<&'a Backup>,
    /// The addresses that may have been written: the backup's, and today's own.
    pub addresses: &'a [&'a str],
    /// The collector.
    pub collector: &'a Collector,
    /// The status from before this pass.
    pub status: &'a MeshObservabilityStatus,
    /// What kept the last pass from writing.
    pub failure: Option<&'a WriteFailure>,
    /// Whether managed gateways may be rolled; else what people do to allow it.
    pub rollout: Result<(), &'a str>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The writes that are due.
    pub steps: Vec<Step>,
    /// Since when the mesh is restored, if it is.
    pub draining_since: Option<Timestamp>,
    /// In a sentence.
    pub message: String,
    /// What could not be restored, with what to do.
    pub incomplete: Vec<String>,
    /// Whether a text that could not be restored still has the address.
    pub is_wired: bool,
    /// Whether nothing is left.
    pub done: bool,
}

/// What is due on the way down.
pub fn removal(
    world: &World,
    settings: &OperatorSettings,
    removal: &Removal<'_>,
    now: Timestamp,
) -> Progress {
    let restored = restore_all(world, removal);
    let mut progress = Progress {
        steps: restored.steps,
        draining_since: None,
        message: String::new(),
        incomplete: restored.incomplete,
        is_wired: restored.is_wired,
        done: false,
    };
    match &restored.unreadable {
        Some(error) => progress.message = error.to_string(),
        None if progress.steps.is_empty() => drain(world, settings, removal, now, &mut progress),
        None => roll(world, removal, &mut progress),
    }
    if let Some(failure) = removal.failure {
        progress.message = failure.to_string();
    }
    progress
}

/// Restores where that rolls no managed gateway, or may.
fn roll(world: &World, removal: &Removal<'_>, progress: &mut Progress) {
    "restoring mesh config".clone_into(&mut progress.message);
    let is_restored = |step: &Step| !matches!(step, Step::WriteMesh(_));
    if progress.steps.iter().all(is_restored) {
        return;
    }
    let rolled = match gateways(world, removal) {
        Ok(rolled) if rolled.is_empty() => return,
        Ok(rolled) => rolled,
        Err(_) if removal.rollout.is_ok() => return,
        Err(error) => {
            progress.steps.retain(is_restored);
            progress.message =
                format!("mesh config is not restored until it is known what that rolls: {error}");
            return;
        }
    };
    let which = format!(
        "istiod {} the pods of {} managed gateways and waypoints ({})",
        if removal.rollout.is_ok() {
            "rolls"
        } else {
            "would roll"
        },
        rolled.len(),
        join_names(&rolled)
    );
    match removal.rollout {
        Ok(()) => progress.message = format!("restoring mesh config; {which}"),
        Err(remedy) => {
            progress.steps.retain(is_restored);
            progress.message = format!("mesh config is not restored yet: {which}; {remedy}");
        }
    }
}

/// The mesh is restored: waits for its proxies, then deletes what is left.
fn drain(
    world: &World,
    settings: &OperatorSettings,
    removal: &Removal<'_>,
    now: Timestamp,
    progress: &mut Progress,
) {
    let since = removal
        .status
        .draining_since
        .as_ref()
        .map_or(now, |since| since.0);
    progress.draining_since = Some(since);
    let users = match users(world, removal.addresses) {
        Ok(users) => users,
        Err(error) => {
            progress.message = format!("the collector stays until it is known who sends to it: {error}");
            return;
        }
    };
    if !users.is_empty() && now < since + settings.drain_timeout {
        let pods: Vec<ObjectName> = users.iter().map(|proxy| proxy.pod.clone()).collect();
        progress.message = format!(
            "mesh config is restored; the collector's Service stays for {} proxies that still know it, at most {} s ({})",
            pods.len(),
            settings.drain_timeout.as_secs(),
            join_names(&pods)
        );
        return;
    }
    finish(removal, progress);
}

/// Deletes what is left, the backup last.
fn finish(removal: &Removal<'_>, progress: &mut Progress) {
    let collector = removal.collector;
    if !collector.owned.is_empty() || collector.pods > 0 {
        "deleting the collector".clone_into(&mut progress.message);
        let left = collector.owned.iter().filter(|owned| !owned.is_ending());
        progress.steps = left
            .map(|owned| Step::Delete {
                kind: owned.kind,
                name: owned.name.clone(),
                uid: owned.uid().to_owned(),
            })
            .collect();
        return;
    }
    if let Some(backup) = removal.backup {
        progress.steps.push(Step::DeleteBackup {
            uid: backup.uid.clone(),
            resource_version: backup.resource_version.clone().unwrap_or_default(),
        });
    }
    progress.message = match progress.incomplete.as_slice() {
        [] => ALL_RESTORED.to_owned(),
        incomplete => format!("everything else is as it was before: {}", incomplete.join("; ")),
    };
    progress.done = true;
}

/// Proxies that were started with one of the addresses, also those whose pods are ending.
fn users<'a>(world: &'a World, addresses: &[&str]) -> ReadResult<Vec<&'a Proxy>> {
    let proxies = world.proxies.as_ref().map_err(Clone::clone)?;
    let knows = |proxy: &&Proxy| {
        let address = proxy.address.as_deref();
        address.is_some_and(|address| addresses.contains(&address))
    };
    Ok(proxies.iter().filter(knows).collect())
}

/// The Deployments of managed gateways whose proxies were, where istiod renders them anew when the address goes.
fn gateways(world: &World, removal: &Removal<'_>) -> ReadResult<Vec<ObjectName>> {
    let originals = originals(world, removal);
    let rolls = |control_plane: &ControlPlane| {
        let mut namespaces = originals.keys().map(|name| &name.namespace);
        namespaces.any(|namespace| *namespace == control_plane.deployment.namespace)
            && control_plane.version.and_then(Version::rolls_gateways) != Some(false)
    };
    let has_none = world.managed_gateways.as_ref().is_ok_and(Vec::is_empty);
    let rolls_none = world
        .control_planes
        .as_ref()
        .is_ok_and(|all| !all.iter().any(rolls));
    if has_none || rolls_none {
        return Ok(Vec::new());
    }
    let users = users(world, removal.addresses)?;
    let deployments = users.into_iter().filter_map(|proxy| match &proxy.owner {
        PodOwner::ManagedGateway(name) => Some(ObjectName::new(&proxy.pod.namespace, name)),
        _ => None,
    });
    Ok(deployments.collect::<BTreeSet<_>>().into_iter().collect())
}

#[derive(Default)]
struct Restored {
    steps: Vec<Step>,
    incomplete: Vec<String>,
    is_wired: bool,
    unreadable: Option<ReadError>,
}

fn restore_all(world: &World, removal: &Removal<'_>) -> Restored {
    let mut restored = Restored::default();
    for (name, before) in originals(world, removal) {
        match world.config_maps.get(&name) {
            Some(Err(error)) => restored.unreadable = Some(error.clone()),
            // It went with its mesh.
            None | Some(Ok(None)) => {}
            Some(Ok(Some(config_map))) => restore(config_map, &before, removal, &mut restored),
        }
    }
    restored
}

/// What each ConfigMap held. Without the backup, what the operator once wired holds nothing of its own at those paths.
fn originals(world: &World, removal: &Removal<'_>) -> BTreeMap<ObjectName, MeshConfigContent> {
    if let Some(backup) = removal.backup {
        return backup.originals.clone();
    }
    if removal.status.backup.is_none() {
        return BTreeMap::new();
    }
    let wired = removal.status.mesh.iter().flat_map(|mesh| &mesh.config_maps);
    wired
        .filter_map(|one| {
            let name = ObjectName::parse(&one.name)?;
            world
                .config_maps
                .contains_key(&name)
                .then_some((name, MeshConfigContent::Text(String::new())))
        })
        .collect()
}

fn restore(
    config_map: &MeshConfigMap,
    before: &MeshConfigContent,
    removal: &Removal<'_>,
    all: &mut Restored,
) {
    let current = config_map.mesh_text();
    let name = &config_map.name;
    let address = removal
        .addresses
        .iter()
        .find(|address| current.contains(**address));
    match without_own_values(current, before, removal.addresses) {
        Ok(result) => {
            // Without the backup, what was there before is not known.
            for path in result.kept.iter().filter(|_| removal.backup.is_some()) {
                all.incomplete.push(format!(
                    "{path} in {name} was changed by somebody else and stays as it is"
                ));
            }
            let edit = edit(config_map, before, result.text);
            match (edit, config_map.managing_tool) {
                (Some(_), Some(managing_tool)) => {
                    all.incomplete.push(tracked(name, managing_tool, before, address));
                    all.is_wired = true;
                }
                (Some(edit), None) => {
                    all.steps.push(Step::WriteMesh(edit));
                    return;
                }
                (None, _) => {}
            }
        }
        Err(error) => {
            if let Some(address) = address {
                all.is_wired = true;
                all.incomplete.push(format!(
                    "{name} can't be restored: {error}; remove enableEnvoyAccessLogService and \
                     defaultConfig.envoyAccessLogService with the address {address} from it by hand"
                ));
            }
        }
    }
    all.steps.extend(release_field_ownership(config_map));
}

/// What is to be done about a text that somebody would set back.
fn tracked(
    name: &ObjectName,
    managing_tool: ManagingTool,
    before: &MeshConfigContent,
    address: Option<&&str>,
) -> String {
    let place = match managing_tool {
        ManagingTool::Sail => "its Istio resource's spec.values.meshConfig",
        _ => "its source",
    };
    let then = alscope_mesh_config::read(before.text()).unwrap_or_default();
    let foreign = then.address().map_or(String::new(), |address| {
        format!(", or put the address {address} there, which stood there before")
    });
    format!(
        "{name} is managed by {tool}, which would set a change back, and still sends access logs to {address}; remove \
         enableEnvoyAccessLogService and defaultConfig.envoyAccessLogService from {place}{foreign}",
        tool = managing_tool.as_str(),
        address = address.copied().unwrap_or("the collector"),
    )
}

/// The write that restores a ConfigMap; `None` when it is restored.
fn edit(config_map: &MeshConfigMap, before: &MeshConfigContent, text: String) -> Option<MeshEdit> {
    let is_empty = text.trim().is_empty();
    let after = match before {
        MeshConfigContent::ObjectAbsent if is_empty && config_map.created_by_operator => {
            MeshConfigContent::ObjectAbsent
        }
        MeshConfigContent::KeyAbsent | MeshConfigContent::ObjectAbsent if is_empty => {
            MeshConfigContent::KeyAbsent
        }
        MeshConfigContent::Text(_) | MeshConfigContent::KeyAbsent | MeshConfigContent::ObjectAbsent => {
            MeshConfigContent::Text(text)
        }
    };
    let same = match &after {
        MeshConfigContent::Text(text) => config_map.mesh_text() == text,
        MeshConfigContent::KeyAbsent => config_map.text.is_none(),
        MeshConfigContent::ObjectAbsent => false,
    };
    (!same).then(|| MeshEdit {
        config_map: config_map.name.clone(),
        resource_version: Some(config_map.resource_version.clone()),
        before: config_map.text.clone(),
        after,
    })
}

/// Takes the operator's entries out of `managedFields`, one a write: each changes the others' places.
pub fn release_field_ownership(config_map: &MeshConfigMap) -> Option<Step> {
    let owner = config_map
        .field_owners
        .iter()
        .find(|owner| owner.manager == crate::world::OPERATOR_NAME && !config_map.created_by_operator)?;
    Some(Step::ReleaseFieldOwnership {
        config_map: config_map.name.clone(),
        index: owner.index,
        manager: owner.manager.clone(),
        resource_version: config_map.resource_version.clone(),
    })
}
