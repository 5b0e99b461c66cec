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
pub struct Struct<'a>(Place<'a>);

#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    /// The bytes of the message.
    Message(&'a [u8]),
    /// In the value of a field of another struct, which may hold it in pieces.
    Field {
        field: &'a [u8],
        /// Pieces that another kind of value replaced.
        replaced: usize,
    },
}

/// `google.protobuf.Value`, by the member of its oneof `kind`.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
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
        Self(Place::Message(message))
    }

    /// Shows every field, name and value, in the order they were sent. Of fields with the same name the last
    /// one counts. Fields before the one that is malformed have been shown.
    #[inline]
    pub fn visit(self, mut visitor: impl FnMut(&'a [u8], Value<'a>)) -> Result<(), Malformed> {
        match self.0 {
            Place::Message(message) => visit(message, &mut visitor),
            Place::Field { field, replaced } => visit_pieces(field, replaced, &mut visitor),
        }
    }
}

/// Shows the fields of one occurrence of a struct.
#[inline]
pub(crate) fn visit<'a>(
    occurrence: &'a [u8],
    visitor: &mut impl FnMut(&'a [u8], Value<'a>),
) -> Result<(), Malformed> {
    let mut fields = Fields::new(occurrence);
    loop {
        let field = match fields.short_bytes(FIELDS) {
            Some(field) => field,
            None => match fields.key()? {
                None => return Ok(()),
                Some(FIELDS) => fields.bytes()?,
                Some(key) => {
                    fields.skip_unknown(key, LAST_KNOWN_FIELD)?;
                    continue;
                }
            },
        };
        let (name, value) = match short_text(field) {
            Some((name, text)) => (name, Value::String(text)),
            None => read_entry(field)?,
        };
        visitor(name, value);
    }
}

fn visit_pieces<'a>(
    field: &'a [u8],
    mut replaced: usize,
    visitor: &mut impl FnMut(&'a [u8], Value<'a>),
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

/// The name and the text of a field, if they are written as nearly every field is: a short name, then a short text, nothing else.
#[inline]
fn short_text(field: &[u8]) -> Option<(&[u8], &[u8])> {
    const NAME_KEY: u8 = NAME as u8;
    const VALUE_KEY: u8 = VALUE as u8;
    const STRING_KEY: u8 = STRING_VALUE as u8;
    let [NAME_KEY, name_length @ 0..0x80, ref rest @ ..] = *field else {
        return None;
    };
    let (name, value) = rest.split_at_checked(name_length.into())?;
    match *value {
        [
            VALUE_KEY,
            value_length @ 0..0x80,
            STRING_KEY,
            text_length,
            ref text @ ..,
        ] if usize::from(value_length) == text.len() + 2 && usize::from(text_length) == text.len() => {
            Some((name, text))
        }
        _ => None,
    }
}

#[inline(never)]
fn read_entry(field: &[u8]) -> Result<(&[u8], Value<'_>), Malformed> {
    let mut name: &[u8] = &[];
    let mut value = Value::Other;
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

impl<'a> Value<'a> {
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
                        value = Self::Struct(Struct(Place::Field { field, replaced }));
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
