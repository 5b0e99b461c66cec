//! Both texts of mesh config of a revision, and whether they send access logs to the collector.

use alscope_mesh_config::{
    self as mesh_config, AccessLogSettings, MeshConfigError, PROVIDER_NAME, ProviderWiring,
};

use crate::api::{MeshSpec, Wiring};
use crate::world::{Backup, MeshConfigMap, ObjectName, World};

use super::original::{Original, file_provider, host_and_port, provider_address};
use super::refusal::Refusal;
use super::targets::{MeshConfigTarget, config_map};

/// How a resource wants its mesh to be wired.
#[derive(Clone, Copy, Debug)]
pub struct DesiredWiring<'a> {
    /// The part of the resource about the mesh.
    pub mesh: &'a MeshSpec,
    /// The address of the collector.
    pub address: &'a str,
    /// The address that an earlier pass wrote, which may differ.
    pub previous_address: Option<&'a str>,
    /// What the ConfigMaps held before the operator wrote them.
    pub backup: Option<&'a Backup>,
}

impl DesiredWiring<'_> {
    /// The addresses that the operator may have written.
    pub(super) fn addresses(&self) -> Vec<&str> {
        [Some(self.address), self.previous_address]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What a ConfigMap held before the operator wrote it.
    pub(super) fn original(&self, config_map: &ObjectName) -> Option<Original<'_>> {
        Original::of(self.backup?, config_map)
    }
}

/// Both ConfigMaps of a revision, with what they say.
pub(super) struct RevisionTexts<'a> {
    pub(super) primary: Option<&'a MeshConfigMap>,
    pub(super) shared: Option<&'a MeshConfigMap>,
    pub(super) of_primary: AccessLogSettings,
    pub(super) of_shared: AccessLogSettings,
    /// What counts of both.
    pub(super) merged: AccessLogSettings,
    /// What the mesh logs to where the edited text lists no provider.
    pub(super) inherited: Vec<String>,
}

impl<'a> RevisionTexts<'a> {
    /// The texts of a revision.
    pub(super) fn of(world: &'a World, target: &MeshConfigTarget) -> Result<Self, Refusal> {
        let primary = config_map(world, &target.primary)?;
        let shared = match &target.shared {
            Some(name) => config_map(world, name)?,
            None => None,
        };
        let (of_primary, of_shared) = (read(primary)?, read(shared)?);
        let merged = mesh_config::merged(&of_shared, &of_primary);
        Ok(RevisionTexts {
            primary,
            shared,
            inherited: inherited(target, &of_shared, &merged),
            of_primary,
            of_shared,
            merged,
        })
    }

    /// Whether mesh config is as the resource wants it.
    pub(super) fn is_wired(&self, wanted: &DesiredWiring<'_>) -> bool {
        self.is_wired_as(&self.merged, wanted)
            && (wanted.mesh.wiring == Wiring::TelemetryProvider || !self.has_own_provider(wanted))
    }

    /// Whether this mesh config of the revision is wired as the resource wants it.
    pub(super) fn is_wired_as(&self, merged: &AccessLogSettings, wanted: &DesiredWiring<'_>) -> bool {
        match wanted.mesh.wiring {
            Wiring::MeshConfig => merged.stream_to(wanted.address),
            Wiring::TelemetryProvider => merged.has_provider(&provider_wiring(wanted, &self.inherited)),
        }
    }

    /// Whether a text has a provider that the operator wrote into it.
    pub(super) fn has_own_provider(&self, wanted: &DesiredWiring<'_>) -> bool {
        let addresses = wanted.addresses();
        let both = [(self.primary, &self.of_primary), (self.shared, &self.of_shared)];
        both.into_iter().any(|(config_map, settings)| {
            let original = config_map.and_then(|config_map| wanted.original(&config_map.name));
            original.is_some_and(|original| original.inherited.is_some())
                && provider_address(settings, &addresses).is_some()
        })
    }

    /// The name of a listed provider that streams to the collector and that the operator did not write. Where the mesh is to be wired by
    /// a provider, one of the operator's own name becomes its own.
    pub(super) fn provider_of_others(&self, wanted: &DesiredWiring<'_>) -> Option<String> {
        let (host, port) = host_and_port(wanted.address);
        let listed = self
            .merged
            .access_logging_providers
            .as_deref()
            .unwrap_or_default();
        let is_by_hand = || {
            wanted.mesh.wiring == Wiring::MeshConfig
                && self.merged.streams_by_provider(host, port)
                && listed.iter().any(|name| name == PROVIDER_NAME)
                && !self.has_own_provider(wanted)
        };
        let other = self.merged.other_provider_to(host, port).map(str::to_owned);
        other.or_else(|| is_by_hand().then(|| PROVIDER_NAME.to_owned()))
    }
}

/// The refusal of a text that can't be read or edited.
pub(super) fn invalid(config_map: &ObjectName, error: MeshConfigError) -> Refusal {
    Refusal::MeshConfigInvalid {
        config_map: config_map.clone(),
        error,
    }
}

/// The provider that the resource wants.
pub(super) fn provider_wiring<'a>(wanted: &DesiredWiring<'a>, inherited: &'a [String]) -> ProviderWiring<'a> {
    let (service, port) = host_and_port(wanted.address);
    ProviderWiring {
        service,
        port,
        inherited: Some(inherited),
    }
}

fn read(config_map: Option<&MeshConfigMap>) -> Result<AccessLogSettings, Refusal> {
    let Some(config_map) = config_map else {
        return Ok(AccessLogSettings::default());
    };
    mesh_config::read(config_map.mesh_text()).map_err(|error| invalid(&config_map.name, error))
}

fn inherited(
    target: &MeshConfigTarget,
    shared: &AccessLogSettings,
    merged: &AccessLogSettings,
) -> Vec<String> {
    let listed = shared.access_logging_providers.iter().flatten();
    let listed: Vec<String> = listed.filter(|name| *name != PROVIDER_NAME).cloned().collect();
    if target.edits_shared || listed.is_empty() {
        return file_provider(merged);
    }
    listed
}
