//! What a peer says of itself, word for word, and the peer that this makes.

use als_proto::{Malformed, Struct, Value};

use super::Peer;
use crate::directory::workload::{APP_NAME, APP_VERSION, CANONICAL_NAME, CANONICAL_REVISION};

/// The length of the longest name that [`Description::set_field`] knows: `workload_name`.
const LONGEST_NAME: usize = 13;

/// The fields that any rule reads, from either vocabulary; empty is unset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Description<'a> {
    pub(super) name: &'a [u8],
    pub(super) namespace: &'a [u8],
    pub(super) workload: &'a [u8],
    /// Such as `kubernetes://apis/apps/v1/namespaces/demo/deployments/reviews-v1`.
    pub(super) owner: &'a [u8],
    pub(super) cluster: &'a [u8],
    pub(super) service: &'a [u8],
    pub(super) revision: &'a [u8],
    pub(super) app: &'a [u8],
    pub(super) version: &'a [u8],
    pub(super) identity: &'a [u8],
    pub(super) labels: Labels<'a>,
    /// Labels that are read when everything else is.
    pub(super) label_struct: Option<Struct<'a>>,
}

/// The pod labels that any rule reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Labels<'a> {
    canonical_name: &'a [u8],
    canonical_revision: &'a [u8],
    app_name: &'a [u8],
    app_version: &'a [u8],
    app: &'a [u8],
    version: &'a [u8],
}

impl<'a> Labels<'a> {
    /// Labels are told apart by case, as in Kubernetes.
    pub(super) fn set(&mut self, key: &[u8], value: &'a [u8]) {
        let place = match std::str::from_utf8(key) {
            Ok(CANONICAL_NAME) => &mut self.canonical_name,
            Ok(CANONICAL_REVISION) => &mut self.canonical_revision,
            Ok(APP_NAME) => &mut self.app_name,
            Ok(APP_VERSION) => &mut self.app_version,
            Ok("app") => &mut self.app,
            Ok("version") => &mut self.version,
            Ok(_) | Err(_) => return,
        };
        *place = value;
    }
}

impl<'a> Description<'a> {
    /// Sets a field of either vocabulary, by its name without regard to case, as SkyWalking looks them up. A field that comes
    /// again replaces the one before; a value of the wrong kind is none.
    pub(super) fn set_field(&mut self, name: &[u8], value: Value<'a>) {
        let mut lower = [0; LONGEST_NAME];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return;
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let place = match &*lower {
            b"name" => &mut self.name,
            b"namespace" => &mut self.namespace,
            b"workload" | b"workload_name" => &mut self.workload,
            b"owner" => &mut self.owner,
            b"cluster" | b"cluster_id" => &mut self.cluster,
            b"service" => &mut self.service,
            b"revision" => &mut self.revision,
            b"app" => &mut self.app,
            b"version" => &mut self.version,
            b"identity" => &mut self.identity,
            b"labels" => {
                self.label_struct = match value {
                    Value::Struct(labels) => Some(labels),
                    Value::String(_) | Value::Other => None,
                };
                return;
            }
            _ => return,
        };
        *place = match value {
            Value::String(text) => text,
            Value::Struct(_) | Value::Other => b"",
        };
    }

    /// Names the pod where the description does not.
    pub(super) fn fill_pod(&mut self, name: &'a [u8], namespace: &'a [u8]) {
        self.name = first([self.name, name]);
        self.namespace = first([self.namespace, namespace]);
    }

    /// The peer by Istio's fall-back rules (istio/proxy `metadata_object`, istio `pkg/model` canonical service).
    pub(super) fn peer(mut self) -> Result<Peer<&'a [u8]>, Malformed> {
        if let Some(labels) = self.label_struct {
            labels.visit(|key, value| {
                let text = if let Value::String(text) = value {
                    text
                } else {
                    b""
                };
                self.labels.set(key, text);
            })?;
        }
        let labels = self.labels;
        let workload = first([self.workload, end_of_path(self.owner)]);
        let app = first([self.app, labels.app_name, labels.app]);
        let version = first([self.version, labels.app_version, labels.version]);
        Ok(Peer {
            workload,
            namespace: self.namespace,
            name: self.name,
            cluster: self.cluster,
            canonical_service: first([self.service, labels.canonical_name, app, workload]),
            canonical_revision: first([self.revision, labels.canonical_revision, version, b"latest"]),
            app,
            version,
            identity: self.identity,
        })
    }
}

/// The first text that is not empty.
fn first<const COUNT: usize>(texts: [&[u8]; COUNT]) -> &[u8] {
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// What stands behind the last `/`.
fn end_of_path(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.and_then(|slash| path.get(slash + 1..)).unwrap_or_default()
}
