//! Objects of the filter state, by prost.

use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value};

/// The value of a struct's field.
pub(crate) fn text(text: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(text.into())),
    }
}

/// A struct of texts.
pub(crate) fn texts(fields: &[(&str, &str)]) -> Struct {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), text(value)));
    Struct {
        fields: fields.collect(),
    }
}

/// A struct of texts, with another struct of texts as its field `name`.
pub(crate) fn with_labels(fields: &[(&str, &str)], name: &str, labels: &[(&str, &str)]) -> Struct {
    let mut outer = texts(fields);
    let labels = Kind::StructValue(texts(labels));
    outer.fields.insert(name.into(), Value { kind: Some(labels) });
    outer
}

/// An object of the filter state.
pub(crate) fn packed(type_name: &str, value: Vec<u8>) -> Any {
    Any {
        type_url: format!("type.googleapis.com/google.protobuf.{type_name}"),
        value,
    }
}

/// A struct as an object of the filter state.
pub(crate) fn any_struct(value: &Struct) -> Any {
    packed("Struct", value.encode_to_vec())
}

/// Bytes as an object of the filter state.
pub(crate) fn any_bytes(value: &[u8]) -> Any {
    packed("BytesValue", value.to_vec().encode_to_vec())
}
