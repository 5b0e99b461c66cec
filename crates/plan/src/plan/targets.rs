//! Which ConfigMaps configure the mesh of a resource, and which of them is edited.

use crate::api::{ConfigSource, MeshSpec, Wiring};
use crate::world::{ControlPlane, MeshConfigMap, ObjectName, Version, World};

use super::refusal::Refusal;
use super::settings::OperatorSettings;

/// The oldest Istio, as `(major, minor)`, whose proxies accept a listener with an access-log cluster that they do not have (Envoy 1.21).
const MIN_ISTIO_VERSION: (u32, u32) = (1, 13);
/// The oldest Istio that skips a provider which it does not find. Before, such a name in a list silenced the other providers.
const MIN_ISTIO_VERSION_OF_PROVIDERS: (u32, u32) = (1, 18);

/// The ConfigMaps of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshConfigTarget {
    /// The revision of Istio.
    pub revision: String,
    /// The revision's own ConfigMap, which wins over the shared one.
    pub primary: ObjectName,
    /// The ConfigMap of the shared mesh config, if istiod names one.
    pub shared: Option<ObjectName>,
    /// Whether the shared ConfigMap is edited.
    pub edits_shared: bool,
    /// The version of istiod, if it is known.
    pub version: Option<Version>,
}

impl MeshConfigTarget {
    /// Whether istiod rolls its managed gateways when mesh config changes; `None` if its version does not tell.
    pub fn rolls_gateways(&self) -> Option<bool> {
        self.version?.rolls_gateways()
    }

    /// The ConfigMap that is edited.
    pub fn edited(&self) -> &ObjectName {
        match &self.shared {
            Some(shared) if self.edits_shared => shared,
            _ => &self.primary,
        }
    }
}

/// The istiods in the namespace of a mesh, sorted by revision.
pub fn control_planes<'a>(world: &'a World, mesh: &MeshSpec) -> Result<Vec<&'a ControlPlane>, Refusal> {
    let all = world.control_planes.as_ref().map_err(Clone::clone)?;
    let mut found: Vec<&ControlPlane> = all
        .iter()
        .filter(|control_plane| control_plane.deployment.namespace == mesh.namespace)
        .collect();
    found.sort_by(|left, right| left.revision.cmp(&right.revision));
    Ok(found)
}

/// Every ConfigMap that these istiods read, sorted.
pub fn config_maps(control_planes: &[ControlPlane]) -> Vec<ObjectName> {
    let mut names: Vec<ObjectName> = control_planes
        .iter()
        .flat_map(|control_plane| [Some(control_plane.config_map()), control_plane.shared()])
        .flatten()
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The targets of a resource, one for each of its revisions.
pub fn targets(
    world: &World,
    settings: &OperatorSettings,
    mesh: &MeshSpec,
) -> Result<Vec<MeshConfigTarget>, Refusal> {
    let found = control_planes(world, mesh)?;
    let mut revisions: Vec<String> = found.iter().map(|one| one.revision.clone()).collect();
    revisions.dedup();
    let unlisted = || {
        revisions
            .iter()
            .any(|revision| !mesh.revisions.contains(revision))
    };
    if (revisions.len() > 1 || !mesh.revisions.is_empty()) && unlisted() {
        return Err(Refusal::RevisionsNotListed {
            found: revisions,
            listed: mesh.revisions.clone(),
        });
    }
    if let Some(revision) = mesh.revisions.iter().find(|one| !revisions.contains(one)) {
        return Err(Refusal::RevisionNotFound {
            revision: revision.clone(),
            namespace: mesh.namespace.clone(),
        });
    }
    found
        .into_iter()
        .map(|control_plane| target(world, settings, mesh, control_plane))
        .collect()
}

fn target(
    world: &World,
    settings: &OperatorSettings,
    mesh: &MeshSpec,
    control_plane: &ControlPlane,
) -> Result<MeshConfigTarget, Refusal> {
    let (major, minor) = match mesh.wiring {
        Wiring::MeshConfig => MIN_ISTIO_VERSION,
        Wiring::TelemetryProvider => MIN_ISTIO_VERSION_OF_PROVIDERS,
    };
    if let Some(version) = control_plane
        .version
        .filter(|version| !version.is_at_least(major, minor))
    {
        return Err(Refusal::IstioTooOld {
            deployment: control_plane.deployment.clone(),
            major: version.major,
            minor: version.minor,
            wiring: mesh.wiring,
        });
    }
    let shared = control_plane.shared();
    let edits_shared = match mesh.config_source {
        ConfigSource::ConfigMap => false,
        ConfigSource::SharedConfigMap if shared.is_none() => {
            return Err(Refusal::NoSharedConfigMap {
                deployment: control_plane.deployment.clone(),
            });
        }
        ConfigSource::SharedConfigMap => true,
        ConfigSource::Auto | ConfigSource::Manual => {
            let named = control_plane.shared_config_map.is_some()
                && control_plane.shared_config_map == settings.shared_config_map;
            named && is_absent_or_own(world, shared.as_ref())
        }
    };
    Ok(MeshConfigTarget {
        revision: control_plane.revision.clone(),
        primary: control_plane.config_map(),
        shared,
        edits_shared,
        version: control_plane.version,
    })
}

fn is_absent_or_own(world: &World, name: Option<&ObjectName>) -> bool {
    name.and_then(|name| world.config_maps.get(name))
        .is_some_and(|read| match read {
            Ok(config_map) => config_map
                .as_ref()
                .is_none_or(|config_map| config_map.created_by_operator),
            Err(_) => false,
        })
}

/// A ConfigMap of mesh config; `None` if it does not exist or was not read.
pub fn config_map<'a>(world: &'a World, name: &ObjectName) -> Result<Option<&'a MeshConfigMap>, Refusal> {
    match world.config_maps.get(name) {
        None => Ok(None),
        Some(read) => Ok(read.as_ref().map_err(Clone::clone)?.as_ref()),
    }
}
