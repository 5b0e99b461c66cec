//! What holds for any bytes as a struct. The fuzz target includes this file too.

use std::collections::BTreeMap;

use alscope_analysis::peer::Peer;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::stands_in::stands_in;

/// A struct in any bytes is read or refused; where prost accepts it, the peer is the one that prost's struct says.
pub(crate) fn check(bytes: &[u8]) {
    let peer = Peer::in_struct(bytes);
    if let Some(peer) = &peer {
        stands_in(bytes, peer);
    }
    if let Ok(message) = Struct::decode(bytes)
        && let Some(expected) = expected(&message)
    {
        let peer = peer.map(|peer| peer.map(|text| text.to_vec()));
        let named = Some(expected).filter(|peer| !peer.canonical_service.is_empty());
        assert_eq!(peer, named);
    }
}

/// The fields by their lower-case names; `None` when two differ by case alone, because prost does not say which came last.
fn fields(message: &Struct) -> Option<BTreeMap<String, &[u8]>> {
    let mut fields = BTreeMap::new();
    for (name, value) in &message.fields {
        let name = match name.to_ascii_lowercase().as_str() {
            "workload_name" => "workload".to_owned(),
            "cluster_id" => "cluster".to_owned(),
            name => name.to_owned(),
        };
        if fields.insert(name, text_of(value)).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn labels(message: &Struct) -> BTreeMap<&str, &[u8]> {
    let labels = message
        .fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("labels"));
    let Some(Kind::StructValue(labels)) = labels.and_then(|(_, value)| value.kind.as_ref()) else {
        return BTreeMap::new();
    };
    let labels = labels.fields.iter();
    labels
        .map(|(name, value)| (name.as_str(), text_of(value)))
        .collect()
}

/// A value that is no text is none.
fn text_of(value: &Value) -> &[u8] {
    match &value.kind {
        Some(Kind::StringValue(text)) => text.as_bytes(),
        _ => b"",
    }
}

/// Istio's rules, once more and from the other side; `None` when two fields differ by case alone.
pub(crate) fn expected(message: &Struct) -> Option<Peer<Vec<u8>>> {
    let (fields, labels) = (fields(message)?, labels(message));
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let first = |own: &str, names: &[&str], last: &[u8]| {
        let labels = names
            .iter()
            .map(|name| labels.get(name).copied().unwrap_or_default());
        let texts = [field(own)].into_iter().chain(labels).chain([last]);
        texts
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .to_vec()
    };
    let owner = field("owner");
    let of_owner = owner.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let of_owner = if owner.contains(&b'/') { of_owner } else { b"" };
    let label = labels.get("service.istio.io/workload-name").copied();
    let workload = match label.unwrap_or_default() {
        b"" => first("workload", &[], of_owner),
        label => label.to_vec(),
    };
    let app = first("app", &["app.kubernetes.io/name", "app"], b"");
    let version = first("version", &["app.kubernetes.io/version", "version"], b"");
    let or_workload = if app.is_empty() { &workload } else { &app };
    let or_latest: &[u8] = if version.is_empty() { b"latest" } else { &version };
    Some(Peer {
        canonical_service: first("service", &["service.istio.io/canonical-name"], or_workload),
        canonical_revision: first("revision", &["service.istio.io/canonical-revision"], or_latest),
        namespace: field("namespace").to_vec(),
        name: field("name").to_vec(),
        cluster: field("cluster").to_vec(),
        identity: field("identity").to_vec(),
        workload,
        app,
        version,
    })
}
