//! `envoy.data.accesslog.v3.HTTPResponseProperties`.

use super::headers::{header, headers};
use crate::Malformed;
use crate::occurrences::RepeatedField;
use crate::wire::{Fields, length_delimited, varint};
use crate::wrappers::merge_uint32_value;

const RESPONSE_CODE: u32 = length_delimited(1);
const RESPONSE_HEADERS_BYTES: u32 = varint(2);
const RESPONSE_BODY_BYTES: u32 = varint(3);
const RESPONSE_HEADERS: u32 = length_delimited(4);
const RESPONSE_TRAILERS: u32 = length_delimited(5);
const RESPONSE_CODE_DETAILS: u32 = length_delimited(6);
const UPSTREAM_HEADER_BYTES_RECEIVED: u32 = varint(7);
const DOWNSTREAM_HEADER_BYTES_SENT: u32 = varint(8);
const LAST_KNOWN_FIELD: u32 = 8;

/// `envoy.data.accesslog.v3.HTTPResponseProperties`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpResponse<'a> {
    /// `HTTPResponseProperties.response_code`.
    pub code: Option<u32>,
    /// `HTTPResponseProperties.response_headers_bytes`.
    pub headers_bytes: u64,
    /// `HTTPResponseProperties.response_body_bytes`.
    pub body_bytes: u64,
    /// `HTTPResponseProperties.response_code_details`.
    pub code_details: &'a [u8],
    headers: RepeatedField<'a>,
    trailers: RepeatedField<'a>,
}

impl<'a> HttpResponse<'a> {
    /// Merges one occurrence of the response into those before it; `entry` are the bytes of the entry around
    /// it.
    #[inline]
    pub(super) fn merge_into(
        response: &mut Option<Self>,
        bytes: &'a [u8],
        entry: &'a [u8],
    ) -> Result<(), Malformed> {
        match response {
            None => response.insert(Self::default()).merge(bytes),
            Some(response) => {
                response.headers = RepeatedField::in_all(entry, super::RESPONSE);
                response.trailers = response.headers;
                response.merge(bytes)
            }
        }
    }

    #[inline]
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        loop {
            let field = fields;
            let Some(key) = fields.key()? else { return Ok(()) };
            match key {
                RESPONSE_CODE => merge_uint32_value(&mut self.code, fields.bytes()?)?,
                RESPONSE_HEADERS_BYTES => self.headers_bytes = fields.uint64()?,
                RESPONSE_BODY_BYTES => self.body_bytes = fields.uint64()?,
                RESPONSE_HEADERS => {
                    fields.bytes()?;
                    self.headers.note_occurrence(field, fields);
                }
                RESPONSE_TRAILERS => {
                    fields.bytes()?;
                    self.trailers.note_occurrence(field, fields);
                }
                RESPONSE_CODE_DETAILS => self.code_details = fields.bytes()?,
                UPSTREAM_HEADER_BYTES_RECEIVED | DOWNSTREAM_HEADER_BYTES_SENT => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
    }

    /// The value of `name` in `HTTPResponseProperties.response_headers`. Envoy logs names in lower case, and
    /// the comparison is exact.
    #[inline]
    pub fn header(&self, name: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
        header(self.headers, RESPONSE_HEADERS, name)
    }

    /// The value of `name` in `HTTPResponseProperties.response_trailers`. Envoy logs names in lower case, and
    /// the comparison is exact.
    #[inline]
    pub fn trailer(&self, name: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
        header(self.trailers, RESPONSE_TRAILERS, name)
    }

    /// Names and values of `HTTPResponseProperties.response_headers`, in the order they were sent. A name may occur again: then the last
    /// value counts. A malformed header leaves those behind it.
    pub fn headers(&self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> + use<'a> {
        headers(self.headers, RESPONSE_HEADERS)
    }

    /// Names and values of `HTTPResponseProperties.response_trailers`, in the order they were sent. A name may occur again: then the last
    /// value counts. A malformed header leaves those behind it.
    pub fn trailers(&self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> + use<'a> {
        headers(self.trailers, RESPONSE_TRAILERS)
    }
}
