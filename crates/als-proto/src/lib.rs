//! The wire: Envoy's access-log stream messages, read without copying them.
//!
//! [`Message::read`] takes the bytes of one `envoy.service.accesslog.v3.StreamAccessLogsMessage` and hands
//! out its [`Identifier`] and its [`Entry`]s, which borrow from those bytes. Numbers and strings that every
//! entry needs are decoded at once; addresses, times and TLS properties are decoded when they are asked for.
//! Strings stay bytes: whoever shows them checks that they are UTF-8. [`MetricsMessage::read`] does the same for
//! Envoy's own metrics, `envoy.service.metrics.v3.StreamMetricsMessage`.
//!
//! Invariants: nothing allocates, nothing panics, work is linear in the bytes read. Every message that a
//! protobuf library accepts is read with equal fields: a submessage that occurs again is merged into the one
//! before, the last value of a scalar and the last member of a oneof win, unknown fields are skipped. What no
//! caller asks for is not checked, so a message that a protobuf library rejects may still yield its
//! well-formed entries.
//!
//! ```
//! use als_proto::{Entry, Message};
//!
//! // http_logs { log_entry { request { path: "/" } } }
//! let message = Message::read(b"\x12\x07\x0a\x05\x1a\x03\x2a\x01/")?;
//! for entry in message.entries() {
//!     let Ok(Entry::Http(entry)) = entry else { continue };
//!     assert_eq!(entry.request.map(|request| request.path), Some(&b"/"[..]));
//! }
//! # assert_eq!(message.entries().count(), 1);
//! # Ok::<(), als_proto::Malformed>(())
//! ```

mod common_properties;
mod entries;
mod grpc_messages;
mod http;
mod identifier;
mod malformed;
mod message;
#[cfg(feature = "messages")]
pub mod messages;
mod metrics;
mod occurrences;
mod protobuf_struct;
mod recording;
mod tcp;
mod wire;
mod wrappers;

pub use common_properties::{
    Address, Certificate, CommonProperties, Duration, FilterStateObject, FilterStateObjects, ResponseFlags,
    Timestamp, TlsProperties,
};
pub use entries::{Entries, Entry, UnreadEntry, Unreadable};
pub use grpc_messages::GrpcMessages;
pub use http::{HttpEntry, HttpRequest, HttpResponse};
pub use identifier::Identifier;
pub use malformed::Malformed;
pub use message::Message;
pub use metrics::{HistogramBucket, Metric, MetricFamily, MetricHistogram, MetricValue, MetricsMessage};
pub use protobuf_struct::{Struct, StructValue};
pub use recording::{NotARecording, RecordedMessage, Recording};
pub use tcp::TcpEntry;
pub use wrappers::wrapped_bytes;
