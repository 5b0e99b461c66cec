//! Whether the mesh config of a revision is wired, and if not, the edit or the reason against it.

use std::time::Duration;

use alscope_mesh_config as mesh_config;
use alscope_mesh_config::AccessLogSettings;

use crate::api::{ConfigSource, ConflictPolicy, MeshSpec};
use crate::world::{ManagingTool, MeshConfigContent, MeshConfigMap, ObjectName, World};

use super::refusal::{Refusal, mesh_config_snippet};
use super::settings::OperatorSettings;
use super::step::MeshEdit;
use super::targets::{MeshConfigTarget, config_map, targets};
use super::telemetry_precedence::{ShadowedBy, Telemetries};

/// How long a reverted ConfigMap must stay unchanged before it is wired again, because an upgrade writes more than once.
pub const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// How a resource wants its mesh to be wired.
#[derive(Clone, Copy, Debug)]
pub struct DesiredWiring<'a> {
    /// The part of the resource about the mesh.
    pub mesh: &'a MeshSpec,
    /// The address of the collector.
    pub address: &'a str,
    /// The address that an earlier pass wrote, which may differ.
    pub previous_address: Option<&'a str>,
}

/// The judged mesh config of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The revision and its ConfigMaps.
    pub target: MeshConfigTarget,
    /// Whether the merged mesh config sends access logs to the address.
    pub wired: bool,
    /// The merged mesh config; absent when it could not be read.
    pub mesh: Option<AccessLogSettings>,
    /// What follows from the other fields.
    pub verdict: Verdict,
}

/// What follows for the ConfigMap that would be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has to be written.
    Nothing,
    /// This edit has to be written.
    Edit(MeshEdit),
    /// Nothing may be written, for this reason.
    Refuse(Refusal),
}

/// Both ConfigMaps of a revision, with what they say.
struct RevisionTexts<'a> {
    primary: Option<&'a MeshConfigMap>,
    shared: Option<&'a MeshConfigMap>,
    of_primary: AccessLogSettings,
    of_shared: AccessLogSettings,
}

impl RevisionTexts<'_> {
    fn merged(&self) -> AccessLogSettings {
        mesh_config::merged(&self.of_shared, &self.of_primary)
    }
}

/// Judges the mesh config of each revision of a mesh.
pub fn assess_all(
    world: &World,
    settings: &OperatorSettings,
    wanted: &DesiredWiring<'_>,
) -> Result<Vec<Assessment>, Refusal> {
    let targets = targets(world, settings, wanted.mesh)?;
    Ok(targets
        .into_iter()
        .map(|target| assess(world, wanted, target))
        .collect())
}

/// Judges the mesh config of one revision.
pub fn assess(world: &World, wanted: &DesiredWiring<'_>, target: MeshConfigTarget) -> Assessment {
    let texts = match texts(world, &target) {
        Ok(texts) => texts,
        Err(refusal) => {
            return Assessment {
                target,
                wired: false,
                mesh: None,
                verdict: Verdict::Refuse(refusal),
            };
        }
    };
    let merged = texts.merged();
    let wired = merged.stream_to(wanted.address);
    let verdict = match refuse_shadowed(world, &target, &merged) {
        Err(refusal) => Verdict::Refuse(refusal),
        Ok(()) if wired => Verdict::Nothing,
        Ok(()) => match edit(world, wanted, &target, &texts) {
            Ok(edit) => Verdict::Edit(edit),
            Err(refusal) => Verdict::Refuse(refusal),
        },
    };
    Assessment {
        target,
        wired,
        mesh: Some(merged),
        verdict,
    }
}

fn texts<'a>(world: &'a World, target: &MeshConfigTarget) -> Result<RevisionTexts<'a>, Refusal> {
    let primary = config_map(world, &target.primary)?;
    let shared = match &target.shared {
        Some(name) => config_map(world, name)?,
        None => None,
    };
    Ok(RevisionTexts {
        primary,
        shared,
        of_primary: read(primary)?,
        of_shared: read(shared)?,
    })
}

fn read(config_map: Option<&MeshConfigMap>) -> Result<AccessLogSettings, Refusal> {
    let Some(config_map) = config_map else {
        return Ok(AccessLogSettings::default());
    };
    mesh_config::read(config_map.mesh_text()).map_err(|error| invalid(&config_map.name, error))
}

/// istiod ignores the switch of mesh config when a Telemetry or a default provider decides (Istio,
/// `pilot/pkg/networking/core/accesslog.go`).
fn refuse_shadowed(
    world: &World,
    target: &MeshConfigTarget,
    merged: &AccessLogSettings,
) -> Result<(), Refusal> {
    let telemetries = Telemetries {
        all: world.telemetries.as_ref().map_err(Clone::clone)?,
        mesh: Some(merged),
        version: target.version,
    };
    match telemetries.shadowed_by() {
        None => Ok(()),
        Some(ShadowedBy::DefaultProviders(providers)) => Err(Refusal::ShadowedByProviders {
            config_map: target.primary.clone(),
            providers: providers.join(", "),
        }),
        Some(ShadowedBy::Telemetry(telemetry)) => Err(Refusal::ShadowedByTelemetry {
            telemetry: telemetry.name.clone(),
        }),
    }
}

fn edit(
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
            snippet: mesh_config_snippet(wanted.address),
        });
    }
    if edited.is_none() && !target.edits_shared {
        return Err(Refusal::MeshConfigMapNotFound {
            config_map: name.clone(),
        });
    }
    refuse_managed(edited, wanted.address)?;
    refuse_foreign(wanted, target, texts)?;
    refuse_rollout(world, wanted, target)?;
    let before = edited.and_then(|config_map| config_map.text.clone());
    let after = mesh_config::wire(before.as_deref().unwrap_or_default(), wanted.address)
        .map_err(|error| invalid(name, error))?;
    if target.edits_shared {
        refuse_hidden(wanted, target, texts, &after)?;
    }
    Ok(MeshEdit {
        config_map: name.clone(),
        resource_version: edited.map(|config_map| config_map.resource_version.clone()),
        before,
        after: MeshConfigContent::Text(after),
    })
}

fn invalid(config_map: &ObjectName, error: mesh_config::MeshConfigError) -> Refusal {
    Refusal::MeshConfigInvalid {
        config_map: config_map.clone(),
        error,
    }
}

fn refuse_managed(edited: Option<&MeshConfigMap>, address: &str) -> Result<(), Refusal> {
    let Some((config_map, managing_tool)) =
        edited.and_then(|config_map| Some((config_map.name.clone(), config_map.managing_tool?)))
    else {
        return Ok(());
    };
    let snippet = mesh_config_snippet(address);
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

/// Refuses an address that is foreign: one that the operator did not write itself.
fn refuse_foreign(
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
) -> Result<(), Refusal> {
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
    if mesh_config::merged(&shared, &texts.of_primary).stream_to(wanted.address) {
        return Ok(());
    }
    Err(Refusal::PrimaryHides {
        config_map: target.primary.clone(),
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
