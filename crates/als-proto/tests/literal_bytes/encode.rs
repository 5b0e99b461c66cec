//! Fields and messages as bytes.

use als_proto::{CommonProperties, Entry, HttpEntry, Message};

/// A field that holds a varint.
pub(crate) fn varint(number: u32, value: u64) -> Vec<u8> {
    [plain_varint(u64::from(number << 3)), plain_varint(value)].concat()
}

/// A field that holds a signed integer, which is ten bytes long when negative.
pub(crate) fn signed(number: u32, value: i64) -> Vec<u8> {
    varint(number, value.cast_unsigned())
}

/// A field that holds a double.
pub(crate) fn double(number: u32, value: f64) -> Vec<u8> {
    [
        &plain_varint(u64::from(number << 3 | 1)),
        &value.to_le_bytes()[..],
    ]
    .concat()
}

/// A field that holds a string, or bytes.
pub(crate) fn string(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let key = plain_varint(u64::from(number << 3 | 2));
    [key.as_slice(), &plain_varint(value.len() as u64), value].concat()
}

/// A field that holds a message with these fields.
pub(crate) fn message(number: u32, fields: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    string(number, fields.into_iter().collect::<Vec<_>>().concat())
}

/// A `StreamAccessLogsMessage` with one HTTP entry with these fields.
pub(crate) fn http_entry(fields: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    message(2, [message(1, fields)])
}

/// A `StreamAccessLogsMessage` with one HTTP entry with these common properties.
pub(crate) fn common(fields: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    http_entry([message(1, fields)])
}

/// The one entry of such a message.
pub(crate) fn read_http_entry(bytes: &[u8]) -> HttpEntry<'_> {
    let mut entries = Message::read(bytes)
        .expect("the message is well-formed")
        .entries();
    let Some(Ok(Entry::Http(entry))) = entries.next() else {
        panic!("an HTTP entry in {bytes:?}")
    };
    assert!(entries.next().is_none());
    entry
}

/// The common properties of the one entry of such a message.
pub(crate) fn read_common(bytes: &[u8]) -> CommonProperties<'_> {
    *read_http_entry(bytes)
        .common_properties()
        .expect("the entry has common properties")
}

fn plain_varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
