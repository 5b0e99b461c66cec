//! The metadata of the node that sends, and wrapped bytes.

use als_proto::{Malformed, Message, Struct, StructValue, wrapped_bytes};
use rstest::rstest;

use crate::encode::{message, string, varint};

/// A field of a struct.
fn field(name: &str, value: Vec<u8>) -> Vec<u8> {
    message(1, [string(1, name), string(2, value)])
}

/// `google.protobuf.Value`s.
fn text(value: &str) -> Vec<u8> {
    string(3, value)
}

fn structure(fields: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    message(5, fields)
}

fn message_with_metadata(occurrences: &[Vec<u8>]) -> Vec<u8> {
    occurrences
        .iter()
        .flat_map(|fields| message(1, [message(1, [string(3, fields)])]))
        .collect()
}

/// The string at `path` in the metadata.
fn at(bytes: &[u8], path: &[&str]) -> Result<Option<String>, Malformed> {
    let identifier = Message::read(bytes)?
        .identifier()?
        .expect("the message has an identifier");
    let (first, rest) = path.split_first().expect("a path");
    let mut found = StructValue::Other;
    identifier.visit_metadata(|name, value| {
        if name == first.as_bytes() {
            found = value;
        }
    })?;
    for step in rest {
        let StructValue::Struct(inner) = found else {
            return Ok(None);
        };
        found = StructValue::Other;
        inner.visit(|name, value| {
            if name == step.as_bytes() {
                found = value;
            }
        })?;
    }
    Ok(match found {
        StructValue::String(string) => Some(String::from_utf8_lossy(string).into_owned()),
        StructValue::Struct(_) | StructValue::Other => None,
    })
}

#[rstest]
#[case::top_level(&["CLUSTER_ID"], Some("Kubernetes"))]
#[case::nested(&["LABELS", "app"], Some("reviews"))]
#[case::absent(&["NAME"], None)]
#[case::absent_below(&["LABELS", "version"], None)]
#[case::a_struct_is_no_string(&["LABELS"], None)]
#[case::a_string_has_no_fields(&["CLUSTER_ID", "app"], None)]
#[case::a_bool_is_no_string(&["DEBUG"], None)]
fn strings_are_found_by_path(#[case] path: &[&str], #[case] expected: Option<&str>) {
    let fields = [
        field("CLUSTER_ID", text("Kubernetes")),
        field("LABELS", structure([field("app", text("reviews"))])),
        field("DEBUG", varint(4, 1)),
    ];
    let bytes = message_with_metadata(&[fields.concat()]);
    assert_eq!(at(&bytes, path), Ok(expected.map(str::to_owned)));
}

#[rstest]
#[case::a_later_field_replaces(&[field("a", text("old")), field("a", text("new"))], &["a"], Some("new"))]
#[case::as_a_whole(
    &[field("a", structure([field("b", text("old"))])), field("a", structure([field("c", text("new"))]))],
    &["a", "b"],
    None
)]
#[case::pieces_of_a_value_are_merged(
    &[field("a", [structure([field("b", text("1"))]), structure([field("c", text("2"))])].concat())],
    &["a", "b"],
    Some("1")
)]
#[case::the_last_kind_wins(&[field("a", [text("old"), varint(4, 1)].concat())], &["a"], None)]
#[case::a_struct_starts_anew(
    &[field("a", [structure([field("b", text("1"))]), text("x"), structure([])].concat())],
    &["a", "b"],
    None
)]
#[case::and_goes_on(
    &[field("a", [structure([field("b", text("1"))]), text("x"), structure([]), structure([field("b", text("2"))])].concat())],
    &["a", "b"],
    Some("2")
)]
fn metadata_merges_as_protobuf_does(
    #[case] occurrences: &[Vec<u8>],
    #[case] path: &[&str],
    #[case] expected: Option<&str>,
) {
    let bytes = message_with_metadata(occurrences);
    assert_eq!(at(&bytes, path), Ok(expected.map(str::to_owned)));
}

#[test]
fn broken_metadata_is_malformed_when_it_is_asked_for() {
    let bytes = message_with_metadata(&[vec![0x0a, 0x7f]]);
    assert_eq!(at(&bytes, &["a"]), Err(Malformed));
}

#[rstest]
#[case::value(string(1, "x"), Ok("x"))]
#[case::the_last_wins([string(1, "x"), string(1, "y")].concat(), Ok("y"))]
#[case::unknown_fields_are_skipped([string(1, "x"), string(2, "y")].concat(), Ok("x"))]
#[case::absent(vec![], Ok(""))]
#[case::wrong_wire_type(varint(1, 1), Err(Malformed))]
#[case::cut_off(vec![0x0a, 0x02, b'x'], Err(Malformed))]
fn a_wrapper_has_bytes(#[case] message: Vec<u8>, #[case] expected: Result<&str, Malformed>) {
    assert_eq!(wrapped_bytes(&message), expected.map(str::as_bytes));
}

#[rstest]
#[case::plain(b"\x0a\x08\x0a\x01n\x12\x03\x1a\x01t", Ok(vec![("n", "t")]))]
#[case::two(b"\x0a\x08\x0a\x01n\x12\x03\x1a\x01t\x0a\x07\x0a\x01m\x12\x02\x1a\x00", Ok(vec![("n", "t"), ("m", "")]))]
#[case::value_first(b"\x0a\x08\x12\x03\x1a\x01t\x0a\x01n", Ok(vec![("n", "t")]))]
#[case::no_name(b"\x0a\x07\x0a\x00\x12\x03\x1a\x01t", Ok(vec![("", "t")]))]
#[case::something_behind_the_text(b"\x0a\x0a\x0a\x01n\x12\x05\x1a\x01t\x20\x01", Ok(vec![("n", "other")]))]
#[case::something_behind_the_value(b"\x0a\x0b\x0a\x01n\x12\x03\x1a\x01t\x12\x01\x0a", Err(Malformed))]
#[case::long_lengths(b"\x0a\x8b\x00\x0a\x81\x00n\x12\x84\x00\x1a\x81\x00t", Ok(vec![("n", "t")]))]
#[case::name_beyond_its_field(b"\x0a\x03\x0a\x02n\x12\x03\x1a\x01t", Err(Malformed))]
#[case::value_beyond_its_field(b"\x0a\x07\x0a\x01n\x12\x03\x1a\x01t", Err(Malformed))]
#[case::text_beyond_its_value(b"\x0a\x08\x0a\x01n\x12\x03\x1a\x02tt", Err(Malformed))]
#[case::text_beyond_the_end(b"\x0a\x09\x0a\x01n\x12\x04\x1a\x02t", Err(Malformed))]
#[case::text_behind_the_field(b"\x0a\x05\x0a\x01n\x12\x00\x1a\x01t", Ok(vec![("n", "other")]))]
fn a_field_is_read_whatever_its_lengths(
    #[case] bytes: &[u8],
    #[case] expected: Result<Vec<(&'static str, &'static str)>, Malformed>,
) {
    let mut fields = Vec::new();
    let read = Struct::new(bytes).visit(|name, value| {
        let text: &[u8] = match value {
            StructValue::String(text) => text,
            StructValue::Struct(_) | StructValue::Other => b"other",
        };
        fields.push((name, text));
    });
    let bytes = |(name, text): (&'static str, &'static str)| (name.as_bytes(), text.as_bytes());
    let expected = expected.map(|fields| fields.into_iter().map(bytes).collect::<Vec<_>>());
    assert_eq!(read.map(|()| fields), expected);
}
