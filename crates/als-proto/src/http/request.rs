//! `envoy.data.accesslog.v3.HTTPRequestProperties`.

use super::headers::{header, headers};
use crate::Malformed;
use crate::occurrences::RepeatedField;
use crate::wire::{Fields, length_delimited, varint};
use crate::wrappers::merge_uint32_value;

const REQUEST_METHOD: u32 = varint(1);
const SCHEME: u32 = length_delimited(2);
const AUTHORITY: u32 = length_delimited(3);
const PORT: u32 = length_delimited(4);
const PATH: u32 = length_delimited(5);
const USER_AGENT: u32 = length_delimited(6);
const REFERER: u32 = length_delimited(7);
const FORWARDED_FOR: u32 = length_delimited(8);
const REQUEST_ID: u32 = length_delimited(9);
const ORIGINAL_PATH: u32 = length_delimited(10);
const REQUEST_HEADERS_BYTES: u32 = varint(11);
const REQUEST_BODY_BYTES: u32 = varint(12);
const REQUEST_HEADERS: u32 = length_delimited(13);
const UPSTREAM_HEADER_BYTES_SENT: u32 = varint(14);
const DOWNSTREAM_HEADER_BYTES_RECEIVED: u32 = varint(15);
const LAST_KNOWN_FIELD: u32 = 15;

/// `envoy.data.accesslog.v3.HTTPRequestProperties`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpRequest<'a> {
    /// `HTTPRequestProperties.request_method`, an `envoy.config.core.v3.RequestMethod`.
    pub method: i32,
    /// `HTTPRequestProperties.scheme`.
    pub scheme: &'a [u8],
    /// `HTTPRequestProperties.authority`.
    pub authority: &'a [u8],
    /// `HTTPRequestProperties.port`.
    pub port: Option<u32>,
    /// `HTTPRequestProperties.path`.
    pub path: &'a [u8],
    /// `HTTPRequestProperties.user_agent`.
    pub user_agent: &'a [u8],
    /// `HTTPRequestProperties.referer`.
    pub referer: &'a [u8],
    /// `HTTPRequestProperties.forwarded_for`.
    pub forwarded_for: &'a [u8],
    /// `HTTPRequestProperties.request_id`.
    pub request_id: &'a [u8],
    /// `HTTPRequestProperties.original_path`.
    pub original_path: &'a [u8],
    /// `HTTPRequestProperties.request_headers_bytes`.
    pub headers_bytes: u64,
    /// `HTTPRequestProperties.request_body_bytes`.
    pub body_bytes: u64,
    headers: RepeatedField<'a>,
}

impl<'a> HttpRequest<'a> {
    /// Merges one occurrence of the request into those before it; `entry` are the bytes of the entry around
    /// it.
    #[inline]
    pub(super) fn merge_into(
        request: &mut Option<Self>,
        bytes: &'a [u8],
        entry: &'a [u8],
    ) -> Result<(), Malformed> {
        match request {
            None => request.insert(Self::default()).merge(bytes),
            Some(request) => {
                request.headers = RepeatedField::in_all(entry, super::REQUEST);
                request.merge(bytes)
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
                REQUEST_METHOD => self.method = fields.int32()?,
                SCHEME => self.scheme = fields.bytes()?,
                AUTHORITY => self.authority = fields.bytes()?,
                PORT => merge_uint32_value(&mut self.port, fields.bytes()?)?,
                PATH => self.path = fields.bytes()?,
                USER_AGENT => self.user_agent = fields.bytes()?,
                REFERER => self.referer = fields.bytes()?,
                FORWARDED_FOR => self.forwarded_for = fields.bytes()?,
                REQUEST_ID => self.request_id = fields.bytes()?,
                ORIGINAL_PATH => self.original_path = fields.bytes()?,
                REQUEST_HEADERS_BYTES => self.headers_bytes = fields.uint64()?,
                REQUEST_BODY_BYTES => self.body_bytes = fields.uint64()?,
                REQUEST_HEADERS => {
                    fields.bytes()?;
                    self.headers.note_occurrence(field, fields);
                }
                UPSTREAM_HEADER_BYTES_SENT | DOWNSTREAM_HEADER_BYTES_RECEIVED => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
    }

    /// The value of `name` in `HTTPRequestProperties.request_headers`. Envoy logs names in lower case, and
    /// the comparison is exact.
    #[inline]
    pub fn header(&self, name: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
        header(self.headers, REQUEST_HEADERS, name)
    }

    /// Names and values of `HTTPRequestProperties.request_headers`, in the order they were sent. A name may occur again: then the last
    /// value counts. A malformed header leaves those behind it.
    pub fn headers(&self) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> + use<'a> {
        headers(self.headers, REQUEST_HEADERS)
    }
}
