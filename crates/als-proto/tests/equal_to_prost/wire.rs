//! Arbitrary messages as bytes: fields in any order and number, unknown ones among them, in every encoding that is
//! allowed. Oneofs switch, maps repeat keys and submessages occur in pieces because any field may come next.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::Union;

use crate::schema::{Kind, Schema};

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// How deep messages may lie in each other: `google.protobuf.Struct` knows no end.
const DEEPEST: u32 = 14;

/// The bytes of a message of this schema.
pub(crate) fn message(schema: &'static Schema) -> BoxedStrategy<Vec<u8>> {
    message_at(schema, 0)
}

fn message_at(schema: &'static Schema, depth: u32) -> BoxedStrategy<Vec<u8>> {
    if depth == DEEPEST {
        return Just(Vec::new()).boxed();
    }
    let fields: Vec<_> = schema
        .0
        .iter()
        .map(|&(number, kind)| field(number, kind, depth))
        .collect();
    let fewest = usize::from(depth == 0);
    let some_fields = vec(Union::new(fields.clone()), fewest..5);
    let one_field = Union::new(fields.iter().map(|field| vec(field.clone(), 2..4)));
    let any_fields = vec(
        Union::new(fields.clone()).boxed().prop_union(unknown_field()),
        fewest..5,
    );
    prop_oneof![
        7 => some_fields.prop_map(|fields| fields.concat()),
        2 => one_field.prop_map(|fields| fields.concat()),
        1 => fields.prop_shuffle().prop_map(|fields| fields.concat()),
        1 => any_fields.prop_map(|fields| fields.concat()),
    ]
    .boxed()
}

fn field(number: u32, kind: Kind, depth: u32) -> BoxedStrategy<Vec<u8>> {
    match kind {
        Kind::Varint => keyed(number, VARINT, varint_value()),
        Kind::Fixed64 => keyed(number, FIXED64, vec(any::<u8>(), 8)),
        Kind::String => keyed(
            number,
            LENGTH_DELIMITED,
            with_length(string().prop_map(String::into_bytes)),
        ),
        Kind::Bytes => keyed(number, LENGTH_DELIMITED, with_length(vec(any::<u8>(), 0..5))),
        Kind::Message(schema) => keyed(
            number,
            LENGTH_DELIMITED,
            with_length(message_at(schema, depth + 1)),
        ),
    }
}

/// A field that no message knows.
fn unknown_field() -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![34..70_u32, Just((1 << 29) - 1)];
    let value = prop_oneof![
        varint_value().prop_map(|value| (VARINT, value)),
        vec(any::<u8>(), 8).prop_map(|value| (FIXED64, value)),
        with_length(vec(any::<u8>(), 0..9)).prop_map(|value| (LENGTH_DELIMITED, value)),
        vec(any::<u8>(), 4).prop_map(|value| (FIXED32, value)),
    ];
    let scalar = (number, value).prop_map(|(number, (wire_type, value))| {
        [varint(u64::from(number << 3 | wire_type), 0), value].concat()
    });
    let group = |fields| {
        (34..70_u32, vec(fields, 0..4)).prop_map(|(number, fields): (u32, Vec<Vec<u8>>)| {
            let [start, end] =
                [START_GROUP, END_GROUP].map(|wire_type| varint(u64::from(number << 3 | wire_type), 0));
            [start, fields.concat(), end].concat()
        })
    };
    scalar.prop_recursive(4, 16, 4, group).boxed()
}

fn keyed(
    number: u32,
    wire_type: u32,
    value: impl Strategy<Value = Vec<u8>> + 'static,
) -> BoxedStrategy<Vec<u8>> {
    let key = move |padding| varint(u64::from(number << 3 | wire_type), padding);
    (padding(), value)
        .prop_map(move |(padding, value)| [key(padding), value].concat())
        .boxed()
}

fn with_length(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (padding(), bytes).prop_map(|(padding, bytes)| [varint(bytes.len() as u64, padding), bytes].concat())
}

fn varint_value() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        0..3_u64,
        any::<u16>().prop_map(u64::from),
        any::<i32>().prop_map(|value| i64::from(value).cast_unsigned()),
        any::<u64>(),
    ];
    (value, padding()).prop_map(|(value, padding)| varint(value, padding))
}

fn string() -> impl Strategy<Value = String> {
    let long = "x".repeat(200);
    let strings = [
        "",
        "a",
        "b",
        "LABELS",
        "app",
        "CLUSTER_ID",
        "10.0.0.1",
        "spiffe://td/ns/a/sa/b",
        "\u{e9}",
        &long,
    ];
    select(strings.map(str::to_owned).to_vec())
}

/// How many bytes a varint is longer than it needs to be.
fn padding() -> impl Strategy<Value = usize> {
    prop_oneof![9 => Just(0), 1 => 1..9_usize]
}

fn varint(mut value: u64, padding: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    // No varint is longer than ten bytes.
    for _ in 0..padding.min(10 - bytes.len()) {
        *bytes.last_mut().expect("a varint has a byte") |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// Something that happens to a message on its way.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Truncate(Index),
    Flip(Index, u8),
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// The message goes on from an earlier place.
    Repeat(Index, Index),
}

pub(crate) fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let place = any::<Index>;
    let one = prop_oneof![
        place().prop_map(Damage::Truncate),
        (place(), 0..8_u8).prop_map(|(place, bit)| Damage::Flip(place, bit)),
        (place(), any::<u8>()).prop_map(|(place, byte)| Damage::Replace(place, byte)),
        (place(), any::<u8>()).prop_map(|(place, byte)| Damage::Insert(place, byte)),
        place().prop_map(Damage::Remove),
        (place(), place()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    vec(one, 1..4)
}

impl Damage {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Truncate(place) => bytes.truncate(place.index(bytes.len())),
            Self::Flip(place, bit) => *place.get_mut(bytes) ^= 1 << bit,
            Self::Replace(place, byte) => *place.get_mut(bytes) = *byte,
            Self::Insert(place, byte) => bytes.insert(place.index(bytes.len()), *byte),
            Self::Remove(place) => drop(bytes.remove(place.index(bytes.len()))),
            Self::Repeat(from, to) => {
                let again = bytes.split_off(from.index(bytes.len()));
                bytes.extend_from_within(to.index(bytes.len() + 1)..);
                bytes.extend(again);
            }
        }
    }
}
