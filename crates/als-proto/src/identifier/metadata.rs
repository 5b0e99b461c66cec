//! `google.protobuf.Struct`: what a node says about itself, a tree of named values.
//!
//! A field of a struct is an entry of its map `fields`, and a later entry of the same name replaces the
//! earlier one whole. Inside an entry the usual rules hold: a value that occurs again is merged, the last
//! member of its oneof wins.

use crate::Malformed;
use crate::occurrences::Occurrences;
use crate::wire::{Fields, fixed64, length_delimited, varint};

/// `google.protobuf.Struct.fields`.
const FIELDS: u32 = length_delimited(1);

/// The name and the value of an entry of `google.protobuf.Struct.fields`.
const NAME: u32 = length_delimited(1);
const VALUE: u32 = length_delimited(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// Members of the oneof `google.protobuf.Value.kind`.
const NULL_VALUE: u32 = varint(1);
const NUMBER_VALUE: u32 = fixed64(2);
const STRING_VALUE: u32 = length_delimited(3);
const BOOL_VALUE: u32 = varint(4);
const STRUCT_VALUE: u32 = length_delimited(5);
const LIST_VALUE: u32 = length_delimited(6);
const LAST_KNOWN_KIND: u32 = 6;

/// The value of a struct's field, as far as a path of names is concerned.
enum Value<'a> {
    String(&'a [u8]),
    /// A struct, and its field that the path names next, if it has that.
    Struct(Option<&'a [u8]>),
    Other,
}

/// Looks for the field `name` in one occurrence of a struct; a later one wins over the one already `found`.
pub(super) fn find_field<'a>(
    occurrence: &'a [u8],
    name: &str,
    found: &mut Option<&'a [u8]>,
) -> Result<(), Malformed> {
    for field in Occurrences::new(occurrence, FIELDS) {
        let field = field?;
        if name_of(field)? == name.as_bytes() {
            *found = Some(field);
        }
    }
    Ok(())
}

/// The string at `path` below `field`.
pub(super) fn string_at<'a>(mut field: &'a [u8], path: &[&str]) -> Result<Option<&'a [u8]>, Malformed> {
    for name in path {
        match value_of(field, Some(name))? {
            Value::Struct(Some(next)) => field = next,
            Value::Struct(None) | Value::String(_) | Value::Other => return Ok(None),
        }
    }
    match value_of(field, None)? {
        Value::String(string) => Ok(Some(string)),
        Value::Struct(_) | Value::Other => Ok(None),
    }
}

fn name_of(field: &[u8]) -> Result<&[u8], Malformed> {
    let mut name: &[u8] = &[];
    let mut fields = Fields::new(field);
    while let Some(key) = fields.key()? {
        match key {
            NAME => name = fields.bytes()?,
            VALUE => fields.skip(key)?,
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(name)
}

/// The value of `field`, and if that is a struct, its field `next`.
fn value_of<'a>(field: &'a [u8], next: Option<&str>) -> Result<Value<'a>, Malformed> {
    let mut value = Value::Other;
    for occurrence in Occurrences::new(field, VALUE) {
        merge_value(&mut value, occurrence?, next)?;
    }
    Ok(value)
}

fn merge_value<'a>(value: &mut Value<'a>, bytes: &'a [u8], next: Option<&str>) -> Result<(), Malformed> {
    let mut fields = Fields::new(bytes);
    while let Some(key) = fields.key()? {
        match key {
            STRING_VALUE => *value = Value::String(fields.bytes()?),
            STRUCT_VALUE => {
                let mut found = if let Value::Struct(found) = *value {
                    found
                } else {
                    None
                };
                let occurrence = fields.bytes()?;
                if let Some(name) = next {
                    find_field(occurrence, name, &mut found)?;
                }
                *value = Value::Struct(found);
            }
            NULL_VALUE | NUMBER_VALUE | BOOL_VALUE | LIST_VALUE => {
                fields.skip(key)?;
                *value = Value::Other;
            }
            _ => fields.skip_unknown(key, LAST_KNOWN_KIND)?,
        }
    }
    Ok(())
}
