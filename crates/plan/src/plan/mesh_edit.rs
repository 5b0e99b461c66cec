//! The edit that wires a revision, or the reason against it.

use alscope_mesh_config::{self as mesh_config, AccessLogSettings, MeshConfigError, PROVIDER_NAME};

use crate::api::{ConfigSource, ConflictPolicy, Wiring};
use crate::world::{ManagingTool, MeshConfigContent, MeshConfigMap, ObjectName, World};

use super::original::{provider_address, without_provider};
use super::refusal::{Refusal, mesh_config_snippet};
use super::revision_texts::{DesiredWiring, RevisionTexts, invalid, provider_wiring};
use super::step::MeshEdit;
use super::targets::MeshConfigTarget;

/// Plans the edit of a revision that is not wired yet.
pub(super) fn edit(
    world: &World,
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
) -> Result<MeshEdit, Refusal> {
    let name = target.edited();
    let edited = if target.edits_shared {
        texts.shared
    } else {
        texts.primary
    };
    if wanted.mesh.config_source == ConfigSource::Manual {
        return Err(Refusal::ManualActionRequired {
            config_map: name.clone(),
            snippet: mesh_config_snippet(wanted.mesh.wiring, wanted.address),
        });
    }
    if edited.is_none() && !target.edits_shared {
        return Err(Refusal::MeshConfigMapNotFound {
            config_map: name.clone(),
        });
    }
    refuse_managed(edited, wanted)?;
    refuse_foreign(wanted, target, texts)?;
    if wanted.mesh.wiring == Wiring::MeshConfig {
        refuse_rollout(world, wanted, target)?;
    }
    let before = edited.and_then(|config_map| config_map.text.clone());
    let inherited = (wanted.mesh.wiring == Wiring::TelemetryProvider).then(|| texts.inherited.clone());
    let text = before.as_deref().unwrap_or_default();
    let after = rewired(wanted, name, text, inherited.as_deref()).map_err(|error| invalid(name, error))?;
    if target.edits_shared {
        refuse_hidden(wanted, target, texts, &after)?;
    }
    Ok(MeshEdit {
        config_map: name.clone(),
        resource_version: edited.map(|config_map| config_map.resource_version.clone()),
        before,
        after: MeshConfigContent::Text(after),
        inherited,
    })
}

/// The text with the wanted wiring. A provider hides the switch, so it is taken back for it. The switch beside a provider stays: it has
/// no effect, and taking its address back would roll managed gateways.
fn rewired(
    wanted: &DesiredWiring<'_>,
    name: &ObjectName,
    text: &str,
    inherited: Option<&[String]>,
) -> Result<String, MeshConfigError> {
    if let Some(inherited) = inherited {
        return mesh_config::add_provider(text, &provider_wiring(wanted, inherited));
    }
    let Some(original) = wanted.original(name) else {
        return mesh_config::wire(text, wanted.address);
    };
    let settings = mesh_config::read(text)?;
    let without = without_provider(text, &settings, original, &wanted.addresses())?;
    mesh_config::wire(&without.text, wanted.address)
}

fn refuse_managed(edited: Option<&MeshConfigMap>, wanted: &DesiredWiring<'_>) -> Result<(), Refusal> {
    let Some((config_map, managing_tool)) =
        edited.and_then(|config_map| Some((config_map.name.clone(), config_map.managing_tool?)))
    else {
        return Ok(());
    };
    let snippet = mesh_config_snippet(wanted.mesh.wiring, wanted.address);
    Err(match managing_tool {
        ManagingTool::Sail => Refusal::ManagedBySail { config_map, snippet },
        ManagingTool::ArgoCd
        | ManagingTool::Flux
        | ManagingTool::Fleet
        | ManagingTool::ConfigSync
        | ManagingTool::Kapp => Refusal::ManagedByGitOps {
            config_map,
            managing_tool,
            snippet,
        },
    })
}

/// Refuses a provider of the collector's name that is foreign: one to another service.
fn refuse_foreign_provider(
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
) -> Result<(), Refusal> {
    let addresses = wanted.addresses();
    let is_foreign = |settings: &AccessLogSettings| {
        has_named(settings) && provider_address(settings, &addresses).is_none()
    };
    let config_map = if is_foreign(&texts.of_primary) {
        Some(&target.primary)
    } else {
        target.shared.as_ref().filter(|_| is_foreign(&texts.of_shared))
    };
    match config_map {
        Some(config_map) if wanted.mesh.conflict_policy == ConflictPolicy::Refuse => {
            Err(Refusal::ForeignProvider {
                config_map: config_map.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

fn has_named(settings: &AccessLogSettings) -> bool {
    let mut providers = settings.extension_providers.iter();
    providers.any(|one| one.name.eq_ignore_ascii_case(PROVIDER_NAME))
}

/// Refuses an address that is foreign: one that the operator did not write itself. Where providers are listed already, it has no effect.
fn refuse_foreign(
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
) -> Result<(), Refusal> {
    if wanted.mesh.wiring == Wiring::TelemetryProvider {
        refuse_foreign_provider(wanted, target, texts)?;
        let merged = &texts.merged;
        let listed = merged.access_logging_providers.as_deref().unwrap_or_default();
        if merged.enabled != Some(true) || !listed.is_empty() {
            return Ok(());
        }
    }
    let is_foreign = |address: &&str| *address != wanted.address && wanted.previous_address != Some(*address);
    let in_primary = texts.of_primary.address().filter(is_foreign);
    if let (true, Some(address)) = (target.edits_shared, in_primary) {
        return Err(Refusal::PrimaryWins {
            config_map: target.primary.clone(),
            address: address.to_owned(),
        });
    }
    if wanted.mesh.conflict_policy == ConflictPolicy::Overwrite {
        return Ok(());
    }
    let in_shared = texts.of_shared.address().filter(is_foreign);
    let found = match (in_primary, in_shared, &target.shared) {
        (Some(address), _, _) => Some((target.primary.clone(), address)),
        (None, Some(address), Some(shared)) => Some((shared.clone(), address)),
        (None, _, _) => None,
    };
    match found {
        Some((config_map, address)) => Err(Refusal::ForeignAddress {
            config_map,
            address: address.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Refuses to write a shared mesh config that the revision's own hides: every pass would write it again, without effect.
fn refuse_hidden(
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
    after: &str,
) -> Result<(), Refusal> {
    let shared = mesh_config::read(after).map_err(|error| invalid(target.edited(), error))?;
    if texts.is_wired_as(&mesh_config::merged(&shared, &texts.of_primary), wanted) {
        return Ok(());
    }
    Err(Refusal::PrimaryHides {
        config_map: target.primary.clone(),
        wiring: wanted.mesh.wiring,
    })
}

fn refuse_rollout(
    world: &World,
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
) -> Result<(), Refusal> {
    if wanted.mesh.allow_gateway_rollout || target.rolls_gateways() == Some(false) {
        return Ok(());
    }
    let gateways = world.managed_gateways.as_ref().map_err(Clone::clone)?;
    if gateways.is_empty() {
        return Ok(());
    }
    Err(Refusal::WouldRestartGateways {
        gateways: gateways.clone(),
    })
}
