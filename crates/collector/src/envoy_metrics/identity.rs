//! Converts the identifier of a reporting node into labels.

use als_proto::{Identifier, Malformed, StructValue};

use super::names::push_label;

/// The labels of a node that name its service, the first one with precedence, as in
/// SkyWalking's default mapping of metadata.
const SERVICE_LABELS: [&str; 4] = [
    "service.istio.io/canonical-name",
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
];
/// The placeholder for a name that the node does not have.
const UNNAMED: &str = "-";

/// The rendered labels of a proxy. Two nodes with the same `key` are the same proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `cluster="…",proxy="…"`: the node metadata `CLUSTER_ID`, and pod and namespace from Istio's node id.
    /// A plain Envoy is named by its whole node id.
    pub key: Box<str>,
    /// `app="…",instance="…"`: the service and the pod, by SkyWalking's default mapping of node metadata.
    pub service: Box<str>,
}

impl Identity {
    /// Reads the node of an identifier.
    pub fn read(identifier: &Identifier<'_>) -> Result<Self, Malformed> {
        let (mut name, mut namespace, mut cluster) = (None, None, None);
        let mut labels_of_pod = None;
        identifier.visit_metadata(|key, value| match (key, value) {
            (b"NAME", StructValue::String(text)) => name = said(text),
            (b"NAMESPACE", StructValue::String(text)) => namespace = said(text),
            (b"CLUSTER_ID", StructValue::String(text)) => cluster = said(text),
            (b"LABELS", StructValue::Struct(found)) => labels_of_pod = Some(found),
            _ => {}
        })?;
        let mut services = [const { None }; SERVICE_LABELS.len()];
        if let Some(found) = labels_of_pod {
            found.visit(|key, value| {
                let label = SERVICE_LABELS.iter().position(|label| label.as_bytes() == key);
                if let (Some(place), StructValue::String(text)) =
                    (label.and_then(|label| services.get_mut(label)), value)
                {
                    *place = said(text);
                }
            })?;
        }
        let service = services.into_iter().flatten().next();
        let or_none = |name: Option<String>| name.unwrap_or_else(|| UNNAMED.to_owned());
        let app = format!("{}.{}", or_none(service), or_none(namespace));
        let instance = or_none(name);
        let cluster = cluster.unwrap_or_else(|| "unknown".to_owned());
        let id = String::from_utf8_lossy(identifier.node_id());
        Ok(Identity {
            key: labels([("cluster", &cluster), ("proxy", proxy(&id))]),
            service: labels([("app", &app), ("instance", &instance)]),
        })
    }
}

/// Returns a text of the metadata, unless it is empty or SkyWalking's placeholder for nothing.
fn said(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    (!text.is_empty() && text != UNNAMED).then(|| text.into_owned())
}

fn labels(labels: [(&str, &str); 2]) -> Box<str> {
    let mut text = String::new();
    for (name, value) in labels {
        push_label(&mut text, name, value);
    }
    text.into()
}

/// Returns `pod.namespace` of an Istio node id, which is `type~address~pod.namespace~namespace.svc.domain`
/// (istio `pkg/model` `ServiceNode`), or any other node id as it is.
fn proxy(id: &str) -> &str {
    let parts: Vec<&str> = id.split('~').collect();
    match parts[..] {
        [_, _, pod, _] if !pod.is_empty() => pod,
        _ if id.is_empty() => UNNAMED,
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use als_proto::MetricsMessage;
    use als_proto::messages::envoy::config::core::v3::Node;
    use als_proto::messages::envoy::service::metrics::v3::StreamMetricsMessage;
    use als_proto::messages::envoy::service::metrics::v3::stream_metrics_message::Identifier;
    use prost::Message as _;
    use prost_types::value::Kind;
    use prost_types::{Struct, Value};
    use rstest::rstest;

    use super::*;

    fn structure(fields: &[(&str, Value)]) -> Struct {
        Struct {
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    fn text(text: &str) -> Value {
        Value {
            kind: Some(Kind::StringValue(text.to_owned())),
        }
    }

    fn read(id: &str, metadata: &[(&str, Value)]) -> Identity {
        let node = Node {
            id: id.to_owned(),
            metadata: Some(structure(metadata)),
            ..Node::default()
        };
        let bytes = StreamMetricsMessage {
            identifier: Some(Identifier { node: Some(node) }),
            envoy_metrics: vec![],
        }
        .encode_to_vec();
        let message = MetricsMessage::read(&bytes).unwrap();
        Identity::read(&message.identifier().unwrap().unwrap()).unwrap()
    }

    #[rstest]
    #[case::sidecar("sidecar~10.0.0.1~reviews-v1.demo~demo.svc.cluster.local", "reviews-v1.demo")]
    #[case::plain_envoy("edge-7", "edge-7")]
    #[case::two_parts("a~b", "a~b")]
    #[case::no_pod(
        "sidecar~10.0.0.1~~demo.svc.cluster.local",
        "sidecar~10.0.0.1~~demo.svc.cluster.local"
    )]
    #[case::nothing("", "-")]
    #[case::escaped("a\"b", "a\\\"b")]
    fn a_proxy_is_named_by_its_node_id(#[case] id: &str, #[case] proxy: &str) {
        let expected = format!("cluster=\"unknown\",proxy=\"{proxy}\"");
        assert_eq!(&*read(id, &[]).key, expected);
    }

    #[test]
    fn the_kubernetes_cluster_is_part_of_the_key() {
        let identity = read("edge", &[("CLUSTER_ID", text("east"))]);
        assert_eq!(&*identity.key, "cluster=\"east\",proxy=\"edge\"");
    }

    #[rstest]
    #[case::all(
        &["service.istio.io/canonical-name", "app.kubernetes.io/name", "app", "k8s-app"],
        "service.istio.io/canonical-name"
    )]
    #[case::without_canonical_name(&["app.kubernetes.io/name", "app", "k8s-app"], "app.kubernetes.io/name")]
    #[case::app(&["app", "k8s-app"], "app")]
    #[case::last(&["k8s-app"], "k8s-app")]
    #[case::none(&["version"], "-")]
    fn the_first_label_that_names_a_service_wins(#[case] labels: &[&str], #[case] expected: &str) {
        let labels: Vec<(&str, Value)> = labels.iter().map(|label| (*label, text(label))).collect();
        let labels = Value {
            kind: Some(Kind::StructValue(structure(&labels))),
        };
        let identity = read(
            "edge",
            &[
                ("LABELS", labels),
                ("NAMESPACE", text("demo")),
                ("NAME", text("pod-1")),
            ],
        );
        assert_eq!(
            &*identity.service,
            format!("app=\"{expected}.demo\",instance=\"pod-1\"")
        );
    }

    #[test]
    fn a_node_without_metadata_has_placeholders() {
        assert_eq!(&*read("edge", &[]).service, "app=\"-.-\",instance=\"-\"");
    }
}
