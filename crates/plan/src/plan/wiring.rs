//! Whether the mesh config of a revision is wired, and if not, the edit or the reason against it.

use std::time::Duration;

use alscope_mesh_config::{AccessLogSettings, PROVIDER_NAME};

use crate::api::Wiring;
use crate::world::World;

use super::mesh_edit::edit;
use super::refusal::Refusal;
use super::revision_texts::{DesiredWiring, RevisionTexts};
use super::settings::OperatorSettings;
use super::step::MeshEdit;
use super::targets::{MeshConfigTarget, targets};
use super::telemetry_precedence::{ShadowedBy, Telemetries};

/// How long a reverted ConfigMap must stay unchanged before it is wired again, because an upgrade writes more than once.
pub const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// The judged mesh config of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The revision and its ConfigMaps.
    pub target: MeshConfigTarget,
    /// Whether the merged mesh config sends access logs to the address.
    pub wired: bool,
    /// The merged mesh config; absent when it could not be read.
    pub mesh: Option<AccessLogSettings>,
    /// The provider through which the mesh is wired, or is to be; absent where the switch of mesh config wires it.
    pub provider: Option<String>,
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
    let texts = match RevisionTexts::of(world, &target) {
        Ok(texts) => texts,
        Err(refusal) => {
            return Assessment {
                target,
                wired: false,
                mesh: None,
                provider: None,
                verdict: Verdict::Refuse(refusal),
            };
        }
    };
    let others = texts.provider_of_others(wanted);
    let is_by_provider = wanted.mesh.wiring == Wiring::TelemetryProvider;
    let provider = others
        .clone()
        .or(is_by_provider.then(|| PROVIDER_NAME.to_owned()));
    // A provider that somebody else listed streams to the collector already; another would double each entry.
    let wired = others.is_some() || texts.is_wired(wanted);
    let verdict = verdict(world, wanted, &target, &texts, wired, provider.as_deref());
    Assessment {
        target,
        wired,
        mesh: Some(texts.merged),
        provider,
        verdict: verdict.unwrap_or_else(Verdict::Refuse),
    }
}

fn verdict(
    world: &World,
    wanted: &DesiredWiring<'_>,
    target: &MeshConfigTarget,
    texts: &RevisionTexts<'_>,
    wired: bool,
    provider: Option<&str>,
) -> Result<Verdict, Refusal> {
    // A Telemetry can name the provider only when mesh config has it. And while mesh config lists the operator's own provider, the
    // switch has no effect until that is taken back.
    let comes_first = !wired && (provider.is_some() || texts.has_own_provider(wanted));
    if !comes_first {
        refuse_shadowed(world, target, &texts.merged, provider)?;
    }
    if wired {
        return Ok(Verdict::Nothing);
    }
    edit(world, wanted, target, texts).map(Verdict::Edit)
}

/// istiod ignores the switch of mesh config when a Telemetry or a default provider decides (Istio,
/// `pilot/pkg/networking/core/accesslog.go`).
fn refuse_shadowed(
    world: &World,
    target: &MeshConfigTarget,
    merged: &AccessLogSettings,
    provider: Option<&str>,
) -> Result<(), Refusal> {
    let telemetries = Telemetries {
        all: world.telemetries.as_ref().map_err(Clone::clone)?,
        mesh: Some(merged),
        version: target.version,
        provider,
    };
    match telemetries.shadowed_by() {
        None => Ok(()),
        Some(ShadowedBy::DefaultProviders(providers)) => Err(Refusal::ShadowedByProviders {
            config_map: target.primary.clone(),
            providers: providers.join(", "),
        }),
        Some(ShadowedBy::Telemetry(telemetry)) => Err(match provider {
            None => Refusal::ShadowedByTelemetry {
                telemetry: telemetry.name.clone(),
            },
            Some(provider) => Refusal::ProviderNotNamed {
                telemetry: telemetry.name.clone(),
                provider: provider.to_owned(),
            },
        }),
    }
}
