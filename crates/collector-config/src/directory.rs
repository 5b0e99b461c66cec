//! `directory`: the source that tells the collector who has which address.

use std::path::{Path, PathBuf};

use crate::error::Place;
use crate::field::{Field, bad_value};
use crate::raw_config::{RawConfig, Text};
use crate::setting::{Setting, setting};
use crate::{ConfigError, ValueKind};

/// The source that tells the collector who has which address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// The objects of a cluster, watched at its Kubernetes API server.
    Kubernetes(Kubernetes),
    /// The objects of a JSON or YAML file. A relative path has already been joined
    /// to the configuration file's directory.
    File(PathBuf),
    /// No source: the collector looks no address up and needs no right in the cluster.
    None,
}

/// How the collector reaches the Kubernetes API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// The kubeconfig's path, already joined to the configuration file's directory. `None` means the pod's
    /// service account, or the environment's kubeconfig outside of a pod.
    pub kubeconfig: Option<PathBuf>,
}

/// The keys of the block `directory`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "directory",
        Field::Directory(ValueKind::Keys),
        "The source that tells who has which address. It is required; write exactly one of `kubernetes`, `file` and `none`.",
    ),
    setting(
        "directory.kubernetes",
        Field::Directory(ValueKind::Keys),
        "The collector watches a Kubernetes API server. Without further keys (`{}`) it uses the pod's service account, or the environment's kubeconfig outside of a pod.",
    ),
    setting(
        "directory.kubernetes.kubeconfig",
        Field::Directory(ValueKind::File),
        "The kubeconfig that says where the API server is.",
    ),
    setting(
        "directory.file",
        Field::Directory(ValueKind::File),
        "A file with the output of `kubectl get pods,services,endpointslices,nodes -A -o json`, with Istio also of `serviceentries,workloadentries`. YAML (`-o yaml`) takes four times as long to read. The collector reads the file again when it changes or is replaced; it may be a file of a mounted ConfigMap.",
    ),
    setting(
        "directory.none",
        Field::Directory(ValueKind::Keys),
        "No source (`{}`): the collector looks no address up and needs no right in the cluster. Use it with the analyzer `mx-mesh` alone.",
    ),
];

impl Directory {
    /// Reads the one source that `raw` has, and joins its path to the directory of `origin`.
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
