//! The fields that a peer sends, and the peer that Istio's fall-back rules make of them.

use als_proto::{Identifier, Malformed, Struct, StructValue};

use super::Peer;
use crate::pod_labels::{APP_NAME, APP_VERSION, CANONICAL_NAME, CANONICAL_REVISION, WORKLOAD_NAME};

/// The fields that the rules read, by either vocabulary; empty is unset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerDescription<'a> {
    pub(super) name: &'a [u8],
    pub(super) namespace: &'a [u8],
    pub(super) workload: &'a [u8],
    /// The path of the owner, such as `kubernetes://apis/apps/v1/namespaces/demo/deployments/reviews-v1`.
    pub(super) owner: &'a [u8],
    pub(super) cluster: &'a [u8],
    pub(super) service: &'a [u8],
    pub(super) revision: &'a [u8],
    pub(super) app: &'a [u8],
    pub(super) version: &'a [u8],
    pub(super) identity: &'a [u8],
    pub(super) labels: PeerLabels<'a>,
    /// Labels in a struct, which [`PeerDescription::peer`] reads.
    pub(super) label_struct: Option<Struct<'a>>,
}

/// The pod labels that the rules read; empty is unset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerLabels<'a> {
    canonical_name: &'a [u8],
    canonical_revision: &'a [u8],
    app_name: &'a [u8],
    app_version: &'a [u8],
    app: &'a [u8],
    version: &'a [u8],
    workload_name: &'a [u8],
}

impl<'a> PeerLabels<'a> {
    /// The slot of a label's value, if a rule reads the label. Case counts, as in Kubernetes.
    pub(super) fn slot(&mut self, key: &[u8]) -> Option<&mut &'a [u8]> {
        let is = |label: &str| key == label.as_bytes();
        if is(CANONICAL_NAME) {
            Some(&mut self.canonical_name)
        } else if is(CANONICAL_REVISION) {
            Some(&mut self.canonical_revision)
        } else if is(APP_NAME) {
            Some(&mut self.app_name)
        } else if is(APP_VERSION) {
            Some(&mut self.app_version)
        } else if is("app") {
            Some(&mut self.app)
        } else if is("version") {
            Some(&mut self.version)
        } else if is(WORKLOAD_NAME) {
            Some(&mut self.workload_name)
        } else {
            None
        }
    }
}

impl<'a> PeerDescription<'a> {
    /// Sets a field of either vocabulary. The case of its name does not count, as in SkyWalking. A repeated field replaces the one
    /// before; a value of the wrong kind counts as none.
    #[inline]
    pub(super) fn set_field(&mut self, name: &[u8], value: StructValue<'a>) {
        if let (Some(place), StructValue::String(text)) =
            (self.slot(name, |name, field| name == field), value)
        {
            *place = text;
        } else {
            self.set_in_any_case(name, value);
        }
    }

    #[inline(never)]
    fn set_in_any_case(&mut self, name: &[u8], value: StructValue<'a>) {
        if name.eq_ignore_ascii_case(b"labels") {
            self.label_struct = match value {
                StructValue::Struct(labels) => Some(labels),
                StructValue::String(_) | StructValue::Other => None,
            };
        } else if let Some(place) = self.slot(name, <[u8]>::eq_ignore_ascii_case) {
            *place = text(value);
        }
    }

    /// The slot of a field's text, if a rule reads the field. A name is compared only with names of its length, because a peer has
    /// a dozen fields and an entry up to two peers.
    #[inline]
    fn slot(&mut self, name: &[u8], is: impl Fn(&[u8], &[u8]) -> bool) -> Option<&mut &'a [u8]> {
        let is = |field: &[u8]| is(name, field);
        match name.len() {
            3 if is(b"app") => Some(&mut self.app),
            4 if is(b"name") => Some(&mut self.name),
            5 if is(b"owner") => Some(&mut self.owner),
            7 if is(b"cluster") => Some(&mut self.cluster),
            7 if is(b"service") => Some(&mut self.service),
            7 if is(b"version") => Some(&mut self.version),
            8 if is(b"workload") => Some(&mut self.workload),
            8 if is(b"revision") => Some(&mut self.revision),
            8 if is(b"identity") => Some(&mut self.identity),
            9 if is(b"namespace") => Some(&mut self.namespace),
            10 if is(b"cluster_id") => Some(&mut self.cluster),
            13 if is(b"workload_name") => Some(&mut self.workload),
            _ => None,
        }
    }

    /// Fills in the pod's name and namespace where the description lacks them.
    pub(super) fn fill_pod(&mut self, name: &'a [u8], namespace: &'a [u8]) {
        self.name = first([self.name, name]);
        self.namespace = first([self.namespace, namespace]);
    }

    /// The peer by Istio's fall-back rules (istio/proxy `metadata_object`, istio `pkg/model` canonical service). The label
    /// `service.istio.io/workload-name` overrides the workload that the injector found by the owners: before 1.25 and at gateways
    /// the injector ignores that label.
    pub(super) fn peer(&self) -> Result<Peer<&'a [u8]>, Malformed> {
        let mut labels = self.labels;
        if let Some(fields) = self.label_struct {
            fields.visit(|key, value| {
                if let Some(place) = labels.slot(key) {
                    *place = text(value);
                }
            })?;
        }
        let workload = first([labels.workload_name, self.workload, end_of_path(self.owner)]);
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

impl<'a> Peer<&'a [u8]> {
    /// The peer in a serialised `google.protobuf.Struct`, with either vocabulary: the tokens of Istio 1.24 and later
    /// (`workload`, `service`, …; istio/proxy `metadata_object`) or those of a node's metadata (`WORKLOAD_NAME`, `LABELS`, …;
    /// istio `pkg/model` `NodeMetadata`). `None` when it can't be read or names nobody.
    pub fn in_struct(message: &'a [u8]) -> Option<Self> {
        let mut description = PeerDescription::default();
        let result = Struct::new(message).visit(|name, value| description.set_field(name, value));
        result.ok()?;
        description.peer().ok()?.named()
    }

    /// The node of a stream, by its metadata and, where that has no namespace or pod, by Istio's node id
    /// (`type~address~pod.namespace~namespace.svc.domain`). It may name nobody.
    pub fn in_node(identifier: &Identifier<'a>) -> Result<Self, Malformed> {
        let mut description = PeerDescription::default();
        identifier.visit_metadata(|name, value| description.set_field(name, value))?;
        let pod = identifier
            .node_id()
            .split(|byte| *byte == b'~')
            .nth(2)
            .unwrap_or_default();
        // The last dot separates: names of pods may have dots, those of namespaces have none.
        if let Some(dot) = pod.iter().rposition(|byte| *byte == b'.') {
            let (name, namespace) = pod.split_at(dot);
            description.fill_pod(name, namespace.get(1..).unwrap_or_default());
        }
        description.peer()
    }
}

/// The text of a value; empty for any other value.
fn text(value: StructValue<'_>) -> &[u8] {
    match value {
        StructValue::String(text) => text,
        StructValue::Struct(_) | StructValue::Other => b"",
    }
}

/// The first text that is not empty.
fn first<const COUNT: usize>(texts: [&[u8]; COUNT]) -> &[u8] {
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The part after the last `/`; empty without one.
fn end_of_path(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.and_then(|slash| path.get(slash + 1..)).unwrap_or_default()
}
