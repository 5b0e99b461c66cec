//! Reads a peer in plain text: `type=deployment,workload=reviews,namespace=demo,…` as Istio writes it to text logs, or
//! `k8s.deployment.name=reviews,k8s.namespace.name=demo,…` with the names of its `baggage` header (istio/proxy `metadata_object`).

use als_proto::StructValue;

use super::Peer;
use super::description::PeerDescription;

/// The peer in `text`; `None` when it names neither a workload nor a service.
pub(super) fn read(text: &[u8]) -> Option<Peer<&[u8]>> {
    let mut description = PeerDescription::default();
    for pair in text.split(|byte| *byte == b',') {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (token, value) = pair.split_at(equals);
        let (token, value) = (
            token.trim_ascii(),
            value.get(1..).unwrap_or_default().trim_ascii(),
        );
        match token.strip_prefix(b"labels[]") {
            Some(label) => {
                if let Some(place) = description.labels.slot(label) {
                    *place = value;
                }
            }
            None => description.set_field(field(token), StructValue::String(value)),
        }
    }
    description.peer().ok()?.named()
}

/// The field that a key of the `baggage` header stands for; any other key is a field's own name.
fn field(token: &[u8]) -> &[u8] {
    match token {
        b"k8s.deployment.name" | b"k8s.pod.name" | b"k8s.job.name" | b"k8s.cronjob.name" => b"workload",
        b"k8s.namespace.name" => b"namespace",
        b"k8s.cluster.name" => b"cluster",
        b"k8s.instance.name" => b"name",
        b"service.name" => b"service",
        b"service.version" => b"revision",
        b"app.name" => b"app",
        b"app.version" => b"version",
        token => token,
    }
}
