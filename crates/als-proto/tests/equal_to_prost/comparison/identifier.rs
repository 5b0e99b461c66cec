//! The identifier and its node's metadata.

use std::collections::BTreeMap;

use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message;
use als_proto::{Identifier, Malformed, StructValue};
use prost_types::Struct;
use prost_types::value::Kind;

use super::both;

pub(super) fn compare(
    identifier: Result<Option<Identifier<'_>>, Malformed>,
    expected: Option<&stream_access_logs_message::Identifier>,
) {
    assert!(identifier.is_ok(), "prost accepts the identifier");
    let Ok(identifier) = identifier else { return };
    let Some((identifier, expected)) = both(identifier.as_ref(), expected, "identifier") else {
        return;
    };
    assert_eq!(identifier.log_name(), expected.log_name.as_bytes());
    let node = expected.node.clone().unwrap_or_default();
    assert_eq!(identifier.node_id(), node.id.as_bytes());
    assert_eq!(identifier.node_cluster(), node.cluster.as_bytes());
    let mut metadata = BTreeMap::new();
    let result = identifier.visit_metadata(|name, value| {
        metadata.insert(name, value);
    });
    assert_eq!(result, Ok(()));
    compare_struct(&metadata, &node.metadata.unwrap_or_default());
}

/// Compares a struct's fields, the last of each name, with prost's, and so on inside them.
fn compare_struct(fields: &BTreeMap<&[u8], StructValue<'_>>, expected: &Struct) {
    let names: Vec<&[u8]> = expected.fields.keys().map(String::as_bytes).collect();
    assert_eq!(fields.keys().copied().collect::<Vec<_>>(), names);
    for (value, (name, expected)) in fields.values().zip(&expected.fields) {
        match (value, &expected.kind) {
            (StructValue::String(string), Some(Kind::StringValue(expected))) => {
                assert_eq!(*string, expected.as_bytes(), "the string {name}");
            }
            (StructValue::Struct(inner), Some(Kind::StructValue(expected))) => {
                let mut fields = BTreeMap::new();
                let result = inner.visit(|name, value| {
                    fields.insert(name, value);
                });
                assert_eq!(result, Ok(()));
                compare_struct(&fields, expected);
            }
            (value, kind) => {
                let is_other = matches!(value, StructValue::Other)
                    && !matches!(kind, Some(Kind::StringValue(_) | Kind::StructValue(_)));
                assert!(is_other, "{name} is {value:?} and should be {kind:?}");
            }
        }
    }
}
