//! What proxies say about themselves: the identifier that a stream begins with, and the peers in an entry's filter state.

use als_proto::messages::envoy::config::core::v3::Node;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value};

use crate::mesh::Party;
use crate::random::Random;
use crate::shape::Shape;

/// Bytes of metadata in an identifier, about: Istio 1.30's are 62 KB long.
const IDENTIFIER_BYTES: usize = 62_000;
const TYPE: &str = "type.googleapis.com/google.protobuf.Struct";

/// The identifier that the stream of a proxy begins with, as long as Istio's are: a pod's sidecar, or the waypoint before it.
pub fn identifier(reporter: Party<'_>, shape: Shape) -> Identifier {
    let Party { workload, pod } = reporter;
    let namespace = &workload.namespace;
    let kind = match shape {
        Shape::Short | Shape::Sidecar => "sidecar",
        Shape::TwoPeers => "waypoint",
    };
    let metadata = [
        ("CLUSTER_ID", text("Kubernetes")),
        // Istio's agent tells the proxy's whole configuration and its environment.
        ("PROXY_CONFIG", text(&"x".repeat(IDENTIFIER_BYTES))),
    ];
    let node = Node {
        id: format!(
            "{kind}~{}~{}.{namespace}~{namespace}.svc.cluster.local",
            pod.address, pod.name
        ),
        cluster: format!("{}.{namespace}", workload.name),
        metadata: Some(Struct {
            fields: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        }),
        ..Node::default()
    };
    Identifier {
        node: Some(node),
        log_name: "http_envoy_accesslog".to_owned(),
    }
}

/// A peer with every token that Istio 1.29 and later log, in the order that a hash map gives them: another one in each entry.
pub(crate) fn described(party: Party<'_>, random: &mut Random) -> Any {
    let Party { workload, pod } = party;
    let mut fields = [
        ("type", "deployment"),
        ("workload", &workload.name),
        ("name", &pod.name),
        ("cluster", "Kubernetes"),
        ("namespace", &workload.namespace),
        ("service", &workload.name),
        ("revision", "v1"),
        ("app", &workload.name),
        ("version", "v1"),
        ("identity", &workload.principal()),
        ("region", "europe-west3"),
        ("availability_zone", "europe-west3-b"),
    ]
    .map(|(key, value)| (key, value.to_owned()));
    for last in (1..fields.len()).rev() {
        fields.swap(last, random.below(last as u32 + 1) as usize);
    }
    // prost sorts a struct's fields; structs of one field each, one after the other, are the same struct on the wire.
    let one_by_one = fields.into_iter().flat_map(|(key, value)| {
        let one = Struct {
            fields: [(key.to_owned(), text(&value))].into(),
        };
        one.encode_to_vec()
    });
    Any {
        type_url: TYPE.to_owned(),
        value: one_by_one.collect(),
    }
}

fn text(text: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::mesh::{Size, mesh};

    #[test]
    fn a_peer_has_all_its_tokens_in_ever_new_orders() {
        let mesh = mesh(Size::LARGE);
        let workload = &mesh[7];
        let party = Party {
            workload,
            pod: &workload.pods[3],
        };
        let mut random = Random::new(1);
        let mut orders = HashSet::new();
        for _ in 0..100 {
            let any = described(party, &mut random);
            let read = Struct::decode(&any.value[..]).unwrap();
            assert_eq!(read.fields.len(), 12);
            assert_eq!(read.fields["namespace"], text("team-7"));
            orders.insert(any.value);
        }
        assert!(orders.len() > 95, "{} orders", orders.len());
    }
}
