//! `envoy.data.accesslog.v3.HTTPAccessLogEntry`.

pub(crate) mod headers;
mod request;
mod response;

pub use request::HttpRequest;
pub use response::HttpResponse;

use crate::Malformed;
use crate::common_properties::{COMMON_PROPERTIES, CommonProperties};
use crate::wire::{Fields, length_delimited, varint};

const PROTOCOL_VERSION: u32 = varint(2);
const REQUEST: u32 = length_delimited(3);
const RESPONSE: u32 = length_delimited(4);
const LAST_KNOWN_FIELD: u32 = 4;

/// `envoy.data.accesslog.v3.HTTPAccessLogEntry`: one request and its response.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpEntry<'a> {
    common_properties: CommonProperties<'a>,
    /// `HTTPAccessLogEntry.protocol_version`, an `HTTPVersion`.
    pub protocol_version: i32,
    /// `HTTPAccessLogEntry.request`.
    pub request: Option<HttpRequest<'a>>,
    /// `HTTPAccessLogEntry.response`.
    pub response: Option<HttpResponse<'a>>,
}

impl<'a> HttpEntry<'a> {
    /// Reads the bytes of an entry into this new one.
    #[inline]
    pub fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                COMMON_PROPERTIES => self.common_properties.merge(fields.bytes()?, bytes)?,
                PROTOCOL_VERSION => self.protocol_version = fields.int32()?,
                REQUEST => HttpRequest::merge_into(&mut self.request, fields.bytes()?, bytes)?,
                RESPONSE => HttpResponse::merge_into(&mut self.response, fields.bytes()?, bytes)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(())
    }

    /// `HTTPAccessLogEntry.common_properties`.
    #[inline]
    pub fn common_properties(&self) -> Option<&CommonProperties<'a>> {
        self.common_properties.if_present()
    }
}
