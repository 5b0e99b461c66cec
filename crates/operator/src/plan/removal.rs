//! The way down: mesh config restored, the proxies' time to let go, then everything that was made, the backup last.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::MeshObservabilityStatus;
use crate::world::{Backup, Before, Collector, MeshConfigMap, ObjectName, ReadError, World};

use super::original::restored;
use super::refusal::WriteFailure;
use super::settings::Settings;
use super::step::{After, MeshEdit, Step};

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
    /// Whether nothing is left.
    pub done: bool,
}

/// What is due on the way down.
pub fn removal(world: &World, settings: &Settings, removal: &Removal<'_>, now: Timestamp) -> Progress {
    let restored = restore_all(world, removal);
    let mut progress = Progress {
        steps: restored.steps,
        draining_since: None,
        message: String::new(),
        incomplete: restored.incomplete,
        done: false,
    };
    if let Some(failure) = removal.failure {
        progress.message = failure.to_string();
        return progress;
    }
    if let Some(error) = restored.unreadable {
        progress.message = error.to_string();
        return progress;
    }
    if !progress.steps.is_empty() {
        "restoring mesh config".clone_into(&mut progress.message);
        return progress;
    }
    let since = removal
        .status
        .draining_since
        .as_ref()
        .map_or(now, |since| since.0);
    progress.draining_since = Some(since);
    let users = users(world, removal.addresses);
    if users > 0 && now < since + settings.drain_timeout {
        progress.message = format!(
            "mesh config is restored; the collector's Service stays for {users} proxies that still know it, at most {} s",
            settings.drain_timeout.as_secs()
        );
        return progress;
    }
    finish(removal, &mut progress);
    progress
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
    "everything is as it was before".clone_into(&mut progress.message);
    progress.done = true;
}

/// Proxies that were started with one of the addresses.
fn users(world: &World, addresses: &[&str]) -> usize {
    world.proxies.as_ref().map_or(0, |proxies| {
        proxies
            .iter()
            .filter(|proxy| {
                let address = proxy.address.as_deref();
                address.is_some_and(|address| addresses.contains(&address))
            })
            .count()
    })
}

#[derive(Default)]
struct Restored {
    steps: Vec<Step>,
    incomplete: Vec<String>,
    unreadable: Option<ReadError>,
}

fn restore_all(world: &World, removal: &Removal<'_>) -> Restored {
    let mut restored = Restored::default();
    for (name, before) in originals(world, removal) {
        match world.config_maps.get(&name) {
            Some(Err(error)) => restored.unreadable = Some(error.clone()),
            // It went with its mesh.
            None | Some(Ok(None)) => {}
            Some(Ok(Some(config_map))) => restore(config_map, &before, removal.addresses, &mut restored),
        }
    }
    restored
}

/// What each ConfigMap held. Without the backup, what the operator once wired holds nothing of its own at those paths.
fn originals(world: &World, removal: &Removal<'_>) -> BTreeMap<ObjectName, Before> {
    if let Some(backup) = removal.backup {
        return backup.before.clone();
    }
    if removal.status.backup.is_none() {
        return BTreeMap::new();
    }
    let wired = removal.status.mesh.iter().flat_map(|mesh| &mesh.config_maps);
    wired
        .filter_map(|one| {
            let (namespace, name) = one.name.split_once('/')?;
            let name = ObjectName::new(namespace, name);
            world
                .config_maps
                .contains_key(&name)
                .then_some((name, Before::Text(String::new())))
        })
        .collect()
}

fn restore(config_map: &MeshConfigMap, before: &Before, addresses: &[&str], all: &mut Restored) {
    let current = config_map.mesh();
    let name = &config_map.name;
    match restored(current, before, addresses) {
        Ok(result) => {
            for path in &result.kept {
                all.incomplete.push(format!(
                    "{path} in {name} was changed by somebody else and stays as it is"
                ));
            }
            if let Some(edit) = edit(config_map, before, result.text) {
                all.steps.push(Step::WriteMesh(edit));
                return;
            }
        }
        Err(error) => {
            if let Some(address) = addresses.iter().find(|address| current.contains(**address)) {
                all.incomplete.push(format!(
                    "{name} can't be restored: {error}; remove enableEnvoyAccessLogService and \
                     defaultConfig.envoyAccessLogService with the address {address} from it by hand"
                ));
            }
        }
    }
    all.steps.extend(disown(config_map));
}

/// The write that restores a ConfigMap; `None` when it is restored.
fn edit(config_map: &MeshConfigMap, before: &Before, text: String) -> Option<MeshEdit> {
    let is_empty = text.trim().is_empty();
    let after = match before {
        Before::ObjectAbsent if is_empty && config_map.is_ours => After::NoObject,
        Before::KeyAbsent | Before::ObjectAbsent if is_empty => After::NoKey,
        Before::Text(_) | Before::KeyAbsent | Before::ObjectAbsent => After::Text(text),
    };
    let same = match &after {
        After::Text(text) => config_map.mesh() == text,
        After::NoKey => config_map.text.is_none(),
        After::NoObject => false,
    };
    (!same).then(|| MeshEdit {
        config_map: config_map.name.clone(),
        resource_version: Some(config_map.resource_version.clone()),
        before: config_map.text.clone(),
        after,
    })
}

/// Takes the operator's entries out of `managedFields`, one a write: each changes the others' places.
pub fn disown(config_map: &MeshConfigMap) -> Option<Step> {
    let owner = config_map
        .owners
        .iter()
        .find(|owner| owner.manager == crate::world::MANAGER && !config_map.is_ours)?;
    Some(Step::Disown {
        config_map: config_map.name.clone(),
        index: owner.index,
        manager: owner.manager.clone(),
        resource_version: config_map.resource_version.clone(),
    })
}
