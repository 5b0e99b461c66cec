//! `envoy.service.accesslog.v3.StreamAccessLogsMessage.Identifier`: which Envoy sends, and which of its logs.

use crate::Malformed;
use crate::message::IDENTIFIER;
use crate::occurrences::{NestedOccurrences, Occurrences};
use crate::protobuf_struct::{self, StructValue};
use crate::wire::{Fields, length_delimited};

const NODE: u32 = length_delimited(1);
const LOG_NAME: u32 = length_delimited(2);
/// The last field of `StreamAccessLogsMessage.Identifier`: the name of the log.
pub(crate) const LAST_FIELD_OF_ACCESS_LOGS: u32 = 2;
/// The last field of `StreamMetricsMessage.Identifier`: the node.
pub(crate) const LAST_FIELD_OF_METRICS: u32 = 1;

/// Fields of `envoy.config.core.v3.Node`.
const ID: u32 = length_delimited(1);
const CLUSTER: u32 = length_delimited(2);
const METADATA: u32 = length_delimited(3);
const LAST_KNOWN_NODE_FIELD: u32 = 3;

/// `envoy.service.accesslog.v3.StreamAccessLogsMessage.Identifier`, which borrows the whole message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identifier<'a> {
    message: &'a [u8],
    node_id: &'a [u8],
    node_cluster: &'a [u8],
    log_name: &'a [u8],
}

impl<'a> Identifier<'a> {
    /// Reads what the bytes of a message say about its sender. Behind its last field, an identifier's fields are unknown.
    pub(crate) fn read(message: &'a [u8], last_field: u32) -> Result<Self, Malformed> {
        let mut identifier = Self {
            message,
            ..Self::default()
        };
        for bytes in Occurrences::new(message, IDENTIFIER) {
            identifier.merge(bytes?, last_field)?;
        }
        Ok(identifier)
    }

    fn merge(&mut self, bytes: &'a [u8], last_field: u32) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                NODE => self.merge_node(fields.bytes()?)?,
                LOG_NAME if last_field == LAST_FIELD_OF_ACCESS_LOGS => self.log_name = fields.bytes()?,
                _ => fields.skip_unknown(key, last_field)?,
            }
        }
        Ok(())
    }

    fn merge_node(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                ID => self.node_id = fields.bytes()?,
                CLUSTER => self.node_cluster = fields.bytes()?,
                METADATA => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_NODE_FIELD)?,
            }
        }
        Ok(())
    }

    /// `envoy.config.core.v3.Node.id`; Istio's is
    /// `sidecar~10.0.0.1~reviews-v1-abc.default~default.svc.cluster.local`.
    pub fn node_id(&self) -> &'a [u8] {
        self.node_id
    }

    /// `envoy.config.core.v3.Node.cluster`; Istio's is `reviews.default`.
    pub fn node_cluster(&self) -> &'a [u8] {
        self.node_cluster
    }

    /// `Identifier.log_name`: the name that the log's configuration gives it; empty in an identifier of metrics.
    pub fn log_name(&self) -> &'a [u8] {
        self.log_name
    }

    /// Shows every field of `envoy.config.core.v3.Node.metadata` as [`Struct::visit`](crate::Struct::visit)
    /// does; Istio's have names such as `NAMESPACE`, `CLUSTER_ID` and `LABELS`, which is a struct.
    pub fn visit_metadata(
        &self,
        mut visitor: impl FnMut(&'a [u8], StructValue<'a>),
    ) -> Result<(), Malformed> {
        for node in NestedOccurrences::new(self.message, IDENTIFIER, NODE) {
            for metadata in Occurrences::new(node?, METADATA) {
                protobuf_struct::visit(metadata?, &mut visitor)?;
            }
        }
        Ok(())
    }
}
