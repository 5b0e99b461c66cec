//! The identifier and its node's metadata.

use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message;
use als_proto::{Identifier, Malformed};
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
    assert_eq!(identifier.metadata(&[]), Ok(None));
    compare_struct(identifier, &mut Vec::new(), &node.metadata.unwrap_or_default());
}

/// Compares the values at all paths that start with `path`, where prost has `expected`.
fn compare_struct<'e>(identifier: &Identifier<'_>, path: &mut Vec<&'e str>, expected: &'e Struct) {
    let absent = expected
        .fields
        .keys()
        .fold(String::from("absent"), |absent, name| absent + name);
    let nowhere: Vec<&str> = path.iter().copied().chain([absent.as_str()]).collect();
    assert_eq!(identifier.metadata(&nowhere), Ok(None));
    for (name, value) in &expected.fields {
        path.push(name);
        let found = identifier.metadata(path);
        match &value.kind {
            Some(Kind::StringValue(string)) => {
                assert_eq!(found, Ok(Some(string.as_bytes())), "at {path:?}");
                let beyond: Vec<&str> = path.iter().copied().chain(["beyond"]).collect();
                assert_eq!(identifier.metadata(&beyond), Ok(None));
            }
            Some(Kind::StructValue(inner)) => {
                assert_eq!(found, Ok(None), "at {path:?}");
                compare_struct(identifier, path, inner);
            }
            Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::BoolValue(_) | Kind::ListValue(_))
            | None => {
                assert_eq!(found, Ok(None), "at {path:?}");
            }
        }
        path.pop();
    }
}
