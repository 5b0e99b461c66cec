//! `google.protobuf.Struct`: what nodes say about themselves and about each other, a tree of named values.
//!
//! A field of a struct is an entry of its map `fields`, and a later entry of the same name replaces the
//! earlier one whole. Inside an entry the usual rules hold: a value that occurs again is merged, the last
//! member of its oneof wins.

use crate::Malformed;
use crate::occurrences::Occurrences;
use crate::wire::{Fields, fixed64, length_delimited, varint};

/// `google.protobuf.Struct.fields`.
const FIELDS: u32 = length_delimited(1);
const LAST_KNOWN_FIELD: u32 = 1;

/// The name and the value of an entry of `google.protobuf.Struct.fields`.
const NAME: u32 = length_delimited(1);
const VALUE: u32 = length_delimited(2);
const LAST_KNOWN_FIELD_OF_ENTRY: u32 = 2;

/// Members of the oneof `google.protobuf.Value.kind`.
const NULL_VALUE: u32 = varint(1);
const NUMBER_VALUE: u32 = fixed64(2);
const STRING_VALUE: u32 = length_delimited(3);
const BOOL_VALUE: u32 = varint(4);
const STRUCT_VALUE: u32 = length_delimited(5);
const LIST_VALUE: u32 = length_delimited(6);
const LAST_KNOWN_KIND: u32 = 6;

/// `google.protobuf.Struct`, read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Struct<'a>(StructBytes<'a>);

#[derive(Clone, Copy, Debug)]
enum StructBytes<'a> {
    /// The bytes of the message.
    Message(&'a [u8]),
    /// The field of another struct whose value is the struct, possibly in several pieces.
    Field {
        field: &'a [u8],
        /// How many leading pieces a value of another kind replaced.
        replaced: usize,
    },
}

/// `google.protobuf.Value`, by the member of its oneof `kind`.
#[derive(Clone, Copy, Debug)]
pub enum StructValue<'a> {
    /// `Value.string_value`.
    String(&'a [u8]),
    /// `Value.struct_value`.
    Struct(Struct<'a>),
    /// Any other member, or none.
    Other,
}

impl<'a> Struct<'a> {
    /// The struct that `message` is the serialised form of. Nothing is read yet.
    pub const fn new(message: &'a [u8]) -> Self {
        Self(StructBytes::Message(message))
    }

    /// Shows every field, name and value, in the order they were sent. Of fields with the same name the last
    /// one counts. Fields before the one that is malformed have been shown.
    #[inline]
    pub fn visit(self, mut visitor: impl FnMut(&'a [u8], StructValue<'a>)) -> Result<(), Malformed> {
        match self.0 {
            StructBytes::Message(message) => visit(message, &mut visitor),
            StructBytes::Field { field, replaced } => visit_pieces(field, replaced, &mut visitor),
        }
    }
}

/// Shows the fields of one occurrence of a struct.
#[inline]
pub(crate) fn visit<'a>(
    occurrence: &'a [u8],
    visitor: &mut impl FnMut(&'a [u8], StructValue<'a>),
) -> Result<(), Malformed> {
    let mut fields = Fields::new(occurrence);
    loop {
        if let Some((name, text, rest)) = plain_text(fields.rest()) {
            visitor(name, StructValue::String(text));
            fields = Fields::new(rest);
            continue;
        }
        let Some(key) = fields.key()? else { return Ok(()) };
        match key {
            FIELDS => {
                let (name, value) = read_entry(fields.bytes()?)?;
                visitor(name, value);
            }
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
}

fn visit_pieces<'a>(
    field: &'a [u8],
    mut replaced: usize,
    visitor: &mut impl FnMut(&'a [u8], StructValue<'a>),
) -> Result<(), Malformed> {
    for value in Occurrences::new(field, VALUE) {
        for piece in Occurrences::new(value?, STRUCT_VALUE) {
            let piece = piece?;
            if replaced > 0 {
                replaced -= 1;
            } else {
                visit(piece, visitor)?;
            }
        }
    }
    Ok(())
}

/// The name and the text of the first field, and the rest, if the field is written as nearly every one is: a name, then a text,
/// nothing else, and no length of two bytes.
#[inline]
fn plain_text(fields: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const FIELDS_KEY: u8 = FIELDS as u8;
    const NAME_KEY: u8 = NAME as u8;
    const VALUE_KEY: u8 = VALUE as u8;
    const STRING_KEY: u8 = STRING_VALUE as u8;
    let [
        FIELDS_KEY,
        field_length @ 0..0x80,
        NAME_KEY,
        name_length,
        ref rest @ ..,
    ] = *fields
    else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(name_length.into())?;
    let [VALUE_KEY, value_length, STRING_KEY, text_length, ref rest @ ..] = *rest else {
        return None;
    };
    let [field_length, name_length, value_length, text_length] =
        [field_length, name_length, value_length, text_length].map(usize::from);
    // The inner lengths are shorter than the outer one, so they have one byte too.
    if field_length != name_length + value_length + 4 || value_length != text_length + 2 {
        return None;
    }
    let (text, rest) = rest.split_at_checked(text_length)?;
    Some((name, text, rest))
}

#[inline(never)]
fn read_entry(field: &[u8]) -> Result<(&[u8], StructValue<'_>), Malformed> {
    let mut name: &[u8] = &[];
    let mut value = StructValue::Other;
    let mut pieces = 0;
    let mut fields = Fields::new(field);
    while let Some(key) = fields.key()? {
        match key {
            NAME => name = fields.bytes()?,
            VALUE => value = value.merged(fields.bytes()?, field, &mut pieces)?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD_OF_ENTRY)?,
        }
    }
    Ok((name, value))
}

impl<'a> StructValue<'a> {
    /// This value, merged with its next occurrence in `field`, in which `pieces` of structs came before.
    #[inline]
    fn merged(self, occurrence: &'a [u8], field: &'a [u8], pieces: &mut usize) -> Result<Self, Malformed> {
        let mut value = self;
        let mut fields = Fields::new(occurrence);
        while let Some(key) = fields.key()? {
            match key {
                STRING_VALUE => value = Self::String(fields.bytes()?),
                STRUCT_VALUE => {
                    fields.bytes()?;
                    if !matches!(value, Self::Struct(_)) {
                        let replaced = *pieces;
                        value = Self::Struct(Struct(StructBytes::Field { field, replaced }));
                    }
                    *pieces += 1;
                }
                NULL_VALUE | NUMBER_VALUE | BOOL_VALUE | LIST_VALUE => {
                    fields.skip(key)?;
                    value = Self::Other;
                }
                _ => fields.skip_unknown(key, LAST_KNOWN_KIND)?,
            }
        }
        Ok(value)
    }
}
