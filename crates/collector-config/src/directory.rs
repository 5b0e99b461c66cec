//! `directory`: where the collector learns which address belongs to whom.

use std::path::{Path, PathBuf};

use crate::error::Place;
use crate::field::{Field, bad_value};
use crate::raw_config::{RawConfig, Text};
use crate::setting::{Setting, setting};
use crate::{ConfigError, ValueKind};

/// Where the collector learns which address belongs to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Watches of a Kubernetes API server.
    Kubernetes(Kubernetes),
    /// A snapshot in a YAML file; the path is already joined to the configuration file's directory.
    File(PathBuf),
    /// Nowhere: no address is looked up, and no right is needed.
    None,
}

/// How the Kubernetes API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// A kubeconfig, already joined to the configuration file's directory; `None` is the pod's own service account, or
    /// else the environment's kubeconfig.
    pub kubeconfig: Option<PathBuf>,
}

/// The keys of the block `directory`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "directory",
        Field::Directory(ValueKind::Keys),
        "Where it is learnt who has which address. Required, with one of `kubernetes`, `file` and `none`.",
    ),
    setting(
        "directory.kubernetes",
        Field::Directory(ValueKind::Keys),
        "Watches of a Kubernetes API server. Without keys (`{}`) it is the one of the pod's service account, or else of the environment's kubeconfig.",
    ),
    setting(
        "directory.kubernetes.kubeconfig",
        Field::Directory(ValueKind::File),
        "A kubeconfig that leads to the API server.",
    ),
    setting(
        "directory.file",
        Field::Directory(ValueKind::File),
        "A file with what `kubectl get pods,services,endpointslices,nodes -A -o json` prints, with Istio also `serviceentries,workloadentries`; `-o yaml` takes four times as long to read. When it changes or is replaced, also as a file of a mounted ConfigMap, it is read again.",
    ),
    setting(
        "directory.none",
        Field::Directory(ValueKind::Keys),
        "Nowhere (`{}`): no address is looked up and no right is needed. For the analyzer `mx-mesh` alone.",
    ),
];

impl Directory {
    /// The one source that `raw` has; its path is joined to the directory of `origin`.
    pub(crate) fn read(raw: &RawConfig, origin: &Path) -> Result<Self, ConfigError> {
        let kubernetes = raw.blocks.contains_key("directory.kubernetes");
        let none = raw.blocks.contains_key("directory.none");
        let found = match (kubernetes, raw.texts.get("directory.file"), none) {
            (true, None, false) => {
                let kubeconfig = raw.texts.get("directory.kubernetes.kubeconfig");
                return Ok(Self::Kubernetes(Kubernetes {
                    kubeconfig: kubeconfig.map(|text| path(text, origin)).transpose()?,
                }));
            }
            (false, Some(file), false) => return Ok(Self::File(path(file, origin)?)),
            (false, None, true) => return Ok(Self::None),
            (false, None, false) => "no source",
            _ => "more than one source",
        };
        let block = raw.blocks.get("directory").cloned();
        Err(ConfigError::DirectorySource {
            place: block.unwrap_or_else(|| Place::File(origin.to_owned())),
            found,
        })
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::File(path) => format!("file {}", path.display()),
            Self::Kubernetes(kubernetes) => match &kubernetes.kubeconfig {
                Some(path) => format!("kubernetes by {}", path.display()),
                None => "kubernetes".to_owned(),
            },
        }
    }
}

fn path(text: &Text, origin: &Path) -> Result<PathBuf, ConfigError> {
    if text.value.trim().is_empty() {
        return Err(bad_value(text, "write the path of a file"));
    }
    Ok(origin.parent().unwrap_or(Path::new("")).join(text.value.trim()))
}
