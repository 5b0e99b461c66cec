//! `envoy.data.accesslog.v3.TCPAccessLogEntry`.

use crate::Malformed;
use crate::common_properties::{COMMON_PROPERTIES, CommonProperties};
use crate::wire::{Fields, length_delimited, varint};

const CONNECTION_PROPERTIES: u32 = length_delimited(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// Fields of `envoy.data.accesslog.v3.ConnectionProperties`.
const RECEIVED_BYTES: u32 = varint(1);
const SENT_BYTES: u32 = varint(2);
const LAST_KNOWN_CONNECTION_FIELD: u32 = 2;

/// `envoy.data.accesslog.v3.TCPAccessLogEntry`: one connection, or a part of its life.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpEntry<'a> {
    common_properties: CommonProperties<'a>,
    /// Whether `TCPAccessLogEntry.connection_properties` is there.
    pub has_connection_properties: bool,
    /// `ConnectionProperties.received_bytes`.
    pub received_bytes: u64,
    /// `ConnectionProperties.sent_bytes`.
    pub sent_bytes: u64,
}

impl<'a> TcpEntry<'a> {
    /// Reads the bytes of an entry into this new one.
    #[inline]
    pub fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                COMMON_PROPERTIES => self.common_properties.merge(fields.bytes()?, bytes)?,
                CONNECTION_PROPERTIES => self.merge_connection_properties(fields.bytes()?)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(())
    }

    fn merge_connection_properties(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.has_connection_properties = true;
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                RECEIVED_BYTES => self.received_bytes = fields.uint64()?,
                SENT_BYTES => self.sent_bytes = fields.uint64()?,
                _ => fields.skip_unknown(key, LAST_KNOWN_CONNECTION_FIELD)?,
            }
        }
        Ok(())
    }

    /// `TCPAccessLogEntry.common_properties`.
    #[inline]
    pub fn common_properties(&self) -> Option<&CommonProperties<'a>> {
        self.common_properties.if_present()
    }
}
