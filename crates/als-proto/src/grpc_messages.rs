//! `envoy.extensions.filters.http.grpc_stats.v3.FilterObject`: how many messages a gRPC call had.

use crate::Malformed;
use crate::wire::{Fields, varint};

const REQUEST_MESSAGE_COUNT: u32 = varint(1);
const RESPONSE_MESSAGE_COUNT: u32 = varint(2);
const LAST_KNOWN_FIELD: u32 = 2;

/// `envoy.extensions.filters.http.grpc_stats.v3.FilterObject`: the messages of a gRPC call until the entry was logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrpcMessages {
    /// `FilterObject.request_message_count`: messages from the caller.
    pub requests: u64,
    /// `FilterObject.response_message_count`: messages to the caller.
    pub responses: u64,
}

impl GrpcMessages {
    /// The name of the message that [`GrpcMessages::read`] reads.
    pub const TYPE_NAME: &[u8] = b"envoy.extensions.filters.http.grpc_stats.v3.FilterObject";

    /// Reads the serialised message.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut messages = Self::default();
        let mut fields = Fields::new(message);
        while let Some(key) = fields.key()? {
            match key {
                REQUEST_MESSAGE_COUNT => messages.requests = fields.uint64()?,
                RESPONSE_MESSAGE_COUNT => messages.responses = fields.uint64()?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(messages)
    }
}
